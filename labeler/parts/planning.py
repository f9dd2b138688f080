"""A plan that is being made: its units are labelled while the photos that follow are still being listed."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterator
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from queue import SimpleQueue

from labeler.parts.directory import Directory
from labeler.parts.plan import Plan
from labeler.sources import Source
from labeler.tables.run_record import RunRecord


class OverruledError(Exception):
    """Another planner was first, so its plan stands: what was labelled after this one is of no use."""


class Planning:
    """A plan in the making, in a thread of its own, which does not hold up the end of the process.

    Attributes:
        plan: The name of the plan, see `Plan.plan`.
        listed: How many photos and shards are in the units so far.
    """

    def __init__(self, out: Directory, source: Source, record: RunRecord, unit_files: int) -> None:
        self.plan = secrets.token_hex(8)
        self.listed = 0
        self._closed = False
        self._units: SimpleQueue[int | None] = SimpleQueue()
        self._stands: Future[Plan] = Future()
        threading.Thread(target=self._make, args=(out, source, record, unit_files), daemon=True).start()

    def close(self) -> None:
        """Stop, unless the plan stands by now; nobody waits for it any more."""
        self._closed = True
        self._units.put(None)
        with suppress(InvalidStateError):
            self._stands.set_exception(OverruledError())

    @property
    def stands(self) -> Plan | None:
        """Return the plan that stands, None as long as none does."""
        return self._stands.result() if self._stands.done() and not self._stands.exception() else None

    def units(self) -> Iterator[int]:
        """Yield each unit as soon as its manifest is there.

        Raises:
            LabelerError: the photos cannot be listed, or the directory cannot be written.
        """
        while (unit := self._units.get()) is not None:
            yield unit
        if not self._closed:
            self.found()

    def found(self) -> Plan:
        """Return the plan that stands in the end, be it this one or another.

        Raises:
            LabelerError: as `units`.
        """
        return self._stands.result()

    def standing(self) -> Plan:
        """Return this plan once it stands.

        Raises:
            OverruledError: another one stands.
            LabelerError: as `units`.
        """
        plan = self.found()
        if plan.plan != self.plan:
            raise OverruledError
        return plan

    def _make(self, out: Directory, source: Source, record: RunRecord, unit_files: int) -> None:
        with suppress(InvalidStateError):  # It was closed meanwhile.
            try:
                self._stands.set_result(out.make_plan(self.plan, source, record, unit_files, self._note))
            except BaseException as exc:  # noqa: BLE001 - it is raised where the plan is awaited
                self._stands.set_exception(exc)
        self._units.put(None)

    def _note(self, unit: int, files: int) -> None:
        if self._closed:
            raise OverruledError
        self.listed += files
        self._units.put(unit)
