"""COCO's detection format."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from box_items import HOSTILE, export, face, files, hostile, numbered, photo, plan_of, two_photos

from labeler.exports.coco import Coco

WHOLE = "annotations/instances_default.json"


def read(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text("ascii"))
    return found


def test_what_stands_in_the_file(tmp_path: Path) -> None:
    places = export(Coco, plan_of(tmp_path / "out"), two_photos())

    assert list(places) == ["images/0.jpg", "images/a/b.jpg"]
    assert set(files(tmp_path / "out")) == {WHOLE}
    assert read(tmp_path / "out" / WHOLE) == {
        "info": {"description": "faces labelled by labeler 1 with the model m"},
        "licenses": [],
        "categories": [
            {"id": 1, "name": "angry"},
            {"id": 2, "name": "happy"},
            {"id": 3, "name": "sad & <blue>"},
        ],
        "images": [
            {"id": 1, "file_name": "0.jpg", "width": 200, "height": 100},
            {"id": 2, "file_name": "a/b.jpg", "width": 100, "height": 200},
        ],
        "annotations": [
            {
                "id": 1,
                "image_id": 1,
                "category_id": 2,
                "bbox": [20.0, 10.0, 50.5, 40.0],
                "area": 2020.0,
                "iscrowd": 0,
                "score": 0.75,
            },
            {
                "id": 2,
                "image_id": 1,
                "category_id": 1,
                "bbox": [100.3, 0.0, 30.3, 60.0],
                "area": 1818.0,
                "iscrowd": 0,
                "score": 0.5,
            },
            {
                "id": 3,
                "image_id": 2,
                "category_id": 1,
                "bbox": [60.0, 150.0, 40.0, 50.0],
                "area": 2000.0,
                "iscrowd": 0,
                "score": 0.25,
            },
        ],
    }


def test_each_subset_has_its_file_and_folder(tmp_path: Path) -> None:
    out = tmp_path / "out"
    places = export(Coco, plan_of(out, subsets=("train", "val", "test")), two_photos(("val", "train")))

    assert list(places) == ["images/val/0.jpg", "images/train/a/b.jpg"]
    found = {name: read(out / "annotations" / f"instances_{name}.json") for name in ("train", "val", "test")}
    assert {name: [image["file_name"] for image in one["images"]] for name, one in found.items()} == {
        "train": ["a/b.jpg"],
        "val": ["0.jpg"],
        "test": [],
    }
    assert [(one["id"], one["image_id"]) for one in found["val"]["annotations"]] == [(1, 1), (2, 1)]
    assert [(one["id"], one["image_id"]) for one in found["train"]["annotations"]] == [(1, 2)]


def test_a_face_that_a_person_labelled_has_no_score(tmp_path: Path) -> None:
    export(Coco, plan_of(tmp_path), [photo(0, face("happy", 1.0, 2.0, 3.0, 4.0, None))])

    assert "score" not in read(tmp_path / WHOLE)["annotations"][0]


def test_hostile_names_stay_distinct_and_say_their_photo(tmp_path: Path) -> None:
    export(Coco, plan_of(tmp_path), hostile())
    images = read(tmp_path / WHOLE)["images"]

    assert len({image["file_name"] for image in images}) == len(HOSTILE)
    assert images[0] == {"id": 1, "file_name": "a/plain.jpg", "width": 200, "height": 100}
    assert images[14]["source_file"] == "not utf-8 \\xff.jpg"


def test_photos_in_place_keep_their_names_exactly(tmp_path: Path) -> None:
    export(Coco, plan_of(tmp_path, mode=None), hostile())
    found = read(tmp_path / WHOLE)

    assert [image["file_name"] for image in found["images"]] == HOSTILE
    assert os.fsencode(found["images"][14]["file_name"]) == b"not utf-8 \xff.jpg"
    assert found["info"]["root"] == "/photos"


@pytest.mark.slow
def test_pycocotools_finds_what_it_compares_with_itself(tmp_path: Path) -> None:
    coco = pytest.importorskip("pycocotools.coco")
    evaluation = pytest.importorskip("pycocotools.cocoeval")
    export(Coco, plan_of(tmp_path), numbered([*two_photos(), *hostile()]))
    truth = coco.COCO(str(tmp_path / WHOLE))
    found = truth.loadRes(list(truth.anns.values()))
    compared = evaluation.COCOeval(truth, found, "bbox")
    compared.evaluate()
    compared.accumulate()
    compared.summarize()

    assert len(truth.anns) == 3 + len(HOSTILE)
    assert truth.loadImgs(truth.getImgIds(catIds=truth.getCatIds(["happy"])))[0]["file_name"] == "0.jpg"
    assert compared.stats[0] == 1.0


@pytest.mark.slow
def test_labelformat_reads_it(tmp_path: Path) -> None:
    formats = pytest.importorskip("labelformat.formats")
    export(Coco, plan_of(tmp_path), two_photos())
    first, second = formats.COCOObjectDetectionInput(tmp_path / WHOLE).get_labels()

    assert [(one.category.name, one.confidence) for one in first.objects] == [("happy", 0.75), ("angry", 0.5)]
    assert (second.image.filename, second.image.width, second.image.height) == ("a/b.jpg", 100, 200)
    box = second.objects[0].box
    assert (box.xmin, box.ymin, box.xmax, box.ymax) == (60.0, 150.0, 100.0, 200.0)
