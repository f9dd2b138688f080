"""Tables: read back, recognised, refused."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path

from labeler import storage
from labeler.errors import LabelerError, one_line
from labeler.records import COLUMNS_BEFORE, UNCERTAIN, Row
from labeler.records import columns as all_columns
from labeler.storage.address import is_remote, parse
from labeler.storage.store import FileError
from labeler.tables import formats, parts, run_record
from labeler.tables.cells import Layout, layout_of
from labeler.tables.run_record import RunRecord

_MAKE_AGAIN = "make it again with classify --overwrite"

_TRIED = 3
"""Photos that are asked for at an address before it is said that none can be read; of one, access may be denied."""


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
    return layout(path).class_names


def columns(path: Path) -> tuple[str, ...]:
    """Return a table's columns.

    Raises:
        LabelerError: there is no such table, or it is not one of ours.
    """
    return all_columns(*layout(path))


def record(path: Path) -> RunRecord:
    """Return how a table was made; of one without a run record, what it says itself.

    Raises:
        LabelerError: there is no such table, it is not one of ours, or its record cannot be understood.
    """
    class_names, schema, keep, top = layout(path)
    found = run_record.read(path)
    if found:
        settings = found.settings if found.top == top else {**found.settings, "top": top}
        return replace(found, class_names=class_names, keep=keep, settings=settings)
    return RunRecord(
        version="unknown",
        schema_version=schema,
        model="",
        model_sha256="unknown",
        class_names=class_names,
        root="",
        inputs=(),
        settings={"top": top} if top else {},
        keep=keep,
    )


def layout(path: Path) -> Layout:
    """Return what a table's columns are: its classes, the version of its schema, and those carried over from a list.

    The classes of a table made with `--top` are those of its run record; without one, those that occur in it.

    Raises:
        LabelerError: there is no such table, or it is not one of ours.
    """
    if parts.is_directory(path):
        if not parts.is_finished(path):
            raise LabelerError(f"{path} is unfinished; run the same classify command to complete it")
    elif path.is_dir():
        raise LabelerError(f"{path} is a folder, not a table; make one of it: labeler classify {path} --out labels.csv")
    elif not path.is_file():
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
        columns = layout_of(found)
    except ValueError as exc:
        raise LabelerError(f"{path} is not a table made by labeler: {exc}: {', '.join(COLUMNS_BEFORE)}, ...") from exc
    return columns._replace(class_names=_named_classes(path)) if columns.top else columns


def need_all(path: Path, what: str) -> None:
    """Refuse a table made with `--top`.

    Raises:
        LabelerError: it has the probabilities of some classes only, and ``what`` needs those of all.
    """
    if top := layout(path).top:
        raise LabelerError(
            f"{path} was made with --top {top}, and {what} needs the probabilities of all classes; run classify "
            "without --top"
        )


def _named_classes(path: Path) -> tuple[str, ...]:
    """Return the classes of a table whose columns do not tell them.

    Raises:
        LabelerError: there is no run record, and the table is damaged.
    """
    if found := run_record.read(path):
        return found.class_names
    try:
        rows = formats.of(path).read(path)
        names = {name for row in rows for name in (row.label, *map(str, row.further[::2]))}
    except (OSError, ValueError) as exc:
        raise LabelerError(f"{path} is damaged ({one_line(exc)}); {_MAKE_AGAIN}") from exc
    return tuple(sorted(names - {UNCERTAIN, ""}))


def root(path: Path, moved: str = "") -> str:
    """Return what a table's files are relative to: where they have ``moved`` to, else what its run record names.

    Raises:
        LabelerError: there is no such table, no run record to tell, the folder has gone, or it is an address that
            cannot be reached.
    """
    if moved:
        return _reached(moved, path) if is_remote(moved) else moved
    class_names(path)
    record = run_record.read(path)
    if not record:
        raise LabelerError(f"{path} has no run record beside it that tells where its files are; name it: --root FOLDER")
    if is_remote(record.root):
        return _reached(record.root, path)
    if not os.path.isdir(record.root):
        raise LabelerError(
            f"the files of {path} were in {record.root}, which is gone; name their folder: --root FOLDER"
        )
    return record.root


def _reached(address: str, path: Path) -> str:
    """Return the address of a table's photos, if its store answers.

    Raises:
        LabelerError: it does not, or lets nobody in; said once, and not of each photo.
    """
    store = storage.at(address)
    reason = ""
    for file in islice(formats.of(path).files(path), _TRIED):
        if store.version(file) != "":
            return address
        try:
            store.read(file, 0)
        except FileError as exc:
            if exc.size:
                return address
            reason = exc.reason
    if reason:
        raise LabelerError(f"the photos of {path} cannot be read from {parse(address).place}: {reason}")
    return address
