"""The table: begun, continued after a kill, finished in one step, read back.

An unfinished table is ``<out>.part``, which only grows: CSV for a CSV table, JSON Lines for the other two. When it
is complete it takes the place of ``<out>``. Beside both stands ``<out>.run.json``, the run record. The part is begun
before the record says so and gone before the record says `finished`, so that a kill between the two shows.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from itertools import islice
from pathlib import Path
from types import ModuleType
from typing import IO

from labeler import files, formats
from labeler.errors import LabelerError, OutputError, one_line
from labeler.records import COLUMNS_AFTER, COLUMNS_BEFORE, Row, RunRecord, columns, unusable_class_names

try:
    import fcntl
except ModuleNotFoundError:  # pragma: no cover - Windows
    fcntl = None  # type: ignore[assignment]

SYNC_EVERY_S = 2.0
"""A power failure costs at most the rows of so many seconds; a killed process costs none that were written."""

_ADVICE = ". Make room, then run the same command to continue"

_ROWS_AT_ONCE = 1 << 16

_MAKE_AGAIN = "make it again with classify --overwrite"

_LONGEST_RECORD = 1 << 26
"""Bytes of a run record; one that names 100,000 inputs has a tenth of them."""

_CSV, _JSON_LINES = formats.Csv(), formats.JsonLines()
_APPENDABLE: dict[str, formats.Appendable] = {".csv": _CSV, ".jsonl": _JSON_LINES}
SUFFIXES = (*_APPENDABLE, ".parquet")


class Table:
    """A table being written. `done` yields the rows that stand in it, `write` appends, `finish` puts it in place."""

    def __init__(self, out: Path, record: RunRecord, *, complete: bool) -> None:
        self.out = out
        self.record = record
        self.complete = complete
        """Whether a finished table stands at `out` and nothing was added to it since."""
        self._part = _beside(out, ".part")
        self._format = _APPENDABLE.get(out.suffix.lower(), _JSON_LINES)
        self._file: IO[bytes] | None = None
        self._synced = 0.0
        self._empty = False
        """Whether the part was begun anew and holds no row yet."""

    @classmethod
    def begin(cls, out: Path, record: RunRecord, *, overwrite: bool = False) -> Table:
        """Start a table, continue an unfinished one, or recognise a complete one.

        Raises:
            LabelerError: something else stands at ``out``, the table there was made with another model or other
                settings, or another run is writing it.
            OutputError: nothing can be written there.
        """
        check(out)
        if out.exists():
            class_names(out)  # Whatever was asked for, a file that is not ours stays.
        part = _beside(out, ".part")
        earlier = None if overwrite else read_record(out)
        if earlier:
            _refuse_other(out, earlier, record)
        elif out.exists() and not overwrite:
            raise LabelerError(
                f"{out} has no run record beside it to continue from; choose another --out, or --overwrite"
            )
        complete = earlier is not None and out.exists() and (earlier.finished or not part.exists())
        table = cls(out, record, complete=complete)
        if not complete:
            table._open(anew=earlier is None or earlier.finished)
        return table

    def done(self) -> Iterator[Row]:
        """Yield the rows that need not be made again."""
        if self.complete:
            yield from read(self.out)
            return
        with self._part.open("rb") as stream:
            for row, _ in self._format.decode(stream):
                yield row

    def write(self, rows: Sequence[Row]) -> None:
        """Append rows.

        Raises:
            OutputError: the disk is full, or gone.
        """
        if self.complete:
            self._reopen()
        self._append(self._format.encode(rows, self.record.class_names))
        self._empty = False
        if time.monotonic() - self._synced > SYNC_EVERY_S:
            self._sync()

    def finish(self, counts: dict[str, int]) -> None:
        """Put the complete table in its place, then say so in its record.

        Raises:
            OutputError: the disk is full, or gone.
        """
        if not self.complete:
            try:
                self._sync()
                self._place()
            except OSError as exc:
                raise _cannot_write(self.out, exc) from exc
            self.complete = True
        _write_record(self.out, replace(self.record, finished=True, counts=counts))

    def close(self) -> None:
        """Let go of the file; what was written stays and can be continued."""
        if self._file:
            self._file.close()
            self._file = None

    def __enter__(self) -> Table:
        """Return the table itself."""
        return self

    def __exit__(self, raised: type[BaseException] | None, *_: object) -> None:
        """Close it, finished or not; what failed before its first row leaves nothing behind."""
        if raised and self._empty:
            for beside in (".part", ".run.json"):
                _beside(self.out, beside).unlink(missing_ok=True)
        self.close()

    def _open(self, *, anew: bool) -> None:
        try:
            self._file = self._part.open("ab", buffering=0)
            self._lock()
            header = self._format.header(self.record.class_names)
            self._file.truncate(0 if anew else _sound_length(self._part, self._format, header))
            if not self._part.stat().st_size:
                self._append(header)
            self._empty = anew and not self.out.exists()
            _write_record(self.out, replace(self.record, finished=False))
        except OSError as exc:
            raise _cannot_write(self.out, exc) from exc

    def _lock(self) -> None:
        """Keep other runs off this table for as long as this process lives."""
        if fcntl and self._file:
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as exc:
                raise LabelerError(f"another run is writing {self.out}; wait for it, or choose another --out") from exc

    def _reopen(self) -> None:
        """Make a part of the complete table again: pictures have come since."""
        rows = read(self.out)
        self.complete = False
        self._open(anew=True)
        while group := list(islice(rows, _ROWS_AT_ONCE)):
            self._append(self._format.encode(group, self.record.class_names))

    def _append(self, content: bytes) -> None:
        assert self._file is not None
        view = memoryview(content)
        try:
            while view:
                view = view[self._file.write(view) :]
        except OSError as exc:
            raise _cannot_write(self.out, exc) from exc

    def _sync(self) -> None:
        if self._file:
            os.fsync(self._file.fileno())
        self._synced = time.monotonic()

    def _place(self) -> None:
        if self.out.suffix.lower() != ".parquet":
            os.replace(self._part, self.out)
            return
        unfinished = _beside(self.out, ".tmp")
        _parquet().write(unfinished, self.done(), self.record.class_names)
        os.replace(unfinished, self.out)
        self._part.unlink()


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
            yield from _parquet().read(path)
        except ValueError as exc:
            raise LabelerError(f"{path} is damaged ({one_line(exc)}); {_MAKE_AGAIN}") from exc
        return
    form = _APPENDABLE[path.suffix.lower()]
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
    if not path.is_file():
        unfinished = _beside(path, ".part").exists()
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


def read_record(path: Path) -> RunRecord | None:
    """Return the run record beside a table, if there is one.

    Raises:
        LabelerError: it cannot be understood.
    """
    beside = _beside(path, ".run.json")
    try:
        with beside.open(encoding="utf-8") as file:
            found = json.loads(file.read(_LONGEST_RECORD))
        record = RunRecord(**found | {name: tuple(found[name]) for name in ("class_names", "inputs")})
        _check_kinds(record)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError, RecursionError) as exc:
        reason = one_line(exc)
        raise LabelerError(f"{beside} is not a run record of this version of labeler: {reason}") from exc
    return record


def _check_kinds(record: RunRecord) -> None:
    kinds: dict[str, type] = {
        **dict.fromkeys(("version", "model", "model_sha256", "root"), str),
        **dict.fromkeys(("settings", "counts", "model_figures"), dict),
        "schema_version": int,
        "finished": bool,
    }
    wrong = [name for name, kind in kinds.items() if not isinstance(getattr(record, name), kind)]
    if wrong or not all(isinstance(text, str) for text in (*record.class_names, *record.inputs)):
        raise TypeError(f"{wrong[0] if wrong else 'a class name or input'} is of another kind")


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


def _parquet() -> ModuleType:
    from labeler import parquet  # Deferred: it takes as long as starting Python does, and few tables need it.

    return parquet


def _columns(path: Path) -> tuple[str, ...]:
    if path.suffix.lower() == ".parquet":
        return tuple(_parquet().columns(path))
    if path.suffix.lower() not in _APPENDABLE:
        raise ValueError(f"its name does not end in {', '.join(SUFFIXES)}")
    with path.open("rb") as stream:
        return _APPENDABLE[path.suffix.lower()].columns(stream)


def _sound_length(part: Path, form: formats.Appendable, header: bytes) -> int:
    """Return the length of a part up to its last file, whose rows may not all be there."""
    file: str | None = None
    with part.open("rb") as stream:
        begin = previous = len(header) if stream.read(len(header)) == header else 0
        stream.seek(0)
        for row, end in form.decode(stream):
            if row.file != file:
                file, begin = row.file, previous
            previous = end
    return begin


def _refuse_other(out: Path, earlier: RunRecord, record: RunRecord) -> None:
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


def _short(record: RunRecord) -> str:
    return f"{record.model} ({record.model_sha256[:12]})"


def _write_record(out: Path, record: RunRecord) -> None:
    beside = _beside(out, ".run.json")
    files.write(beside, json.dumps(asdict(record), indent=2) + "\n", _ADVICE)


def _cannot_write(out: Path, exc: OSError) -> OutputError:
    return OutputError(f"cannot write {out}: {exc.strerror}{_ADVICE}")


def _beside(out: Path, suffix: str) -> Path:
    return out.with_name(out.name + suffix)
