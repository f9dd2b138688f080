"""Hugging Face's ImageFolder: folders of pictures with metadata.jsonl."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from export_items import CLASS_NAMES, HOSTILE, colour, crop, export, face, files, photo, picture, plan_of

from labeler.errors import LabelerError, OutputError
from labeler.exports import formats
from labeler.exports.imagefolder import ImageFolder


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").split("\n")[:-1]]


def test_crops_lie_in_folders_by_class(tmp_path: Path) -> None:
    export(ImageFolder, plan_of(tmp_path / "out"), [crop(0), crop(1, "a/b.png")])
    found = files(tmp_path / "out")

    metadata = found.pop("train/metadata.jsonl").decode()
    assert found == {"train/angry/0.png": picture(0), "train/happy/a/b.png": picture(1)}
    assert [json.loads(line) for line in metadata.splitlines()] == [
        {"file_name": "angry/0.png", "file": "photos/0.png", "label": "angry", "width": 8, "height": 8}
        | {"face": 1, "score": 0.75},
        {"file_name": "happy/a/b.png", "file": "photos/a/b.png", "label": "happy", "width": 8, "height": 8}
        | {"face": 1, "score": 0.75},
    ]


def test_a_photo_has_the_boxes_of_its_faces(tmp_path: Path) -> None:
    plan = plan_of(tmp_path / "out", crops=False, subsets=("train", "val"))
    export(ImageFolder, plan, [photo(0, face(), subset="train"), photo(1, face(0, "sad"), face(1), subset="val")])

    assert set(files(plan.out)) == {"train/0.jpg", "train/metadata.jsonl", "val/1.jpg", "val/metadata.jsonl"}
    assert lines(plan.out / "val" / "metadata.jsonl") == [
        {
            "file_name": "1.jpg",
            "file": "1.jpg",
            "label": "sad",
            "width": 8,
            "height": 8,
            "objects": {
                "bbox": [[1.0, 2.0, 3.5, 4.0], [1.0, 2.0, 3.5, 4.0]],
                "categories": ["sad", "happy"],
                "scores": [0.75, 0.75],
            },
        }
    ]


def test_names_that_datasets_does_not_find_get_a_hash(tmp_path: Path) -> None:
    opened = ImageFolder(plan_of(tmp_path))
    paths = [opened.path(crop(0, name)) for name in HOSTILE]

    assert len({path.casefold() for path in paths}) == len(HOSTILE) - 1  # `a/plain` and `A/Plain` are two names here.
    assert [path.removeprefix("train/angry/") for path in paths[:5]] == HOSTILE[:5]
    assert paths[7].startswith("train/angry/back_slash.jpg-")
    assert paths[7].endswith(".jpg")
    assert [part for path in paths for part in path.split("/") if part.startswith((".", "__"))] == []
    assert "\\" not in "".join(paths)
    assert "".join(paths).encode()


def test_metadata_is_not_there_when_the_export_fails(tmp_path: Path) -> None:
    plan = plan_of(tmp_path / "out")
    with pytest.raises(KeyError):
        export(ImageFolder, plan, [crop(0), crop(1, subset="unknown")])

    assert "train/metadata.jsonl" not in files(plan.out)


def test_a_folder_that_cannot_be_written_stops_the_export(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file")

    with pytest.raises(OutputError, match="cannot write"):
        export(ImageFolder, plan_of(tmp_path / "out"), [])


def test_pictures_that_stay_in_place_are_refused(tmp_path: Path) -> None:
    with pytest.raises(LabelerError, match="Use --mode symlink, or --to parquet"):
        ImageFolder(plan_of(tmp_path / "out", mode=None))


def test_more_than_100_000_pictures_become_parquet() -> None:
    assert formats.suited("imagefolder", 100_000) == "imagefolder"
    assert formats.suited("imagefolder", 100_001) == "parquet"
    assert formats.suited("webdataset", 10**9) == "webdataset"


def test_datasets_reads_crops(tmp_path: Path) -> None:
    library = pytest.importorskip("datasets")
    plan = plan_of(tmp_path / "out", subsets=("train", "val"))
    export(ImageFolder, plan, [crop(at, subset=plan.subsets[at % 2]) for at in range(8)])
    found = library.load_dataset(str(plan.out), cache_dir=str(tmp_path / "cache"))

    assert set(found) == {"train", "validation"}
    assert [(colour(row["image"]), row["label"]) for row in found["train"]] == [
        (at, CLASS_NAMES[at % 3]) for at in range(0, 8, 2)
    ]


@pytest.mark.parametrize("crops", [True, False])
def test_datasets_finds_pictures_with_hostile_names(tmp_path: Path, crops: bool) -> None:
    """A split is found by the names of folders, unless it is said where the files lie, as the card does."""
    library = pytest.importorskip("datasets")
    plan = plan_of(tmp_path / "out", crops=crops)
    make = crop if crops else lambda at, name: photo(at, face(), name=name, form="PNG")
    export(ImageFolder, plan, [make(at, name) for at, name in enumerate(HOSTILE)])
    found = library.load_dataset(
        "imagefolder", data_files={"train": f"{plan.out}/train/**"}, split="train", cache_dir=str(tmp_path / "cache")
    )

    assert [colour(row["image"]) for row in found] == list(range(len(HOSTILE)))
    assert len({row["file"] for row in found}) == len(HOSTILE)
    if not crops:
        assert found[0]["objects"] == {"bbox": [[1.0, 2.0, 3.5, 4.0]], "categories": ["happy"], "scores": [0.75]}
