"""The plan of a directory: which units there are, and how each is to be labelled; made once, and never changed."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

from labeler.errors import LabelerError, one_line
from labeler.member import is_shard
from labeler.records import Status, Tally
from labeler.storage.store import Listed
from labeler.tables import run_record
from labeler.tables.run_record import RunRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The units of a directory."""

    plan: str
    """Random; the manifests lie under it, so that those of two planners do not mix, and each part says it."""
    unit_files: tuple[int | None, ...]
    """The number of files of each unit; None of a shard, whose members are not known before it is read."""
    size: int
    """Bytes of all files."""
    record: RunRecord
    selection: dict[str, Any]
    """What was asked for of the files that were found."""
    passed_over: int = 0
    unreadable_folders: tuple[str, ...] = ()

    @property
    def units(self) -> int:
        """Return how many units there are."""
        return len(self.unit_files)

    @property
    def files(self) -> int:
        """Return how many files there are, but for the members of shards."""
        return sum(filter(None, self.unit_files))

    def standing(self) -> Plan:
        """Return this plan, which stands; see `Planning.standing`."""
        return self

    def as_json(self) -> bytes:
        """Return the content of ``_plan.json``."""
        return (json.dumps({**asdict(self), "files": self.files}) + "\n").encode()

    @classmethod
    def of_json(cls, content: bytes, place: str) -> Plan:
        """Return the plan that stands at a place.

        Raises:
            LabelerError: it is none.
        """
        try:
            found = json.loads(content)
            return cls(
                plan=str(found["plan"]),
                unit_files=tuple(None if count is None else int(count) for count in found["unit_files"]),
                size=int(found["size"]),
                record=run_record.of_json(found["record"]),
                selection=dict(found["selection"]),
                passed_over=int(found["passed_over"]),
                unreadable_folders=tuple(map(str, found["unreadable_folders"])),
            )
        except (ValueError, TypeError, LookupError, AttributeError, RecursionError) as exc:
            raise LabelerError(f"{place} is not a plan of this version of labeler: {one_line(exc)}") from exc

    def check(self, unit: int, done: Done) -> None:
        """Check that a part is that of a unit.

        Raises:
            ValueError: it is another one.
        """
        planned = self.unit_files[unit]
        files = done.files if planned is None else planned
        if (done.plan, done.unit, done.files) != (self.plan, unit, files):
            raise ValueError(f"it holds {done.files:,} files of unit {done.unit} of the plan {done.plan}")

    def refuse_other(self, out: str, record: RunRecord, selection: dict[str, Any]) -> None:
        """Refuse to go on with a plan that was made differently.

        Raises:
            LabelerError: the model, a setting, the inputs or the selection is not the same.
        """
        run_record.refuse_other(out, self.record, record)
        for name, then, now in (
            ("the inputs were", ", ".join(self.record.inputs), ", ".join(record.inputs)),
            ("the selection was", self.selection, selection),
        ):
            if then != now:
                raise LabelerError(
                    f"{out} was planned differently ({name} {then}, is {now}); a plan stands for good: give the same, "
                    "or choose another --out"
                )


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What came of a unit; each part says it of itself."""

    plan: str
    unit: int
    files: int
    counts: dict[str, int]
    """Files and faces, and files by status, see `Tally.counts`."""
    labels: dict[str, int]
    """Faces by label."""

    @classmethod
    def of(cls, plan: str, unit: int, tally: Tally) -> Done:
        """Return what was counted of a unit."""
        return cls(plan=plan, unit=unit, files=tally.files, counts=tally.counts(), labels=dict(tally.labels))

    @classmethod
    def of_json(cls, found: Any) -> Done:
        """Return what a part says.

        Raises:
            ValueError, TypeError, LookupError: it says nothing, or something else.
        """
        return cls(
            plan=str(found["plan"]),
            unit=int(found["unit"]),
            files=int(found["files"]),
            counts={str(name): int(count) for name, count in found["counts"].items()},
            labels={str(name): int(count) for name, count in found["labels"].items()},
        )

    def add_to(self, tally: Tally) -> None:
        """Add this to a tally."""
        tally.files += self.files
        tally.faces += self.counts["faces"]
        tally.labels.update(self.labels)
        tally.statuses.update({status: self.counts[status] for status in Status if self.counts.get(status)})


def cut(pages: Iterable[Listed], files: int) -> Iterator[Listed]:
    """Cut a listing into units of a number of files at most; each shard is a unit."""
    unit = Listed([], [], [])
    for page in pages:
        start = 0
        for shard in [place for place, name in enumerate(page.names) if is_shard(name)]:
            yield from _full(unit, page.run(start, shard), files)
            if unit.names:
                yield unit.taken()
            yield page.run(shard, shard + 1)
            start = shard + 1
        yield from _full(unit, page.run(start, len(page.names)), files)
    if unit.names:
        yield unit


def _full(unit: Listed, others: Listed, files: int) -> Iterator[Listed]:
    """Add files to a unit, and yield what is in it whenever it is full."""
    start = 0
    while start < len(others.names):
        end = start + files - len(unit.names)
        unit.extend(others.run(start, end))
        start = end
        if len(unit.names) == files:
            yield unit.taken()
