"""Rows of files whose names are hard to write into a table."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from labeler.records import SCHEMA_VERSION, Face, Row, Status
from labeler.tables.run_record import RunRecord
from labeler.tables.writer import TableWriter

NAMES = ("angry", "happy")
ODD_NAMES = [
    "plain.jpg",
    'with space, comma and "quotes".jpg',
    "two\nlines.jpg",
    "carriage\rreturn.jpg",
    "émoji 😀.jpg",
    "back\\slash.jpg",
    "looks\\xfflike.jpg",
    os.fsdecode(b"not utf-8 \xff\xfe.jpg"),
    os.fsdecode(b"both \\xff and \xff.jpg"),
    "NA",
    "007",
    "=HYPERLINK(1).jpg",
    "@a.jpg",
    "-rf.jpg",
    "+1.jpg",
    "\ttab.jpg",
    "'quoted.jpg",
    "'=both.jpg",
    "",
]


def rows() -> list[Row]:
    face = Face(1.0, 2.5, 30.0, 40.0, 0.5)
    whole = [Row(name, image_width=640, image_height=480, version=f"{at}-17") for at, name in enumerate(ODD_NAMES)]
    labelled = [row.located(0, face).labelled((0.25, 0.75), NAMES, 0.0) for row in whole]
    return [*labelled, Row("bad.jpg").without_label(Status.UNREADABLE, 'it is "broken",\nall of it')]


def write_finished(out: Path, record: RunRecord, rows: Sequence[Row]) -> None:
    """Write a finished table."""
    with TableWriter.begin(out, record) as table:
        table.write(rows)
        table.finish({})


def record_of(class_names: tuple[str, ...], **changes: object) -> RunRecord:
    """Return the record of a table with these classes."""
    record = RunRecord(
        version="1",
        schema_version=SCHEMA_VERSION,
        model="m",
        model_sha256="a" * 64,
        class_names=class_names,
        root="/photos",
        inputs=("/photos",),
        settings={"threshold": 0.0},
    )
    return replace(record, **changes)  # type: ignore[arg-type]
