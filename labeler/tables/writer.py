"""A table being written: begun, continued after a kill, finished in one step.

An unfinished table is ``<out>.part``, which only grows: CSV for a CSV table, JSON Lines for the other two. It holds the
new rows and nothing else. What it is made with stands in ``<out>.part.run.json``, so that ``<out>.run.json`` stays true
of the table that still stands at ``<out>``. While a run is at it, ``<out>.lock`` keeps others off.

A finished table is never changed: to add or redo files, a part is begun, and in the end the two are merged into the
next table, in order of files. Where both hold a file, the part's rows stand. So it does no harm that parts begun by
earlier versions of this program hold rows of the finished table, too.

These are the steps of a run, and it can be killed between any two of them:

1. the part is begun, then its record;
2. rows are added;
3. the part's record says `finished`;
4. the finished table and the part are merged into a file beside, which becomes ``<out>.complete``; where there is
   nothing to merge or to convert and the part is in order, it becomes ``<out>.complete`` by being renamed;
5. the part goes, if it was merged;
6. ``<out>.complete`` becomes ``<out>``;
7. the part's record becomes the table's record.

Until step 6 the next run begins with the finished table and the part as they are, or with step 5. Without a part and a
complete table the part's record, if it stands there, is the one of the table.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path

from labeler.errors import LabelerError, OutputError
from labeler.records import Redo, Row
from labeler.storage import atomic
from labeler.storage.crops import any_kept
from labeler.storage.lock import Lock
from labeler.tables import formats, reader, run_record
from labeler.tables.json_lines import JsonLines
from labeler.tables.order import grouped, is_ascending, keyed, outer_join
from labeler.tables.part import Part
from labeler.tables.run_record import COMPLETE, PART, PART_RECORD, RECORD, RunRecord, beside

_ADVICE = ". Make room, then run the same command to continue"


class TableWriter:
    """A table being written: `settled` yields what stands, `write` adds, `finish` puts it in place."""

    def __init__(self, out: Path, record: RunRecord, lock: Lock, *, complete: bool) -> None:
        self.out = out
        self.record = record
        self.complete = complete
        """Whether a finished table stands at `out` and no part of another was begun."""
        self._lock = lock
        self._format = formats.of(out)
        self._part: Part | None = None
        self._in_order: bool | None = None
        """Whether the finished table is in order, once that is known."""

    @classmethod
    def begin(
        cls, out: Path, record: RunRecord, redo: Collection[Redo] = (), *, overwrite: bool = False
    ) -> TableWriter:
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
    def _begun(
        cls, out: Path, record: RunRecord, redo: Collection[Redo], lock: Lock, *, overwrite: bool
    ) -> TableWriter:
        settle(out)
        if out.exists():
            reader.class_names(out)  # Whatever was asked for, a file that is not ours stays.
        begun = None if overwrite else run_record.unfinished(out)
        standing = run_record.read(out) if out.exists() and not overwrite else None
        if begun and begun.redo is None:
            standing = None  # The part will take its place, whatever it is.
        for earlier in filter(None, (standing, begun)):
            run_record.refuse_other(out, earlier, record)
            record = replace(record, schema_version=earlier.schema_version)
        if begun:
            record = replace(record, redo=begun.redo)
        elif standing:
            if Redo.CHANGED in redo and standing.schema_version == 1:
                raise LabelerError(f"{out} does not tell which version of each file it holds; use --overwrite")
            record = replace(record, redo=tuple(sorted(redo)))
        elif out.exists() and not overwrite:
            raise LabelerError(
                f"{out} has no run record beside it to continue from; choose another --out, or --overwrite"
            )
        table = cls(out, record, lock, complete=bool(standing and not begun))
        if table._has_standing():
            table._check_columns()
        if not table.complete:
            table._open(anew=not begun)
        return table

    def settled(self) -> Iterator[tuple[list[Row], bool]]:
        """Yield what stands now, the rows of each file together, in order of files, and whether they are final.

        Final are rows that this table was given before; those of a finished table that it is to replace are not.

        Raises:
            LabelerError: the finished table is damaged.
            OutputError: there is no room to sort it.
        """
        if not self._part:
            return ((rows, False) for rows in self._standing())
        sides = (keyed(groups, _file) for groups in (self._standing(), self._part.groups()))
        return ((new, True) if new else (old or [], False) for old, new in outer_join(*sides))

    def write(self, rows: Sequence[Row]) -> None:
        """Add all rows of some files; they take the place of those that a finished table holds of these files.

        Raises:
            OutputError: the disk is full, or gone.
        """
        if not rows:
            return
        if not self._part:
            self._open(anew=True)
        assert self._part
        try:
            self._part.append(rows)
        except OSError as exc:
            raise _cannot_write(self.out, exc) from exc

    def finish(self, counts: dict[str, int], seconds: float | None = None) -> None:
        """Put the complete table in its place, then its record; for ``seconds`` see `RunRecord`.

        Raises:
            OutputError: the disk is full, or gone.
        """
        finished = replace(
            self.record, finished=True, counts=counts, seconds=seconds
        )  # Still with `redo`, for a run after a kill.
        if not self._part:  # Nothing was added.
            beside(self.out, PART).unlink(missing_ok=True)  # Left by a run that was killed before its first row.
            if earlier := run_record.read(self.out):  # Its rows are the same, and so is what is known of them.
                finished = replace(finished, seconds=earlier.seconds, certificate=earlier.certificate)
            run_record.write(self.out, finished, _ADVICE)
            return
        try:
            self._part.sync()
            run_record.write(self.out, finished, _ADVICE, PART_RECORD)
            self._complete(self._part, finished)
            settle(self.out)
        except OSError as exc:
            raise _cannot_write(self.out, exc) from exc
        self.complete = True

    def close(self) -> None:
        """Let go of the files; what was written stays and can be continued."""
        if self._part:
            self._part.close()
        self._lock.release()

    def __enter__(self) -> TableWriter:
        """Return the table itself."""
        return self

    def __exit__(self, raised: type[BaseException] | None, *_: object) -> None:
        """Close it, finished or not; what failed before its first row leaves nothing behind, unless it kept crops.

        The record then says whose they are, so that the same command goes on with them.
        """
        if raised and self._part and self._part.is_new and not any_kept(self.record.settings.get("save_crops", "")):
            for suffix in (PART_RECORD, PART):
                beside(self.out, suffix).unlink(missing_ok=True)
        self.close()

    def _open(self, *, anew: bool) -> None:
        form = self._format.appendable or JsonLines()
        try:
            self._part = Part(beside(self.out, PART), form, self.record, anew=anew)
            run_record.write(self.out, self.record, _ADVICE, PART_RECORD)
        except OSError as exc:
            raise _cannot_write(self.out, exc) from exc
        self.complete = False

    def _check_columns(self) -> None:
        """Refuse a table that has been changed since its record was written."""
        class_names, _, keep, top = reader.layout(self.out)
        if (class_names, top) != (self.record.class_names, self.record.top):
            raise LabelerError(
                f"{self.out} has other classes than the model: it is not the table that its record describes"
            )
        if keep != self.record.keep:
            raise LabelerError(
                f"{self.out} has other columns after `reason` ({', '.join(keep) or 'none'}) than its record says "
                f"({', '.join(self.record.keep) or 'none'}): it is not the table that its record describes"
            )

    def _has_standing(self) -> bool:
        """Say whether there is a finished table whose rows are taken over."""
        return self.record.redo is not None and self.out.exists()

    def _standing(self) -> Iterator[list[Row]]:
        """Yield the rows of each file of the finished table."""
        if not self._has_standing():
            return iter(())
        if self._in_order is None:
            self._in_order = is_ascending(self._format.files(self.out))
        return grouped(reader.read(self.out), ascending=self._in_order)

    def _complete(self, part: Part, record: RunRecord) -> None:
        complete = beside(self.out, COMPLETE)
        if self._format.appendable and part.is_ascending and not self._has_standing():
            os.replace(part.path, complete)
            return
        with atomic.replacing(complete, _ADVICE) as unplaced:
            self._format.write(unplaced, chain.from_iterable(rows for rows, _ in self.settled()), record)


def _file(rows: Sequence[Row]) -> str:
    return rows[0].file


def settle(out: Path) -> None:
    """Do what is left to do when a table is complete, after a kill, too."""
    complete = beside(out, COMPLETE)
    try:
        if complete.exists():
            beside(out, PART).unlink(missing_ok=True)
            os.replace(complete, out)
            atomic.sync_folder(out.parent)
        if run_record.has_placed_record(out):
            os.replace(beside(out, PART_RECORD), beside(out, RECORD))
            atomic.sync_folder(out.parent)
        atomic.unplaced(complete).unlink(missing_ok=True)  # Half a merge.
    except OSError as exc:
        raise _cannot_write(out, exc) from exc


def _cannot_write(out: Path, exc: OSError) -> OutputError:
    return OutputError(f"cannot write {out}: {exc.strerror}{_ADVICE}")
