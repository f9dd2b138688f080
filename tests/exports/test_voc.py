"""Pascal VOC."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from box_items import CLASSES, HOSTILE, export, files, hostile, numbered, plan_of, two_photos

from labeler.exports.voc import Voc


def parsed(element: ElementTree.Element) -> Any:
    """Return an element as FiftyOne and torchvision see it: a text, or its children by tag."""
    if not len(element):
        return element.text
    found: dict[str, Any] = {}
    for child in element:
        found.setdefault(child.tag, []).append(parsed(child))
    return {tag: values[0] if tag != "object" else values for tag, values in found.items()}


def test_what_stands_in_the_files(tmp_path: Path) -> None:
    places = export(Voc, plan_of(tmp_path, subsets=("train", "val")), two_photos(("train", "val")))
    found = files(tmp_path)

    assert list(places) == ["JPEGImages/0.jpg", "JPEGImages/a/b.jpg"]
    assert set(found) == {
        "Annotations/0.xml",
        "Annotations/a/b.xml",
        "ImageSets/Main/train.txt",
        "ImageSets/Main/val.txt",
        "labelmap.txt",
    }
    assert (found["ImageSets/Main/train.txt"], found["ImageSets/Main/val.txt"]) == (b"0\n", b"a/b\n")
    assert found["labelmap.txt"] == b"# label:color_rgb:parts:actions\nangry:::\nhappy:::\nsad & <blue>:::\n"
    both = parsed(ElementTree.fromstring(found["Annotations/0.xml"]))
    assert [(one["name"], one["bndbox"], one["score"]) for one in both["object"]] == [
        ("happy", {"xmin": "20.0", "ymin": "10.0", "xmax": "70.5", "ymax": "50.0"}, "0.75"),
        ("angry", {"xmin": "100.3", "ymin": "0.0", "xmax": "130.6", "ymax": "60.0"}, "0.5"),
    ]
    assert both["size"] == {"width": "200", "height": "100", "depth": "3"}
    assert (both["folder"], both["filename"]) == ("JPEGImages", "0.jpg")


def test_a_set_that_is_not_split_is_trainval(tmp_path: Path) -> None:
    export(Voc, plan_of(tmp_path), two_photos())

    assert files(tmp_path)["ImageSets/Main/trainval.txt"] == b"0\na/b\n"


def test_photos_in_place_have_their_path(tmp_path: Path) -> None:
    export(Voc, plan_of(tmp_path, mode=None), hostile())
    paths = [ElementTree.fromstring(text).findtext("path") for text in annotations(tmp_path).values()]

    assert "/photos/a/plain.jpg" in paths
    assert "/photos/not utf-8 \\xff.jpg" in paths
    assert "/photos/two\nlines.jpg" in paths


def annotations(folder: Path) -> dict[str, bytes]:
    return {name: text for name, text in files(folder).items() if name.endswith(".xml")}


def test_each_name_of_the_list_is_that_of_a_picture_and_its_annotation(tmp_path: Path) -> None:
    places = export(Voc, plan_of(tmp_path), hostile())
    listed = (tmp_path / "ImageSets/Main/trainval.txt").read_text("utf-8").splitlines()

    assert [line.split()[0] for line in listed] == listed  # datumaro, as VOC's own tools, reads up to a space
    assert [f"Annotations/{line}.xml" for line in listed] == [
        f"Annotations/{os.path.splitext(place.removeprefix('JPEGImages/'))[0]}.xml" for place in places
    ]
    assert set(annotations(tmp_path)) == {f"Annotations/{line}.xml" for line in listed}
    assert len(set(listed)) == len(HOSTILE)
    for text, item in zip(map((tmp_path / "Annotations").joinpath, listed), hostile(), strict=True):
        found = parsed(ElementTree.parse(f"{text}.xml").getroot())
        assert found["object"][0]["bndbox"]["xmin"] == str(item.faces[0].x)


@pytest.mark.slow
def test_labelformat_reads_it(tmp_path: Path) -> None:
    formats = pytest.importorskip("labelformat.formats")
    flat = [item for item in hostile() if "/" not in item.name]  # It looks into no folder below Annotations.
    export(
        Voc,
        plan_of(tmp_path),
        numbered([*two_photos()[:1], *flat]),
    )
    labels = formats.PascalVOCObjectDetectionInput(tmp_path / "Annotations", ",".join(CLASSES)).get_labels()
    found = {label.image.filename: label for label in labels}

    assert len(found) == 1 + len(flat)
    assert [(one.category.name, one.box.xmin, one.box.ymax) for one in found["0.jpg"].objects] == [
        ("happy", 20.0, 50.0),
        ("angry", 100.3, 60.0),
    ]
    assert sorted(label.objects[0].box.xmin for name, label in found.items() if name != "0.jpg") == sorted(
        item.faces[0].x or 0 for item in flat
    )
