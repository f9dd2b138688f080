"""Tables: read back, recognised, refused."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from labeler.errors import LabelerError, one_line
from labeler.records import COLUMNS_AFTER_BY_SCHEMA, COLUMNS_BEFORE, Row
from labeler.records import columns as all_columns
from labeler.tables import formats, run_record
from labeler.tables.cells import schema_of
from labeler.tables.run_record import RunRecord

_MAKE_AGAIN = "make it again with classify --overwrite"


def check(out: Path) -> None:
    """Refuse a place where no table could be written.

    Raises:
        LabelerError: an unknown suffix, a missing folder, or a folder in its place.
    """
    formats.of(out)
    if not out.parent.is_dir():
        raise LabelerError(f"the folder {out.parent} does not exist; create it first: mkdir -p '{out.parent}'")
    if out.is_dir():
        raise LabelerError(f"{out} is a folder; name a file in it, for example {out / 'labels.csv'}")


def read(path: Path) -> Iterator[Row]:
    """Yield the rows of a finished table.

    Raises:
        LabelerError: there is no such table, it is not one of ours, or it is damaged.
    """
    class_names(path)
    try:
        yield from formats.of(path).read(path)
    except ValueError as exc:
        raise LabelerError(f"{path} is damaged ({one_line(exc)}); {_MAKE_AGAIN}") from exc


def class_names(path: Path) -> tuple[str, ...]:
    """Return a table's classes, in the model's order.

    Raises:
        LabelerError: there is no such table, or it is not one of ours.
    """
    return _layout(path)[0]


def columns(path: Path) -> tuple[str, ...]:
    """Return a table's columns.

    Raises:
        LabelerError: there is no such table, or it is not one of ours.
    """
    return all_columns(*_layout(path))


def record(path: Path) -> RunRecord:
    """Return how a table was made; of one without a run record, what it says itself.

    Raises:
        LabelerError: there is no such table, it is not one of ours, or its record cannot be understood.
    """
    class_names, schema = _layout(path)
    found = run_record.read(path)
    if found:
        return replace(found, class_names=class_names)
    return RunRecord(
        version="unknown",
        schema_version=schema,
        model="",
        model_sha256="unknown",
        class_names=class_names,
        root="",
        inputs=(),
        settings={},
    )


def _layout(path: Path) -> tuple[tuple[str, ...], int]:
    """Return a table's classes and the version of its schema."""
    if path.is_dir():
        raise LabelerError(f"{path} is a folder, not a table; make one of it: labeler classify {path} --out labels.csv")
    if not path.is_file():
        reason = (
            "is unfinished; run the same classify command to complete it"
            if run_record.is_begun(path)
            else "does not exist"
        )
        raise LabelerError(f"{path} {reason}")
    try:
        found = formats.of(path).columns(path)
    except (OSError, ValueError) as exc:
        raise LabelerError(f"{path} cannot be read as a table: {one_line(exc)}") from exc
    try:
        schema = schema_of(found)
    except ValueError as exc:
        raise LabelerError(f"{path} is not a table made by labeler: {exc}: {', '.join(COLUMNS_BEFORE)}, ...") from exc
    return found[len(COLUMNS_BEFORE) : -len(COLUMNS_AFTER_BY_SCHEMA[schema])], schema


def root(path: Path) -> str:
    """Return the folder that a table's files are relative to.

    Raises:
        LabelerError: there is no such table, no run record to tell, or the folder has gone.
    """
    class_names(path)
    record = run_record.read(path)
    if not record:
        raise LabelerError(f"{path} has no run record beside it that tells where its files are; name it: --root FOLDER")
    if not os.path.isdir(record.root):
        raise LabelerError(
            f"the files of {path} were in {record.root}, which is gone; name their folder: --root FOLDER"
        )
    return record.root
