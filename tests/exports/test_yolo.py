"""Ultralytics' detection layout."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from box_items import CLASSES, HOSTILE, export, files, hostile, numbered, photo, plan_of, two_photos

from labeler.errors import LabelerError
from labeler.exports.item import Item
from labeler.exports.yolo import Yolo, data_yaml
from labeler.exports.yolo_classify import YoloClassify


def split(items: list[Item]) -> list[Item]:
    """Return the items, by turns to train and to validate."""
    return [replace(item, subset=("train", "val")[at % 2]) for at, item in enumerate(items)]


def test_what_stands_in_the_files(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, subsets=("train", "val"))
    places = export(Yolo, plan, [*two_photos(("train", "val")), photo(2, subset="train")])

    assert list(places) == ["images/train/0.jpg", "images/val/a/b.jpg", "images/train/2.jpg"]
    assert files(tmp_path) == {
        "labels/train/0.txt": b"1 0.226250 0.300000 0.252500 0.400000\n0 0.577250 0.300000 0.151500 0.600000\n",
        "labels/val/a/b.txt": b"0 0.800000 0.875000 0.400000 0.250000\n",
        "labels/train/2.txt": b"",
        "data.yaml": b'train: images/train\nval: images/val\nnc: 3\nnames:\n  0: "angry"\n  1: "happy"\n'
        b'  2: "sad & <blue>"\n',
    }


def test_a_set_that_is_not_split_validates_on_what_it_trains_on(tmp_path: Path) -> None:
    places = export(Yolo, plan_of(tmp_path), two_photos())

    assert list(places) == ["images/train/0.jpg", "images/train/a/b.jpg"]
    assert (tmp_path / "data.yaml").read_text().startswith("train: images/train\nval: images/train\n")


def test_each_picture_has_labels_of_its_own(tmp_path: Path) -> None:
    places = export(Yolo, plan_of(tmp_path), hostile())

    assert len({name for name in files(tmp_path) if name.startswith("labels/")}) == len(HOSTILE)
    assert all(place.count("/images/") == 0 for place in places)


@pytest.mark.parametrize("form", [Yolo, YoloClassify])
def test_pictures_that_stay_in_place_are_refused(form: Any, tmp_path: Path) -> None:
    with pytest.raises(LabelerError, match="--mode symlink"):
        form(plan_of(tmp_path, mode=None))


ODD_CLASSES = ("yes", "1", 'a "b": c # d', "{x}", "émoji 😀", "\ufeffbom\uffff", "- ~", "'")


def test_class_names_are_sound_yaml(tmp_path: Path) -> None:
    yaml = pytest.importorskip("yaml")
    plan = plan_of(tmp_path)
    text = data_yaml(replace(plan, record=replace(plan.record, class_names=ODD_CLASSES)))

    assert yaml.safe_load(text)["names"] == dict(enumerate(ODD_CLASSES))


def test_crops_lie_in_folders_by_class_whether_split_or_not(tmp_path: Path) -> None:
    item = two_photos()[0]
    form = YoloClassify(plan_of(tmp_path, crops=True))

    assert form.path(item) == "happy/0.jpg"
    assert form.path(replace(item, subset="val")) == "val/happy/0.jpg"


@pytest.mark.slow
def test_labelformat_reads_it(tmp_path: Path) -> None:
    formats = pytest.importorskip("labelformat.formats")
    plan = plan_of(tmp_path, subsets=("train", "val"))
    places = export(Yolo, plan, split(numbered([*two_photos(), *hostile()])), pictures=True)
    found = {}
    for subset in plan.subsets:
        labels = formats.YOLOv8ObjectDetectionInput(tmp_path / "data.yaml", subset).get_labels()
        found |= {f"images/{subset}/{label.image.filename}": label.objects for label in labels}

    read = {place: item for place, item in places.items() if Path(place).suffix}  # It leaves out what has no suffix.
    assert len(read) == len(HOSTILE)
    assert set(found) == set(read)
    for place, item in read.items():
        for one, face in zip(found[place], item.faces, strict=True):
            assert one.category.name == face.label
            assert (one.box.xmin, one.box.ymin) == pytest.approx((face.x, face.y), abs=0.001)
            assert one.box.xmax - one.box.xmin == pytest.approx(face.width, abs=0.001)


@pytest.mark.slow
def test_ultralytics_reads_it(tmp_path: Path) -> None:
    utils = pytest.importorskip("ultralytics.data.utils", reason="ultralytics is installed by hand: it needs PyTorch")
    dataset = pytest.importorskip("ultralytics.data.dataset")
    plan = plan_of(tmp_path, subsets=("train", "val"))
    places = export(Yolo, plan, split(numbered([*two_photos(), *hostile()])), pictures=True)
    about = utils.check_det_dataset(str(tmp_path / "data.yaml"))
    found = {}
    for subset in plan.subsets:
        for label in dataset.YOLODataset(img_path=about[subset], data=about, imgsz=64, augment=False).labels:
            found[str(Path(label["im_file"]).relative_to(tmp_path.resolve()))] = label

    read = {place: item for place, item in places.items() if Path(place).suffix}  # It leaves out what has no suffix.
    assert about["names"] == dict(enumerate(CLASSES))
    assert len(read) == len(HOSTILE)
    assert set(found) == set(read)
    for place, item in read.items():
        label = found[place]
        numbers = [CLASSES.index(face.label) for face in item.faces]
        assert sorted(label["cls"].ravel().tolist()) == sorted(numbers)
        assert sorted((label["bboxes"][:, 2] * item.width).tolist()) == pytest.approx(
            sorted(face.width or 0 for face in item.faces), abs=0.001
        )
