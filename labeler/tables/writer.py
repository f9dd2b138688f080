"""A table being written: begun, continued after a kill, finished in one step.

An unfinished table is ``<out>.part``, which only grows: CSV for a CSV table, JSON Lines for the other two. What it is
made with stands in ``<out>.part.run.json``, so that ``<out>.run.json`` stays true of the table that still stands at
``<out>``. While a run is at it, ``<out>.lock`` keeps others off.

A finished table is never changed: to add or redo files, a part is begun that takes its rows over, in their order. So
the first files of such a part are always the first files of the table that still stands at ``<out>``.

These are the steps of a run, and it can be killed between any two of them:

1. the part is begun, then its record;
2. rows are added;
3. the part's record says `finished`;
4. the part becomes ``<out>.complete``: by renaming it, or Parquet is made of it, then it goes;
5. ``<out>.complete`` becomes ``<out>``;
6. the part's record becomes the table's record.

Without a part and a complete table the part's record, if it stands there, is therefore the one of the table.
"""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import chain, islice
from pathlib import Path
from typing import IO

from labeler.errors import LabelerError, OutputError
from labeler.records import Redo, Row, by_file
from labeler.storage import atomic
from labeler.storage.crops import any_kept
from labeler.storage.lock import Lock
from labeler.tables import formats, reader, run_record
from labeler.tables.json_lines import JsonLines
from labeler.tables.run_record import COMPLETE, PART, PART_RECORD, RECORD, RunRecord, beside
from labeler.tables.text import Appendable

SYNC_EVERY_S = 2.0
"""A power failure costs at most the rows of so many seconds; a killed process costs none that were written."""

_ADVICE = ". Make room, then run the same command to continue"

_ROWS_AT_ONCE = 1 << 16


