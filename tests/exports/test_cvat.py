"""CVAT for images 1.1."""

from __future__ import annotations

import json
import os
from pathlib import Path
from xml.etree import ElementTree

import pytest
from box_items import CLASSES, HOSTILE, export, hostile, plan_of, two_photos

from labeler.exports.cvat import Cvat


def test_what_stands_in_the_files(tmp_path: Path) -> None:
    places = export(Cvat, plan_of(tmp_path), two_photos())
    root = ElementTree.parse(tmp_path / "annotations.xml").getroot()

    assert list(places) == ["images/0.jpg", "images/a/b.jpg"]
    assert root.findtext("version") == "1.1"
    assert [label.findtext("name") for label in root.findall("meta/task/labels/label")] == list(CLASSES)
    assert [image.attrib for image in root.findall("image")] == [
        {"id": "0", "name": "0.jpg", "width": "200", "height": "100"},
        {"id": "1", "name": "a/b.jpg", "width": "100", "height": "200"},
    ]
    boxes = root.findall("image/box")
    assert [(box.get("label"), box.findtext("attribute[@name='score']")) for box in boxes] == [
        ("happy", "0.75"),
        ("angry", "0.5"),
        ("angry", "0.25"),
    ]
    assert [[box.get(side) for side in ("xtl", "ytl", "xbr", "ybr")] for box in boxes] == [
        ["20.00", "10.00", "70.50", "50.00"],
        ["100.30", "0.00", "130.60", "60.00"],
        ["60.00", "150.00", "100.00", "200.00"],
    ]
    assert {(box.get("occluded"), box.get("source"), box.get("z_order")) for box in boxes} == {("0", "auto", "0")}


def test_the_labels_of_the_task_have_the_score_that_the_boxes_have(tmp_path: Path) -> None:
    export(Cvat, plan_of(tmp_path), two_photos())
    labels = json.loads((tmp_path / "labels.json").read_text())

    assert [label["name"] for label in labels] == list(CLASSES)
    assert {attribute["name"] for label in labels for attribute in label["attributes"]} == {"score"}


def test_a_set_that_is_split_is_a_project(tmp_path: Path) -> None:
    places = export(Cvat, plan_of(tmp_path, subsets=("train", "val")), two_photos(("train", "val")))
    root = ElementTree.parse(tmp_path / "annotations.xml").getroot()

    assert list(places) == ["images/train/0.jpg", "images/val/a/b.jpg"]
    assert root.findtext("meta/project/subsets") == "train\nval"
    assert [(image.get("subset"), image.get("name")) for image in root.findall("image")] == [
        ("train", "0.jpg"),
        ("val", "a/b.jpg"),
    ]


def test_the_names_are_those_of_the_pictures_and_distinct_without_suffix(tmp_path: Path) -> None:
    places = export(Cvat, plan_of(tmp_path), hostile())
    names = [str(image.get("name")) for image in ElementTree.parse(tmp_path / "annotations.xml").iter("image")]

    assert [f"images/{name}" for name in names] == list(places)
    assert len({os.path.splitext(name)[0] for name in names}) == len(HOSTILE)


def test_photos_in_place_have_their_names_as_far_as_xml_carries_them(tmp_path: Path) -> None:
    export(Cvat, plan_of(tmp_path, mode=None), hostile())
    names = [image.get("name") for image in ElementTree.parse(tmp_path / "annotations.xml").iter("image")]

    sound = [
        name for name in HOSTILE if name.isprintable() or name in ("two\nlines.jpg", "right\u202eto\u202cleft.jpg")
    ]
    assert len(sound) == 19
    assert set(sound) <= set(names)
    assert "not utf-8 \\xff.jpg" in names


@pytest.mark.slow
@pytest.mark.parametrize("subsets", [(), ("train", "val")])
def test_labelformat_reads_it(subsets: tuple[str, ...], tmp_path: Path) -> None:
    formats = pytest.importorskip("labelformat.formats")
    export(Cvat, plan_of(tmp_path, subsets=subsets), two_photos(subsets or ("", "")))  # type: ignore[arg-type]
    read = formats.CVATObjectDetectionInput(tmp_path / "annotations.xml")
    first, second = read.get_labels()

    assert [category.name for category in read.get_categories()] == list(CLASSES)
    assert [one.category.name for one in first.objects] == ["happy", "angry"]
    box = second.objects[0].box
    assert (second.image.filename, box.xmin, box.ymin, box.xmax, box.ymax) == ("a/b.jpg", 60.0, 150.0, 100.0, 200.0)


@pytest.mark.slow
def test_labelformat_reads_hostile_names(tmp_path: Path) -> None:
    formats = pytest.importorskip("labelformat.formats")
    places = export(Cvat, plan_of(tmp_path), hostile())
    labels = list(formats.CVATObjectDetectionInput(tmp_path / "annotations.xml").get_labels())

    assert [f"images/{label.image.filename}" for label in labels] == list(places)
    assert [label.objects[0].box.xmin for label in labels] == [item.faces[0].x for item in hostile()]
