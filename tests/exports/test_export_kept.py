"""The columns of a list that a table carries, in the exports that hold what is known of each picture."""

from __future__ import annotations

import io
import json
import tarfile
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet
import pytest
from export_items import CLASS_NAMES, crop, export, photo, plan_of
from export_items import face as face_of
from odd_rows import record_of

from labeler.exports.imagefolder import ImageFolder
from labeler.exports.item import Plan
from labeler.exports.parquet import Parquet
from labeler.exports.webdataset import WebDataset

KEPT = {"id": "007", "list_label": "x", "two words": ""}


def plan_with(out: Path, *, crops: bool) -> Plan:
    return plan_of(out, crops=crops, record=record_of(CLASS_NAMES, keep=("id", "label", "two words")))


@pytest.mark.parametrize("crops", [True, False])
@pytest.mark.parametrize("form", [Parquet, ImageFolder, WebDataset])
def test_a_picture_has_the_values_of_its_file(tmp_path: Path, form: type, crops: bool) -> None:
    own = crop(0) if crops else photo(0, face_of(), face_of(1, "sad"))
    item = replace(own, faces=tuple(face._replace(kept=("007", "x", "")) for face in own.faces))
    export(form, plan_with(tmp_path, crops=crops), [item])
    if form is Parquet:
        (found,) = pyarrow.parquet.read_table(tmp_path / "data" / "train-00000.parquet").to_pylist()
    elif form is ImageFolder:
        found = json.loads((tmp_path / "train" / "metadata.jsonl").read_text("utf-8"))
    else:
        with tarfile.open(tmp_path / "train-000000.tar") as tar:
            name = next(name for name in tar.getnames() if name.endswith(".json"))
            found = json.load(io.TextIOWrapper(tar.extractfile(name), "utf-8"))  # type: ignore[arg-type]

    assert {name: found[name] for name in KEPT} == KEPT
    assert found["label"] in {1, *CLASS_NAMES} or found["label"] == 0