class Draft:
    """A table being written: `done` and `earlier` yield what stands, `write` adds, `finish` puts it in place."""

    def __init__(self, out: Path, record: RunRecord, lock: Lock, *, complete: bool) -> None:
        self.out = out
        self.record = record
        self.complete = complete
        """Whether a finished table stands at `out` and no part of another was begun."""
        self._lock = lock
        self._part = beside(out, PART)
        self._format = formats.of(out).appendable or JsonLines()
        self._file: IO[bytes] | None = None
        self._begun_with = 0
        """Bytes of the part that stood there before this run."""
        self._left: Iterator[list[Row]] = iter(())
        """What has not been taken over yet."""
        self._synced = 0.0
        self._empty = False
        """Whether the part was begun anew and holds no row yet."""

    @classmethod
    def begin(cls, out: Path, record: RunRecord, redo: Collection[Redo] = (), *, overwrite: bool = False) -> Draft:
        """Start a table, continue an unfinished one as it was begun, or take a complete one, to ``redo`` parts of it.

        Raises:
            LabelerError: something else stands at ``out``, the table there was made with another model or other
                settings, it does not tell when it was made, or another run is writing it.
            OutputError: nothing can be written there.
        """
        reader.check(out)
        try:
            lock = Lock(beside(out, ".lock"))
        except BlockingIOError as exc:
            raise LabelerError(f"another run is writing {out}; wait for it, or choose another --out") from exc
        except OSError as exc:
            raise _cannot_write(out, exc) from exc
        try:
            return cls._begun(out, record, redo, lock, overwrite=overwrite)
        except BaseException:
            lock.release()
            raise

    @classmethod
    def _begun(cls, out: Path, record: RunRecord, redo: Collection[Redo], lock: Lock, *, overwrite: bool) -> Draft:
        _settle(out)
        if out.exists():
            reader.class_names(out)  # Whatever was asked for, a file that is not ours stays.
        begun = None if overwrite else run_record.unfinished(out)
        standing = run_record.read(out) if out.exists() and not overwrite else None
        earlier = begun or standing
        if earlier:
            run_record.refuse_other(out, earlier, record)
            record = replace(record, schema_version=earlier.schema_version)
        elif out.exists() and not overwrite:
            raise LabelerError(
                f"{out} has no run record beside it to continue from; choose another --out, or --overwrite"
            )
        if begun:
            record = replace(record, redo=begun.redo)
        elif standing:
            if Redo.CHANGED in redo and standing.schema_version == 1:
                raise LabelerError(f"{out} does not tell which version of each file it holds; use --overwrite")
            record = replace(record, redo=tuple(sorted(redo)))
        table = cls(out, record, lock, complete=bool(standing and not begun))
        if not table.complete:
            table._open(anew=not begun)
        return table

    def done(self) -> Iterator[Row]:
        """Yield the rows of the part that this run continues."""
        if self._begun_with:
            with self._part.open("rb") as stream:
                for row, end in self._format.decode(stream):
                    if end > self._begun_with:
                        return
                    yield row

    def earlier(self) -> Iterator[Row]:
        """Yield the rows of the finished table that this one takes over, after those that are `done`.

        Raises:
            LabelerError: it is not the table that the part was begun from.
        """
        return chain.from_iterable(self._earlier())

    def write(self, rows: Sequence[Row]) -> None:
        """Append rows. Those of a file of the finished table take the place of its rows; files come in its order.

        Raises:
            OutputError: the disk is full, or gone.
        """
        if self.complete:
            self._open(anew=True)
        self._append(chain.from_iterable(map(self._in_place, by_file(rows))) if self.record.redo is not None else rows)
        self._empty = False
        if time.monotonic() - self._synced > SYNC_EVERY_S:
            self._sync()

    def finish(self, counts: dict[str, int]) -> None:
        """Put the complete table in its place, then its record.

        Raises:
            OutputError: the disk is full, or gone.
        """
        finished = replace(self.record, finished=True, counts=counts, redo=None)
        if self.complete:  # Nothing was added.
            self._part.unlink(missing_ok=True)  # Left by a run that was killed before its first row.
            run_record.write(self.out, finished, _ADVICE)
            return
        self._append(chain.from_iterable(self._left))
        try:
            self._sync()
            run_record.write(self.out, finished, _ADVICE, PART_RECORD)
            self._place()
        except OSError as exc:
            raise _cannot_write(self.out, exc) from exc
        self.complete = True

    def close(self) -> None:
        """Let go of the files; what was written stays and can be continued."""
        if self._file:
            self._file.close()
            self._file = None
        self._lock.release()

    def __enter__(self) -> Draft:
        """Return the table itself."""
        return self

    def __exit__(self, raised: type[BaseException] | None, *_: object) -> None:
        """Close it, finished or not; what failed before its first row leaves nothing behind, unless it kept crops.

        The record then says whose they are, so that the same command goes on with them.
        """
        if raised and self._empty and not any_kept(self.record.settings.get("save_crops", "")):
            for suffix in (PART_RECORD, PART):
                beside(self.out, suffix).unlink(missing_ok=True)
        self.close()

    def _open(self, *, anew: bool) -> None:
        try:
            self._file = self._part.open("ab", buffering=0)
            header = self._format.header(self.record.class_names, self.record.schema_version)
            self._file.truncate(0 if anew else _sound_length(self._part, self._format, header))
            self._begun_with = self._part.stat().st_size
            if not self._begun_with:
                self._put(header)
            self._empty = anew
            run_record.write(self.out, self.record, _ADVICE, PART_RECORD)
        except OSError as exc:
            raise _cannot_write(self.out, exc) from exc
        self.complete = False
        self._left = self._earlier()

    def _earlier(self) -> Iterator[list[Row]]:
        if self.record.redo is None or not self.out.exists():
            return
        groups = by_file(reader.read(self.out))
        for rows in by_file(self.done()):
            taken_over = next(groups, None)
            if not taken_over:
                return  # It holds new files already.
            if taken_over[0].file != rows[0].file:
                raise LabelerError(
                    f"{self.out} is not the table that {self._part} was begun from; remove the one that is wrong"
                )
        yield from groups

    def _in_place(self, made: list[Row]) -> Iterator[Row]:
        """Yield the earlier rows up to those of a file, which are passed over, then the rows made of it now."""
        for rows in self._left:
            if rows[0].file == made[0].file:
                break
            yield from rows
        yield from made

    def _append(self, rows: Iterable[Row]) -> None:
        remaining = iter(rows)
        while group := list(islice(remaining, _ROWS_AT_ONCE)):
            self._put(self._format.encode(group, self.record.class_names, self.record.schema_version))

    def _put(self, content: bytes) -> None:
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
        complete = beside(self.out, COMPLETE)
        form = formats.of(self.out)
        if form.appendable:
            os.replace(self._part, complete)
        else:
            with atomic.replacing(complete, _ADVICE) as unplaced, self._part.open("rb") as stream:
                rows = (row for row, _ in self._format.decode(stream))
                form.write(unplaced, rows, self.record)
        _settle(self.out)


def _settle(out: Path) -> None:
    """Do what is left to do when a table is complete, after a kill, too."""
    try:
        if beside(out, COMPLETE).exists():
            beside(out, PART).unlink(missing_ok=True)
            os.replace(beside(out, COMPLETE), out)
            atomic.sync_folder(out.parent)
        if run_record.has_placed_record(out):
            os.replace(beside(out, PART_RECORD), beside(out, RECORD))
            atomic.sync_folder(out.parent)
    except OSError as exc:
        raise _cannot_write(out, exc) from exc


def _sound_length(part: Path, form: Appendable, header: bytes) -> int:
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


def _cannot_write(out: Path, exc: OSError) -> OutputError:
    return OutputError(f"cannot write {out}: {exc.strerror}{_ADVICE}")
