"""Tables and the run records beside them: read back, recognised, refused."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from types import ModuleType, UnionType

from labeler.errors import LabelerError, one_line
from labeler.records import COLUMNS_AFTER_BY_SCHEMA, COLUMNS_BEFORE, SCHEMA_VERSION, Row, RunRecord
from labeler.records import columns as all_columns
from labeler.storage import atomic
from labeler.tables.text import Appendable, Csv, JsonLines, schema_of

APPENDABLE: dict[str, Appendable] = {".csv": Csv(), ".jsonl": JsonLines()}
SUFFIXES = (*APPENDABLE, ".parquet")

RECORD, PART, PART_RECORD, COMPLETE = ".run.json", ".part", ".part.run.json", ".complete"
"""What stands beside a table: its record, what becomes the next table, the record of that, and the next table when it
is complete and has not taken its place."""

_OUTDATED = frozenset({"began", "redo_began"})
"""What a record of version 1 of the schema said besides."""

_MAKE_AGAIN = "make it again with classify --overwrite"

_LONGEST_RECORD = 1 << 26
"""Bytes of a run record; one that names 100,000 inputs has a tenth of them."""


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
        reason = "is unfinished; run the same classify command to complete it" if is_begun(path) else "does not exist"
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


def unfinished(path: Path) -> RunRecord | None:
    """Return the record of a run that ended before its table was complete, if there is one.

    Raises:
        LabelerError: it cannot be understood.
    """
    if not is_begun(path):
        return None
    record = _read_record(beside(path, PART_RECORD))
    if record:
        return record
    earlier = _read_record(beside(path, RECORD))
    return earlier if earlier and not earlier.finished else None  # Version 1 of the schema kept one record for both.


def is_begun(path: Path) -> bool:
    """Say whether rows of another table than the one that stands there were begun, or wait to take its place."""
    return beside(path, PART).exists() or beside(path, COMPLETE).exists()


def has_placed_record(path: Path) -> bool:
    """Say whether a table has taken its place and its record has not: a run was killed between the two.

    Raises:
        LabelerError: the record cannot be understood.
    """
    record = None if is_begun(path) else _read_record(beside(path, PART_RECORD))
    return bool(record and record.finished)


def read_record(path: Path) -> RunRecord | None:
    """Return the run record of a finished table, if there is one.

    A run that is killed when its table has taken its place, and its record has not, leaves the record of the part and
    no part: see `drafts`.

    Raises:
        LabelerError: it cannot be understood.
    """
    if has_placed_record(path):
        return _read_record(beside(path, PART_RECORD))
    record = _read_record(beside(path, RECORD))
    # Version 1 of the schema kept one record for both: true here unless a table is begun that takes nothing over.
    true = record and (record.finished or record.redo is not None or not is_begun(path))
    return record if true else None


def _read_record(file: Path) -> RunRecord | None:
    try:
        with file.open(encoding="utf-8") as stream:
            found = json.loads(stream.read(_LONGEST_RECORD))
        known = {name: found[name] for name in found if name not in _OUTDATED}
        tuples = {name: tuple(found[name]) for name in ("class_names", "inputs", "redo") if found.get(name) is not None}
        record = RunRecord(**known | tuples)
        _check_kinds(record)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, AttributeError, RecursionError) as exc:
        raise LabelerError(f"{file} is not a run record of this version of labeler: {one_line(exc)}") from exc
    return record


def write_record(path: Path, record: RunRecord, advice: str, suffix: str = RECORD) -> None:
    """Write the run record of a table, or of its part.

    Raises:
        OutputError: it cannot be written; ``advice`` says what to do.
    """
    atomic.write(beside(path, suffix), json.dumps(asdict(record), indent=2) + "\n", advice)


def refuse_other(out: Path, earlier: RunRecord, record: RunRecord) -> None:
    """Refuse to go on with a table that was begun differently.

    Raises:
        LabelerError: the model, the root or a setting is not the same.
    """
    differences = [
        f"{name} was {then}, is {now}"
        for name, then, now in (
            ("the model", _short(earlier), _short(record)),
            ("the root folder", earlier.root, record.root),
            *(
                (f"--{name}".replace("_", "-"), earlier.settings.get(name), now)
                for name, now in record.settings.items()
            ),
        )
        if then != now
    ]
    if differences:
        raise LabelerError(
            f"{out} was begun differently ({'; '.join(differences)}). "
            "Use the same model and settings, choose another --out, or start anew with --overwrite"
        )


def beside(path: Path, suffix: str) -> Path:
    """Return the name of a file that belongs to a table."""
    return path.with_name(path.name + suffix)


def root(path: Path) -> str:
    """Return the folder that a table's files are relative to.

    Raises:
        LabelerError: there is no such table, no run record to tell, or the folder has gone.
    """
    class_names(path)
    record = read_record(path)
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


def _check_kinds(record: RunRecord) -> None:
    kinds: dict[str, type | UnionType] = {
        **dict.fromkeys(("version", "model", "model_sha256", "root"), str),
        **dict.fromkeys(("settings", "counts", "model_figures"), dict),
        "schema_version": int,
        "finished": bool,
    }
    wrong = [name for name, kind in kinds.items() if not isinstance(getattr(record, name), kind)]
    if wrong or not all(isinstance(text, str) for text in (*record.class_names, *record.inputs, *(record.redo or ()))):
        raise TypeError(f"{wrong[0] if wrong else 'a class name or input'} is of another kind")
    if record.schema_version not in COLUMNS_AFTER_BY_SCHEMA:
        raise ValueError(f"its table has the schema {record.schema_version}, this version knows up to {SCHEMA_VERSION}")


def _columns(path: Path) -> tuple[str, ...]:
    if path.suffix.lower() == ".parquet":
        return tuple(parquet().columns(path))
    if path.suffix.lower() not in APPENDABLE:
        raise ValueError(f"its name does not end in {', '.join(SUFFIXES)}")
    with path.open("rb") as stream:
        return APPENDABLE[path.suffix.lower()].columns(stream)


def _short(record: RunRecord) -> str:
    return f"{record.model} ({record.model_sha256[:12]})"
