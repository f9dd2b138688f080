"""Label Studio."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any
from urllib.parse import unquote_to_bytes
from xml.etree import ElementTree

import pytest
from box_items import CLASSES, HOSTILE, export, face, failing, files, hostile, numbered, photo, plan_of, two_photos

from labeler.errors import LabelerError
from labeler.exports.label_studio import LabelStudio
from labeler.records import Mode

ADDRESS = "/data/local-files/?d="


def tasks(folder: Path, number: int = 1) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((folder / f"tasks-{number:05}.json").read_text("ascii"))
    return found


def place(task: dict[str, Any]) -> str:
    """Return where Label Studio looks for the picture, relative to its document root."""
    address = task["data"]["image"]
    assert address.startswith(ADDRESS)
    return os.fsdecode(unquote_to_bytes(address.removeprefix(ADDRESS)))


def test_what_stands_in_the_files(tmp_path: Path) -> None:
    out = tmp_path / "out"
    places = export(LabelStudio, plan_of(out), two_photos())
    first, second = tasks(out)

    assert set(files(out)) == {"config.xml", "IMPORT.txt", "tasks-00001.json"}
    assert first["data"] == {"image": f"{ADDRESS}images/0.jpg", "file": "0.jpg"}
    (prediction,) = first["predictions"]
    assert (prediction["model_version"], prediction["score"]) == ("m aaaaaaaaaaaa", 0.5)
    assert prediction["result"][0] == {
        "id": "face0",
        "from_name": "label",
        "to_name": "image",
        "type": "rectanglelabels",
        "original_width": 200,
        "original_height": 100,
        "image_rotation": 0,
        "value": {
            "x": 10.0,
            "y": 10.0,
            "width": 25.25,
            "height": 40.0,
            "rotation": 0,
            "rectanglelabels": ["happy"],
        },
        "score": 0.75,
    }
    assert [one["value"]["rectanglelabels"] for one in prediction["result"]] == [["happy"], ["angry"]]
    value = second["predictions"][0]["result"][0]["value"]
    assert [value[side] for side in ("x", "y", "width", "height")] == [60.0, 75.0, 40.0, 25.0]
    assert [place(task) for task in (first, second)] == list(places)


def test_the_configuration_has_the_classes(tmp_path: Path) -> None:
    export(LabelStudio, plan_of(tmp_path), two_photos())
    root = ElementTree.parse(tmp_path / "config.xml").getroot()

    assert [label.get("value") for label in root.iter("Label")] == list(CLASSES)
    assert (root.find("RectangleLabels").get("toName"), root.find("Image").get("value")) == ("image", "$image")  # type: ignore[union-attr]


def test_a_picture_without_faces_has_an_empty_prediction(tmp_path: Path) -> None:
    export(LabelStudio, plan_of(tmp_path), [photo(0)])

    assert tasks(tmp_path)[0]["predictions"] == [{"model_version": "m aaaaaaaaaaaa", "result": []}]


def test_tasks_are_spread_over_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LabelStudio, "most_tasks", 2)
    export(LabelStudio, plan_of(tmp_path), [photo(at, face("happy", 1.0, 1.0, 2.0, 2.0)) for at in range(4)])

    assert [[task["data"]["file"] for task in tasks(tmp_path, number)] for number in (1, 2)] == [
        ["0.jpg", "1.jpg"],
        ["2.jpg", "3.jpg"],
    ]
    assert not (tmp_path / "tasks-00003.json").exists()


def test_an_export_of_nothing_is_an_empty_list(tmp_path: Path) -> None:
    export(LabelStudio, plan_of(tmp_path), [])

    assert tasks(tmp_path) == []


def test_a_run_that_fails_leaves_only_complete_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LabelStudio, "most_tasks", 1)
    with pytest.raises(ZeroDivisionError):
        export(LabelStudio, plan_of(tmp_path), failing())

    assert set(files(tmp_path)) == {"tasks-00001.json"}
    assert len(tasks(tmp_path)) == 1


def advised(folder: Path) -> tuple[str, str]:
    """Return the document root and the storage's path that the advice names."""
    lines = (folder / "IMPORT.txt").read_text().splitlines()
    root = next(line.partition("=")[2] for line in lines if "DOCUMENT_ROOT=" in line)
    return root, lines[
        lines.index(
            '3. In its settings, add a source storage "Local files" with this absolute path, and do not synchronise it:'
        )
        + 2
    ]


