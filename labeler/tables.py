"""Tables and the run records beside them: read back, recognised, refused."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from types import ModuleType, UnionType

from labeler import files, formats
from labeler.errors import LabelerError, one_line
from labeler.records import COLUMNS_AFTER, COLUMNS_BEFORE, Row, RunRecord, columns, unusable_class_names

APPENDABLE: dict[str, formats.Appendable] = {".csv": formats.Csv(), ".jsonl": formats.JsonLines()}
SUFFIXES = (*APPENDABLE, ".parquet")

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
    if path.is_dir():
        raise LabelerError(f"{path} is a folder, not a table; make one of it: labeler classify {path} --out labels.csv")
    if not path.is_file():
        unfinished = beside(path, ".part").exists()
        reason = "is unfinished; run the same classify command to complete it" if unfinished else "does not exist"
        raise LabelerError(f"{path} {reason}")
    try:
        found = _columns(path)
    except (OSError, ValueError) as exc:
        raise LabelerError(f"{path} cannot be read as a table: {one_line(exc)}") from exc
    names = found[len(COLUMNS_BEFORE) : -len(COLUMNS_AFTER)]
    if not names or found != columns(names) or unusable_class_names(names):
        raise LabelerError(
            f"{path} is not a table made by labeler: its columns are not {', '.join(COLUMNS_BEFORE)}, ..."
        )
    return names


def unfinished(path: Path) -> RunRecord | None:
    """Return the record of a run that ended before its table was complete, if there is one.

    Raises:
        LabelerError: it cannot be understood.
    """
    record = read_record(path)
    return record if record and not record.finished and beside(path, ".part").exists() else None


def read_record(path: Path) -> RunRecord | None:
    """Return the run record beside a table, if there is one.

    Raises:
        LabelerError: it cannot be understood.
    """
    file = beside(path, ".run.json")
    try:
        with file.open(encoding="utf-8") as stream:
            found = json.loads(stream.read(_LONGEST_RECORD))
        tuples = {name: tuple(found[name]) for name in ("class_names", "inputs", "redo") if found.get(name) is not None}
        record = RunRecord(**found | tuples)
        _check_kinds(record)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, AttributeError, RecursionError) as exc:
        raise LabelerError(f"{file} is not a run record of this version of labeler: {one_line(exc)}") from exc
    return record


def write_record(path: Path, record: RunRecord, advice: str) -> None:
    """Write the run record beside a table.

    Raises:
        OutputError: it cannot be written; ``advice`` says what to do.
    """
    files.write(beside(path, ".run.json"), json.dumps(asdict(record), indent=2) + "\n", advice)


def refuse_other(out: Path, earlier: RunRecord, record: RunRecord) -> None:
    """Refuse to go on with a table that was begun differently.

    Raises:
        LabelerError: the model, the root or a setting is not the same.
    """
    differences = [
        f"{name} was {then}, is {now}"
        for name, then, now in (
            ("the table's schema", earlier.schema_version, record.schema_version),
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
    from labeler import parquet  # Deferred: it takes as long as starting Python does, and few tables need it.

    return parquet


def _check_kinds(record: RunRecord) -> None:
    kinds: dict[str, type | UnionType] = {
        **dict.fromkeys(("version", "model", "model_sha256", "root"), str),
        **dict.fromkeys(("settings", "counts", "model_figures"), dict),
        **dict.fromkeys(("began", "redo_began"), int | float | None),
        "schema_version": int,
        "finished": bool,
    }
    wrong = [name for name, kind in kinds.items() if not isinstance(getattr(record, name), kind)]
    if wrong or not all(isinstance(text, str) for text in (*record.class_names, *record.inputs, *(record.redo or ()))):
        raise TypeError(f"{wrong[0] if wrong else 'a class name or input'} is of another kind")


def _columns(path: Path) -> tuple[str, ...]:
    if path.suffix.lower() == ".parquet":
        return tuple(parquet().columns(path))
    if path.suffix.lower() not in APPENDABLE:
        raise ValueError(f"its name does not end in {', '.join(SUFFIXES)}")
    with path.open("rb") as stream:
        return APPENDABLE[path.suffix.lower()].columns(stream)


def _short(record: RunRecord) -> str:
    return f"{record.model} ({record.model_sha256[:12]})"
