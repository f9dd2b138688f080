"""Croissant: the description of an export, or of a table in place."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from dataclasses import replace
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import odd_rows
import pytest
from export_items import CLASS_NAMES, crop, export, face, files, photo, plan_of

from labeler.exports import croissant
from labeler.exports.card import Counts
from labeler.exports.formats import FORMATS
from labeler.exports.item import Item, Plan
from labeler.tables import reader

Node = dict[str, Any]

TEXTS = [row.file for row in odd_rows.rows()]


def exported(
    tmp_path: Path, form: str, *, crops: bool, subsets: tuple[str, ...] = ("train", "val"), **changes: object
) -> Plan:
    """Export six pictures, and describe them."""
    plan = plan_of(tmp_path / "out", format=form, crops=crops, subsets=subsets, **changes)
    items = [crop(at) if crops else photo(at, face(0, "sad"), face(1, "happy", x=5.0)) for at in range(6)]
    items = [replace(item, subset=subsets[item.number % 2] if subsets else "") for item in items]
    export(FORMATS[form], plan, items)
    croissant.write(plan, counted(items))
    return plan


def described(tmp_path: Path, name: str) -> Plan:
    """Describe a table with odd names in place."""
    table = tmp_path / "tables" / name
    table.parent.mkdir()
    odd_rows.write_finished(table, odd_rows.record_of(CLASS_NAMES[:2]), odd_rows.rows())
    plan = plan_of(tmp_path / "out", table=table, record=odd_rows.record_of(CLASS_NAMES[:2]), format="croissant")
    export(FORMATS["croissant"], plan, [photo(0, face())])
    croissant.write(plan, Counts())
    return plan


def counted(items: list[Item]) -> Counts:
    counts = Counts()
    for item in items:
        counts.add(item)
    return counts


def document(plan: Plan) -> Node:
    found: Node = json.loads((plan.out / "croissant.json").read_text("utf-8"))
    return found


def by_id(nodes: list[Node]) -> dict[str, Node]:
    found = {node["@id"]: node for node in nodes}
    assert len(found) == len(nodes)
    return found


@pytest.mark.parametrize("crops", [True, False])
@pytest.mark.parametrize("form", ["imagefolder", "parquet", "webdataset", "yolo-cls"])
def test_each_field_comes_from_a_file_that_is_there(tmp_path: Path, form: str, crops: bool) -> None:
    plan = exported(tmp_path, form, crops=crops)
    found = document(plan)
    files, records = by_id(found["distribution"]), by_id(found["recordSet"])
    fields = [field for record in records.values() for field in record["field"] if "source" in field]

    assert {*files} & {*records} == set()
    sources = [field["source"].get("fileSet") or field["source"]["fileObject"] for field in fields]
    assert {source["@id"] for source in sources} <= {*files}
    assert len(by_id(fields)) >= 4
    for file in files.values():
        if file["@type"] == "cr:FileObject":
            content = (plan.out / file["contentUrl"]).read_bytes()
            assert (file["sha256"], file["contentSize"]) == (hashlib.sha256(content).hexdigest(), f"{len(content)} B")
        elif "containedIn" not in file:
            assert [path for pattern in file["includes"] for path in plan.out.rglob(pattern.rpartition("/")[2])] != []


@pytest.mark.parametrize("subsets", [(), ("train", "val")])
@pytest.mark.parametrize("form", sorted(FORMATS.keys() - {"croissant"}))
def test_every_file_of_an_export_is_described(tmp_path: Path, form: str, subsets: tuple[str, ...]) -> None:
    plan = exported(tmp_path, form, crops=FORMATS[form].crops, subsets=subsets)
    nodes = by_id(document(plan)["distribution"]).values()
    named = {node["contentUrl"] for node in nodes if "contentUrl" in node}
    patterns = [pattern for node in nodes if "containedIn" not in node for pattern in node.get("includes", ())]
    others = files(plan.out).keys() - named - {"croissant.json"}

    assert [name for name in others if not any(fnmatch(name, pattern) for pattern in patterns)] == []
    assert named or patterns


def test_the_places_of_photos_that_stay_are_described(tmp_path: Path) -> None:
    plan = exported(tmp_path, "fiftyone", crops=False, mode=None)

    assert {"train/data.json", "val/labels.json"} <= {*by_id(document(plan)["distribution"])}


@pytest.mark.parametrize("form", ["imagefolder", "webdataset", "yolo-cls"])
def test_crops_may_be_photos_that_are_taken_whole(tmp_path: Path, form: str) -> None:
    plan = plan_of(tmp_path / "out", format=form, suffix=".png")
    export(FORMATS[form], plan, [photo(0, face())])
    croissant.write(plan, counted([photo(0, face())]))
    kinds = [node["encodingFormat"] for node in document(plan)["distribution"] if "picture" in node["@id"]]

    assert kinds == [["image/jpeg", "image/png", "image/webp"]]


def test_it_says_what_the_data_set_is(tmp_path: Path) -> None:
    found = document(exported(tmp_path, "imagefolder", crops=True))

    assert (found["name"], found["conformsTo"]) == ("t", "http://mlcommons.org/croissant/1.1")
    assert found["description"].startswith("6 face crops, labelled with one of 3 classes")
    assert found["recordSet"][0]["data"] == [
        {"classes/number": 0, "classes/name": "angry"},
        {"classes/number": 1, "classes/name": "happy"},
        {"classes/number": 2, "classes/name": "sad"},
    ]


@pytest.mark.parametrize(
    ("name", "kind"),
    [("my table.csv", "text/csv"), ("t.jsonl", "application/jsonlines"), ("t.parquet", "application/x-parquet")],
)
def test_a_table_is_described_where_it_lies(tmp_path: Path, name: str, kind: str) -> None:
    plan = described(tmp_path, name)
    found = document(plan)
    (file,) = found["distribution"]
    faces = by_id(found["recordSet"])["faces"]

    assert os.listdir(plan.out) == ["croissant.json"]
    assert (file["contentUrl"], file["encodingFormat"]) == (f"../tables/{name}", kind)
    assert file["sha256"] == hashlib.sha256(plan.table.read_bytes()).hexdigest()
    assert [field["source"]["extract"]["column"] for field in faces["field"]] == list(reader.columns(plan.table))
    assert {field["name"]: field["dataType"] for field in faces["field"]} | {"happy": "sc:Float"} == {
        **dict.fromkeys(reader.columns(plan.table), "sc:Float"),
        **dict.fromkeys(("file", "label", "version", "status", "reason"), "sc:Text"),
        **dict.fromkeys(("face", "image_width", "image_height"), "sc:Integer"),
    }


def test_the_annotations_of_other_formats_are_files(tmp_path: Path) -> None:
    plan = plan_of(tmp_path / "out", format="coco")
    others = ("README.md", ".hidden.json", "labeler-export.json")
    for name in ("annotations/train.json", "labels/a.txt", "data.yaml", *others):
        (plan.out / name).parent.mkdir(parents=True, exist_ok=True)
        (plan.out / name).write_text("{}")
    croissant.write(plan, Counts())
    croissant.write(plan, Counts())
    described = by_id(document(plan)["distribution"])

    assert set(described) == {"annotations/train.json", "data.yaml", "labels", "picture-files"}
    assert described["annotations/train.json"]["name"] == "train.json"
    assert "picture-files" not in by_id(croissant.document(replace(plan, mode=None), Counts())["distribution"])


SCRIPT = """
import json, sys
import mlcroissant
found = mlcroissant.Dataset(sys.argv[1])
def plain(value):
    return value.decode() if isinstance(value, bytes) else list(value.size) if hasattr(value, "size") else value
