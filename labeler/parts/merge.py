"""Make one file of a directory of parts: the rows of all parts, in order, a part at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from labeler.errors import LabelerError
from labeler.executors.threads import mapped
from labeler.parts.directory import Directory
from labeler.parts.plan import Plan
from labeler.records import Row, Tally
from labeler.storage import atomic
from labeler.tables import formats, reader, run_record
from labeler.watched import Watched, unwatched

_AHEAD = 2
"""Threads that read parts ahead, some parts each."""

_NAMED = 8
"""Upper limit on the missing units that are named."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Merged:
    """What was merged."""

    out: Path
    tally: Tally
    units: int
    missing: tuple[int, ...]

    def as_json(self) -> dict[str, Any]:
        """Return what `--json` prints."""
        return {
            "table": str(self.out),
            **self.tally.counts(),
            "labels": dict(self.tally.labels),
            "units": self.units,
            "missing": list(self.missing),
        }


def merge(
    address: str, out: Path, *, partial: bool = False, overwrite: bool = False, watched: Watched = unwatched
) -> Merged:
    """Write the rows of a directory into one table, with its run record; if ``partial``, of the parts that are there.

    Raises:
        LabelerError: there is no such directory, parts are missing, or a table stands at ``out``.
        OutputError: a part cannot be read, or the table cannot be written.
    """
    reader.check(out)
    if out.exists() and not overwrite:
        raise LabelerError(f"{out} exists; choose another --out, or --overwrite")
    directory = Directory(address)
    plan = directory.plan()
    if not plan:
        raise LabelerError(f"{directory.place} is no directory of parts: nothing was planned there")
    there = directory.done(plan)
    missing = tuple(unit for unit, stands in enumerate(there) if not stands)
    if missing and not partial:
        raise LabelerError(
            f"{directory.place} is unfinished: {len(missing):,} of {plan.units:,} units are missing "
            f"({_named(missing)}). The same classify command makes them; --partial merges what is there"
        )
    tally = Tally()
    units = [unit for unit, stands in enumerate(there) if stands]
    rows = _counted(_rows(directory, plan, units, watched), tally)
    form = formats.of(out)
    with atomic.replacing(out, ". Make room, then run the same command again") as beside:
        form.write(beside, rows, plan.record)
    run_record.write(out, replace(plan.record, finished=True, counts=tally.counts()), "")
    return Merged(out=out, tally=tally, units=plan.units, missing=missing)


def _rows(directory: Directory, plan: Plan, units: list[int], watched: Watched) -> Iterator[Row]:
    parts = mapped(directory.content, units, threads=_AHEAD)
    for unit, content in zip(units, watched(parts, "merging parts", len(units)), strict=True):
        yield from directory.rows(plan, unit, content)


def _counted(rows: Iterator[Row], tally: Tally) -> Iterator[Row]:
    for row in rows:
        tally.add(row)
        yield row


def _named(units: tuple[int, ...]) -> str:
    return ", ".join(map(str, units[:_NAMED])) + (", ..." if len(units) > _NAMED else "")