@pytest.mark.parametrize("subsets", [(), ("train", "val")])
def test_the_advised_settings_serve_the_pictures(subsets: Any, tmp_path: Path) -> None:
    out = tmp_path / "out"
    export(LabelStudio, plan_of(out, subsets=subsets), two_photos(subsets or ("", "")), pictures=True)

    served(out, 2)


def test_the_advised_settings_serve_photos_in_place(tmp_path: Path) -> None:
    photos = tmp_path / "my photos"
    for item in hostile():
        target = photos / item.file
        target.parent.mkdir(parents=True, exist_ok=True)
        target.touch()
    export(LabelStudio, plan_of(tmp_path / "out", mode=None, root=str(photos)), hostile())

    served(tmp_path / "out", len(HOSTILE))


def served(out: Path, count: int) -> None:
    """Check what Label Studio checks: `io_storages/localfiles`, `validate_connection` and `localfiles_data`."""
    root, storage = advised(out)
    root = root.strip("'")
    assert Path(root) in Path(storage).parents
    for task in tasks(out):
        full = os.path.join(root, place(task))
        assert os.path.dirname(full).startswith(storage)
        assert os.path.exists(full)
    assert len({place(task) for task in tasks(out)}) == count


def test_absolute_names_lead_below_the_root_or_are_refused(tmp_path: Path) -> None:
    inside, outside = (photo(0, name=name) for name in (f"{tmp_path}/photos/a.jpg", "/elsewhere/a.jpg"))
    plan = plan_of(tmp_path / "out", mode=None, root=str(tmp_path / "photos"))
    export(LabelStudio, plan, [inside])

    assert place(tasks(tmp_path / "out")[0]) == "photos/a.jpg"
    with pytest.raises(LabelerError, match="--mode copy"):
        export(LabelStudio, plan, [outside])


@pytest.mark.slow
@pytest.mark.parametrize("mode", [Mode.COPY, None])
def test_the_sdk_accepts_tasks_and_finds_the_pictures(mode: Mode | None, tmp_path: Path) -> None:
    interface = pytest.importorskip("label_studio_sdk.label_interface").LabelInterface
    io = pytest.importorskip("label_studio_sdk._extensions.label_studio_tools.core.utils.io")
    out = tmp_path / "out"
    items = numbered([*two_photos(), *hostile()])
    places = export(LabelStudio, plan_of(out, mode=mode), items, pictures=mode is not None)
    read = interface((out / "config.xml").read_text())
    io.LOCAL_FILES_DOCUMENT_ROOT = "/" if mode is None else str(out)  # It is the environment variable, read at import.

    for task, where in zip(tasks(out), places, strict=True):
        assert read.validate_prediction(task["predictions"][0], return_errors=True) == []
        if mode is not None:
            assert io.resolve_local_storage_file(task["data"]["image"]) == str(out / where)


@pytest.mark.slow
def test_the_converter_makes_coco_of_it(tmp_path: Path) -> None:
    converter = pytest.importorskip("label_studio_sdk.converter").Converter
    out = tmp_path / "out"
    export(LabelStudio, plan_of(out), two_photos(), pictures=True)
    accepted = [
        {"id": at, "data": task["data"], "annotations": task["predictions"]} for at, task in enumerate(tasks(out))
    ]
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "accepted.json").write_text(json.dumps(accepted))
    made = converter(config=str(out / "config.xml"), project_dir=None, download_resources=False)
    made.convert_to_coco(str(tmp_path / "in"), str(tmp_path / "coco"))
    found = json.loads((tmp_path / "coco" / "result.json").read_text())

    names = {one["id"]: one["name"] for one in found["categories"]}
    assert [names[one["category_id"]] for one in found["annotations"]] == ["happy", "angry", "angry"]
    assert found["annotations"][2]["bbox"] == pytest.approx([60.0, 150.0, 40.0, 50.0])
    assert [(one["width"], one["height"]) for one in found["images"]] == [(200, 100), (100, 200)]
