"""FiftyOne's `FiftyOneImageDetectionDataset` and `ImageClassificationDirectoryTree`.

FiftyOne wants a database, which its wheels do not bring, and an older OpenCV. Its importers run without the former, and
in an environment of their own: see the last tests. The others check the same by what the importers do:
`fiftyone/utils/data/importers.py`, `FiftyOneImageDetectionDatasetImporter.setup` and `_load_data_map`,
`ImageClassificationDirectoryTreeImporter.setup`; `parsers.py`, `FiftyOneImageDetectionSampleParser`.
"""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from box_items import CLASSES, HOSTILE, export, files, hostile, photo, plan_of, two_photos
from conftest import ROOT

from labeler.exports.fiftyone import FiftyOne


def imported(folder: Path) -> dict[str, list[Any]]:
    """Return the detections by the picture's path, as FiftyOne's importer joins them."""
    labels = json.loads((folder / "labels.json").read_text("ascii"))
    if (folder / "data.json").exists():
        listed = json.loads((folder / "data.json").read_text("ascii"))
    else:
        listed = {name: str(folder / "data" / name) for name in files(folder / "data")}
    paths = {os.path.splitext(name)[0].replace("\\", "/"): path for name, path in listed.items()}
    assert len(paths) == len(listed)
    return {
        paths[name]: [(labels["classes"][one["label"]], one["bounding_box"], one.get("confidence")) for one in found]
        for name, found in labels["labels"].items()
    }


def test_what_stands_in_the_file(tmp_path: Path) -> None:
    places = export(FiftyOne, plan_of(tmp_path), two_photos())

    assert list(places) == ["data/0.jpg", "data/a/b.jpg"]
    assert json.loads(files(tmp_path)["labels.json"]) == {
        "classes": list(CLASSES),
        "labels": {
            "0": [
                {"label": 1, "bounding_box": [0.1, 0.1, 0.2525, 0.4], "confidence": 0.75},
                {"label": 0, "bounding_box": [0.5015, 0.0, 0.1515, 0.6], "confidence": 0.5},
            ],
            "a/b": [{"label": 0, "bounding_box": [0.6, 0.75, 0.4, 0.25], "confidence": 0.25}],
        },
    }


def test_each_subset_is_a_data_set(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, subsets=("train", "val"))
    export(FiftyOne, plan, [*two_photos(("train", "val")), photo(2, subset="val")], pictures=True)

    assert list(imported(tmp_path / "train")) == [str(tmp_path / "train/data/0.jpg")]
    assert list(imported(tmp_path / "val").values()) == [[("angry", [0.6, 0.75, 0.4, 0.25], 0.25)], []]


def test_hostile_names_are_joined_with_their_faces(tmp_path: Path) -> None:
    places = export(FiftyOne, plan_of(tmp_path), hostile(), pictures=True)
    found = imported(tmp_path)

    assert len(found) == len(HOSTILE)
    for place, item in places.items():
        assert found[str(tmp_path / place)][0][1][0] == pytest.approx((item.faces[0].x or 0) / 200, abs=1e-6)


def test_photos_in_place_are_found_by_their_paths(tmp_path: Path) -> None:
    export(FiftyOne, plan_of(tmp_path, mode=None), hostile())

    assert list(imported(tmp_path)) == [f"/photos/{name}" for name in HOSTILE]


def test_crops_lie_in_folders_by_class(tmp_path: Path) -> None:
    items = [replace(item, subset="val") for item in two_photos()]
    places = export(FiftyOne, plan_of(tmp_path, crops=True, subsets=("train", "val")), items)

    assert list(places) == ["val/happy/0.jpg", "val/angry/a/b.jpg"]
    assert files(tmp_path) == {}


PYTHON = ROOT / ".venv-fiftyone" / "bin" / "python"


def read_by_fiftyone(folder: Path, *options: str) -> dict[str, Any]:
    """Return what FiftyOne's importer finds, by the path of each picture below the folder."""
    if not PYTHON.exists():
        pytest.skip("could not import fiftyone: `make test-libraries` installs it")
    command = [PYTHON, ROOT / "tests" / "fiftyone_importer.py", folder, *options]
    environment = {"HOME": str(folder), "PATH": os.environ["PATH"]}
    answer = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(answer.stdout.splitlines()[-1])
    return found


@pytest.mark.slow
def test_fiftyone_reads_each_photo_with_its_faces(tmp_path: Path) -> None:
    export(FiftyOne, plan_of(tmp_path), two_photos(), pictures=True)

    assert read_by_fiftyone(tmp_path, "photos") == {
        "data/0.jpg": [["happy", [0.1, 0.1, 0.2525, 0.4], 0.75], ["angry", [0.5015, 0.0, 0.1515, 0.6], 0.5]],
        "data/a/b.jpg": [["angry", [0.6, 0.75, 0.4, 0.25], 0.25]],
    }


@pytest.mark.slow
def test_fiftyone_finds_hostile_names_and_photos_in_place(tmp_path: Path) -> None:
    places = export(FiftyOne, plan_of(tmp_path / "copied"), hostile(), pictures=True)
    export(FiftyOne, plan_of(tmp_path / "in_place", mode=None), hostile())
    copied = read_by_fiftyone(tmp_path / "copied", "photos")
    in_place = read_by_fiftyone(tmp_path / "in_place", "photos", "data.json")

    assert copied.keys() == places.keys()
    root = os.path.relpath("/photos", tmp_path / "in_place")
    # FiftyOne takes a backslash for a slash: such a photo is found when it is copied, and not where it lies.
    assert {os.path.relpath(path, root) for path in in_place} == {name.replace("\\", "/") for name in HOSTILE}
    assert None not in [*copied.values(), *in_place.values()]


@pytest.mark.slow
def test_fiftyone_takes_the_folder_of_a_crop_for_its_class(tmp_path: Path) -> None:
    export(FiftyOne, plan_of(tmp_path, crops=True), two_photos(), pictures=True)

    assert read_by_fiftyone(tmp_path, "crops") == {"happy/0.jpg": "happy", "angry/a/b.jpg": "angry"}