print(json.dumps({
    records.id: [json.loads(json.dumps(one, default=plain)) for one in found.records(records.id)]
    for records in found.metadata.record_sets
}))
"""


def read_back(plan: Plan, cache: Path) -> dict[str, list[Node]]:
    """Return all records, and check that the description is valid.

    In a process of its own: `mlcroissant` keeps what it unpacks in the home folder, by the archive's relative name.
    """
    environment = {**os.environ, "CROISSANT_CACHE": str(cache)}
    path = str(plan.out / "croissant.json")
    answer = subprocess.run(
        [sys.executable, "-c", SCRIPT, path], capture_output=True, text=True, env=environment, check=False
    )
    assert answer.returncode == 0, answer.stderr
    found: dict[str, list[Node]] = json.loads(answer.stdout)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("crops", [True, False])
@pytest.mark.parametrize("form", ["imagefolder", "parquet", "webdataset", "yolo-cls"])
def test_mlcroissant_reads_an_export(tmp_path: Path, form: str, crops: bool) -> None:
    pytest.importorskip("mlcroissant")
    plan = exported(tmp_path, form, crops=crops)
    found = read_back(plan, tmp_path / "cache")

    assert [record["classes/name"] for record in found["classes"]] == list(CLASS_NAMES)
    if form == "yolo-cls":
        labels = CLASS_NAMES if crops else ["sad"]
        assert sorted({record["pictures/label"] for record in found["pictures"]}) == sorted(labels)
        assert {record["pictures/subset"] for record in found["pictures"]} == {"train", "val"}
        return
    assert [len(found[subset]) for subset in plan.subsets] == [3, 3]
    first = found["train"][0]
    if form == "webdataset":
        assert first == {"train/key": "000000000", "train/image": [8, 8]}
        return
    known: Node = {
        "train/file": "photos/0.png",
        "train/width": 8,
        "train/height": 8,
        "train/face": 1,
        "train/score": 0.75,
    }
    label, name = (0, "angry") if crops else (2, "sad")
    if not crops:
        boxes = [[1.0, 2.0, 3.5, 4.0], [5.0, 2.0, 3.5, 4.0]]
        categories = [2, 1] if form == "parquet" else ["sad", "happy"]
        known = {"train/file": "0.jpg", "train/width": 8, "train/height": 8, "train/bbox": boxes}
        known |= {"train/categories": categories, "train/scores": [0.75, 0.75]}
    if form == "parquet":
        assert first == known | {"train/image": [8, 8], "train/label": label, "train/label_name": name}
    else:
        assert first == known | {"train/file_name": "angry/0.png" if crops else "0.jpg", "train/label": name}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["my table.csv", "t.jsonl", "t.parquet"])
def test_mlcroissant_reads_a_table_in_place(tmp_path: Path, name: str) -> None:
    pytest.importorskip("mlcroissant")
    faces = read_back(described(tmp_path, name), tmp_path / "cache")["faces"]

    assert len(faces) == len(TEXTS)
    (plain,) = [record for record in faces if record["faces/file"] == "plain.jpg"]
    shown = {column: plain[f"faces/{column}"] for column in ("face", "x", "label", "score", "probability-0")}
    assert shown == {"face": 0, "x": 1.0, "label": "happy", "score": 0.75, "probability-0": 0.25}
    (bad,) = [record for record in faces if record["faces/status"] == "unreadable"]
    assert (bad["faces/face"], bad["faces/label"] or None) == (None, None)


@pytest.mark.slow
def test_mlcroissant_reads_folders_of_classes_that_are_not_split(tmp_path: Path) -> None:
    pytest.importorskip("mlcroissant")
    plan = exported(tmp_path, "yolo-cls", crops=True, subsets=())
    found = read_back(plan, tmp_path / "cache")["pictures"]

    assert sorted(record["pictures/label"] for record in found) == sorted([*CLASS_NAMES, *CLASS_NAMES])
    assert {*found[0]} == {"pictures/path", "pictures/label", "pictures/image"}


@pytest.mark.slow
@pytest.mark.parametrize("form", ["coco", "cvat", "fiftyone", "label-studio", "voc", "yolo"])
def test_mlcroissant_takes_the_description_of_another_format(tmp_path: Path, form: str) -> None:
    pytest.importorskip("mlcroissant")
    plan = exported(tmp_path, form, crops=False)

    assert [record["classes/number"] for record in read_back(plan, tmp_path / "cache")["classes"]] == [0, 1, 2]
