"""Tables: read back, recognised, refused."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

from labeler.errors import LabelerError, one_line
from labeler.records import COLUMNS_AFTER_BY_SCHEMA, COLUMNS_BEFORE, Row
from labeler.records import columns as all_columns
from labeler.tables import run_record
from labeler.tables.cells import schema_of
from labeler.tables.text import Appendable, Csv, JsonLines

APPENDABLE: dict[str, Appendable] = {".csv": Csv(), ".jsonl": JsonLines()}
SUFFIXES = (*APPENDABLE, ".parquet")

_MAKE_AGAIN = "make it again with classify --overwrite"


def check(out: Path) -> None:
    """Refuse a place where no table could be written.

    Raises:
        LabelerError: an unknown suffix, a missing folder, or a folder in its place.
    """
    if out.suffix.lower() not in SUFFIXES:
        raise LabelerError(f"cannot tell the format of {out}: a table's name ends in {', '.join(SUFFIXES)}")
    if not out.parent.is_dir():
        raise LabelerError(f"the folder {out.parent} does not exist; create it first: mkdir -p '{out.parent}'")
    if out.is_dir():
        raise LabelerError(f"{out} is a folder; name a file in it, for example {out / 'labels.csv'}")


def read(path: Path) -> Iterator[Row]:
    """Yield the rows of a finished table.

    Raises:
        LabelerError: there is no such table, it is not one of ours, or it is damaged.
    """
    names = class_names(path)
    if path.suffix.lower() == ".parquet":
        try:
            yield from parquet().read(path)
        except ValueError as exc:
            raise LabelerError(f"{path} is damaged ({one_line(exc)}); {_MAKE_AGAIN}") from exc
        return
    form = APPENDABLE[path.suffix.lower()]
    with path.open("rb") as stream:
        end = 0
        for row, end in form.decode(stream):  # noqa: B007 - used after the loop
            yield row
        size = os.fstat(stream.fileno()).st_size
        if end != size and (end or size > len(form.header(names))):
            raise LabelerError(f"{path} is damaged after byte {end:,}; {_MAKE_AGAIN}")


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
        found = _columns(path)
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


def parquet() -> ModuleType:
    """Return the module that knows Parquet."""
    from labeler.tables import parquet  # Deferred: it takes as long as starting Python does, and few tables need it.

    return parquet


def _columns(path: Path) -> tuple[str, ...]:
    if path.suffix.lower() == ".parquet":
        return tuple(parquet().columns(path))
    if path.suffix.lower() not in APPENDABLE:
        raise ValueError(f"its name does not end in {', '.join(SUFFIXES)}")
    with path.open("rb") as stream:
        return APPENDABLE[path.suffix.lower()].columns(stream)
