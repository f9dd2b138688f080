"""Units to parts: label the files of units, and put each part as soon as its unit is complete."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from itertools import chain

from labeler import heap, pipeline
from labeler.batches import Batches
from labeler.executors.threads import one_ahead
from labeler.job import Labelled
from labeler.member import is_shard
from labeler.parts.directory import Directory
from labeler.parts.plan import Done, Plan
from labeler.parts.planning import Planning
from labeler.profile import Profile
from labeler.records import ListedName, Row
from labeler.sources import Source

_PUTS_WAITING = 2
"""Upper limit on finished units whose parts are being put while others are labelled."""


class Labelling:
    """Labels units of a plan and puts their parts."""

    def __init__(
        self,
        out: Directory,
        plan: Plan | Planning,
        source: Source,
        work: Callable[[Iterable[list[str]]], Iterator[Labelled]],
        batch_size: int,
        profile: Profile,
    ) -> None:
        self._out, self._plan, self._source = out, plan, source
        batches = Batches(batch_size, profile, source.store.batch_s)
        self._label = partial(pipeline.labelled, source.store, work=work, batches=batches)
        self._lock = threading.Lock()
        self._waiting: deque[_Unit] = deque()
        """Units that were begun, in the order in which their rows come."""

    def of(self, units: Iterable[int], told: Callable[[list[Row]], None]) -> Iterator[Done]:
        """Yield what came of each unit, as soon as its part is put; ``told`` is called with the rows of each batch.

        A unit whose part another process has put meanwhile is left out.

        Raises:
            OverruledError: another plan stands, see `Planning`.
            OutputError: the directory cannot be read or written.
        """
        puts: list[Future[Done]] = []
        pool = ThreadPoolExecutor(1)
        try:
            with heap.few_collections():
                for rows in chain(self._label(self._names(units)), [[]]):
                    told(rows)
                    puts += [pool.submit(self._put, unit) for unit in self._completed(rows)]
                    while puts and (puts[0].done() or len(puts) > _PUTS_WAITING):
                        yield puts.pop(0).result()
                for put in puts:
                    yield put.result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)  # After Ctrl-C, nobody waits for a plan in the making.

    def rows(self, number: int) -> list[Row]:
        """Return the rows of one unit; of several threads one labels at a time, while the others do the rest.

        Raises:
            OutputError: the directory cannot be read.
        """
        unit = _Unit(number, self._files(number))
        with self._lock:
            for rows in self._label(iter(unit.names)):
                unit.take(rows)
        return unit.complete()

    def _put(self, unit: _Unit) -> Done:
        return self._out.put(self._plan.standing(), unit.number, unit.complete())

    def _names(self, units: Iterable[int]) -> Iterator[str]:
        for unit, names in one_ahead(self._begun(units)):
            self._waiting.append(_Unit(unit, names))
            yield from names

    def _begun(self, units: Iterable[int]) -> Iterator[tuple[int, list[str]]]:
        """Yield the units whose parts are not there, with their files."""
        for unit in units:
            if self._out.has(unit):
                continue
            yield unit, self._files(unit)

    def _files(self, unit: int) -> list[str]:
        names = self._out.names(self._plan.plan, unit)
        return list(self._source.members(*names)) if is_shard(names[0]) else names

    def _completed(self, rows: list[Row]) -> Iterator[_Unit]:
        """Add rows to their units; yield the units that are complete with them, and those that have no files."""
        while True:
            while self._waiting and not self._waiting[0].left:
                yield self._waiting.popleft()
            if not rows:
                return
            rows = self._waiting[0].take(rows)


class _Unit:
    """A unit that was begun: its files, and the rows that came of them so far."""

    def __init__(self, number: int, names: list[str]) -> None:
        self.number = number
        self.left = len(names)
        """How many files are awaited; none at first of a shard without photos."""
        self.names = names
        self._rows: list[Row] = []

    def take(self, rows: list[Row]) -> list[Row]:
        """Take the rows of the files that are awaited; return the others, which are of files that come later."""
        firsts = [place for place, row in enumerate(rows) if not row.face]
        end = firsts[self.left] if len(firsts) > self.left else len(rows)
        self._rows += rows[:end]
        self.left = max(0, self.left - len(firsts))
        return rows[end:]

    def complete(self) -> list[Row]:
        """Return the rows, with what a list says of each file.

        Raises:
            RuntimeError: they are not those of the files, in order: a bug, which must not reach a table.
        """
        if [row.file for row in self._rows if not row.face] != self.names:
            raise RuntimeError(f"the rows of unit {self.number} are out of order")
        if self.names and isinstance(self.names[0], ListedName):
            kept = {str(name): name.kept for name in self.names if isinstance(name, ListedName)}
            return [row._replace(kept=kept[row.file]) for row in self._rows]
        return self._rows
