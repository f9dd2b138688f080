"""A directory of parts as it is written: its plan, its manifests, its parts, and that it is finished."""

from __future__ import annotations

import json
import os
from array import array
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path

from labeler import storage
from labeler.errors import LabelerError, OutputError, one_line
from labeler.executors.threads import mapped
from labeler.member import is_shard
from labeler.parts import manifest
from labeler.parts.plan import Done, Plan, cut
from labeler.records import Row, Tally
from labeler.sources import Source
from labeler.storage.address import is_remote, shown
from labeler.storage.store import FileError, Listed
from labeler.tables import parts
from labeler.tables.run_record import PLAN, SUCCESS, RunRecord

_LONGEST_PLAN = 1 << 28
_LONGEST_MANIFEST = 1 << 30
"""Upper limits in bytes."""

_FOOTER = 1 << 16
"""Bytes at the end of a part that hold its footer, nearly always."""

_AT_ONCE, _READ_AT_ONCE = 16, 64
"""Requests to a store at the same time; those that read little."""


class Directory:
    """The directory at an address, local or remote."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.place = shown(address)
        self.store = storage.at(address)

    def plan(self) -> Plan | None:
        """Return the plan that stands, if there is one.

        Raises:
            LabelerError: what stands there is no plan.
            OutputError: it cannot be read.
        """
        if self.store.version(PLAN) is None:
            return None
        return Plan.of_json(self._read(PLAN, _LONGEST_PLAN), f"{self.place}/{PLAN}")

    def make_plan(
        self, name: str, source: Source, record: RunRecord, unit_files: int, told: Callable[[int, int], None]
    ) -> Plan:
        """List the photos, write the manifests, then the plan; of two planners the first one's plan stands for both.

        ``told`` is called with each unit and the number of its files, as soon as its manifest is there.

        Raises:
            LabelerError: the photos cannot be listed.
            OutputError: the directory cannot be written.
        """
        made = _Counts()

        def write(unit: int, found: Listed) -> tuple[int, int]:
            self.store.write(_manifest(name, unit), manifest.encode(found))
            return unit, len(found.names)

        with self._writing():
            if not is_remote(self.address):
                os.makedirs(os.path.join(self.address, parts.PARTS), exist_ok=True)  # It is listed before it is filled.
            waiting: deque[Future[tuple[int, int]]] = deque()
            with ThreadPoolExecutor(_AT_ONCE) as pool:
                for unit, found in enumerate(cut(source.listed(), unit_files)):
                    made.add(found)
                    waiting.append(pool.submit(write, unit, found))
                    while waiting and (waiting[0].done() or len(waiting) > _AT_ONCE):
                        told(*waiting.popleft().result())
                while waiting:
                    told(*waiting.popleft().result())
            plan = Plan(
                plan=name,
                unit_files=tuple(made.files),
                size=made.size,
                record=record,
                selection=source.selection.as_json() if source.selection else {},
                passed_over=source.passed_over,
                unreadable_folders=tuple(source.unreadable),
            )
            if not plan.units or self.store.write_new(PLAN, plan.as_json()):
                return plan
        other = self.plan()
        assert other
        return other

    def done(self, plan: Plan) -> bytearray:
        """Return for each unit whether its part is there, as bytes of 0 and 1, by one listing."""
        there = bytearray(plan.units)
        for page in self.store.listed([parts.PARTS], lambda _: False):
            for name in page.names:
                unit = parts.unit_of(name)
                if unit is not None and unit < plan.units:
                    there[unit] = 1
        return there

    def has(self, unit: int) -> bool:
        """Say whether the part of a unit is there by now."""
        return self.store.version(parts.part(unit)) not in (None, "")

    def names(self, plan: str, unit: int) -> list[str]:
        """Return the files of a unit of the plan of this name, in order.

        Raises:
            OutputError: its manifest cannot be read.
        """
        name = _manifest(plan, unit)
        try:
            return manifest.names(self._read(name, _LONGEST_MANIFEST))
        except ValueError as exc:
            raise OutputError(f"{self.place}/{name} is damaged: {exc}; choose another --out") from exc

    def put(self, plan: Plan, unit: int, rows: list[Row]) -> Done:
        """Put the part of a unit, unless it is there by now: then the rows of both are the same.

        Raises:
            OutputError: it cannot be written.
        """
        from labeler.tables import parquet  # Deferred: see `tables.formats`.

        tally = Tally()
        tally.add_all(rows)
        done = Done.of(plan.plan, unit, tally)
        with self._writing():
            self.store.write_new(parts.part(unit), parquet.part(rows, plan.record, json.dumps(asdict(done))))
        return done

    def content(self, unit: int) -> bytes:
        """Return the part of a unit, as it stands.

        Raises:
            OutputError: it cannot be read.
        """
        return self._read(parts.part(unit), _LONGEST_MANIFEST)

    def rows(self, plan: Plan, unit: int, content: bytes) -> Iterator[Row]:
        """Yield the rows of a part.

        Raises:
            OutputError: it is damaged, or is not the part that was planned.
        """
        from labeler.tables import parquet  # Deferred: see `tables.formats`.

        try:
            plan.check(unit, Done.of_json(json.loads(parquet.said(content))))
            yield from parquet.rows_of(content)
        except (ValueError, TypeError, LookupError) as exc:
            raise self._not_planned(unit, exc) from exc

    def finished(self, plan: Plan) -> Tally | None:
        """Return the sum of all parts, if they were found complete before.

        Raises:
            OutputError: what says so cannot be read.
        """
        if self.store.version(SUCCESS) is None:
            return None
        whole = Tally()
        try:
            said = json.loads(self._read(SUCCESS, _LONGEST_PLAN))
            counts = said["record"]["counts"]
            done = Done.of_json({**said, "unit": 0, "files": counts["files"], "counts": counts})
        except (ValueError, TypeError, LookupError):  # Of an earlier version, or damaged: the parts say it.
            return None
        done.add_to(whole)
        return whole if done.plan == plan.plan else None

    def finish(self, plan: Plan) -> Tally:
        """Check that each part is the one that was planned, and say that all are there; return the sum of them.

        Raises:
            OutputError: a part is missing or of another plan.
        """
        whole = Tally()
        sized = self._sized(plan)
        if is_remote(self.address):
            said: Iterator[Done] = mapped(self._said, sized, threads=_READ_AT_ONCE)
        else:
            said = map(self._said, sized)  # A thread costs more than what it would do.
        for unit, done in enumerate(said):
            try:
                plan.check(unit, done)
            except ValueError as exc:
                raise self._not_planned(unit, exc) from exc
            done.add_to(whole)
        record = replace(plan.record, finished=True, counts=whole.counts())
        with self._writing():
            self.store.write_new(SUCCESS, parts.success(asdict(record), plan.units, plan.plan, whole.labels))
        return whole

    def _sized(self, plan: Plan) -> Iterator[tuple[int, int]]:
        """Yield each unit, and the bytes of its part."""
        sizes = array("q", bytes(8 * plan.units))
        for page in self.store.listed([parts.PARTS], lambda _: False):
            for name, size in zip(page.names, page.sizes, strict=True):
                unit = parts.unit_of(name)
                if unit is not None and unit < plan.units:
                    sizes[unit] = size
        yield from enumerate(sizes)

    def _said(self, part: tuple[int, int]) -> Done:
        """Return what the part of a unit says of itself, given its size."""
        from labeler.tables import parquet  # Deferred: see `tables.formats`.

        unit, size = part
        name = parts.part(unit)
        try:
            content = self.store.read_range(name, max(0, size - _FOOTER), _FOOTER).data
            if (wanted := parquet.footer_bytes(content)) > len(content):
                content = self.store.read_range(name, max(0, size - wanted), wanted).data
            return Done.of_json(json.loads(parquet.said(content)))
        except FileError as exc:
            raise OutputError(f"{self.place}/{name} cannot be read: {exc.reason}") from exc
        except (ValueError, TypeError, LookupError) as exc:
            raise self._not_planned(unit, exc) from exc

    def _not_planned(self, unit: int, exc: Exception) -> OutputError:
        return OutputError(
            f"{self.place}/{parts.part(unit)} is damaged, or not the part that was planned ({one_line(exc)}); remove "
            "it and run the same classify command again"
        )

    def _read(self, name: str, limit: int) -> bytes:
        try:
            return self.store.read(name, limit).data
        except FileError as exc:
            raise OutputError(f"{self.place}/{name} cannot be read: {exc.reason}") from exc

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as exc:
            raise OutputError(
                f"cannot write {self.place}: {exc.strerror or exc}. What is done is kept: run the same command to "
                "continue"
            ) from exc


class _Counts:
    """What is counted while a plan is made."""

    def __init__(self) -> None:
        self.files: list[int | None] = []
        self.size = 0

    def add(self, unit: Listed) -> None:
        """Count the files of a unit."""
        self.files.append(None if is_shard(unit.names[0]) else len(unit.names))
        self.size += sum(unit.sizes)


def check(out: str) -> None:
    """Refuse a directory that cannot be used: what stands there is not ours, or is a file.

    Raises:
        LabelerError: it cannot be used.
    """
    if is_remote(out):
        return
    path = Path(out)
    if path.exists() and not path.is_dir():
        raise LabelerError(f"{path} is a file; a directory for parts is new, empty, or was begun by this command")
    if path.is_dir() and not parts.is_directory(path):
        ours = {parts.MANIFEST, parts.PARTS}  # Of a planner that was killed; and hidden files are never read.
        others = sorted(name for name in os.listdir(path) if name not in ours and not name.startswith("."))
        if others:
            raise LabelerError(f"{path} holds other files ({others[0]}, ...); parts go into a new or empty directory")


def _manifest(plan: str, unit: int) -> str:
    return f"{parts.MANIFEST}/{plan}/{unit:08}.parquet"
