"""Units to parts: label the files of units, and put each part as soon as its unit is complete."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from itertools import chain

from labeler import pipeline
from labeler.executors.threads import one_ahead
from labeler.job import Labelled
from labeler.parts.directory import Directory
from labeler.parts.plan import Done, Plan
from labeler.profile import Profile
from labeler.records import ListedName, Row, by_file
from labeler.sources import Source

_PUTS_WAITING = 2
"""Upper limit on finished units whose parts are being put while others are labelled."""


class Labelling:
    """Labels units of a plan and puts their parts."""

    def __init__(
        self,
        out: Directory,
        plan: Plan,
        source: Source,
        work: Callable[[Iterable[list[str]]], Iterator[Labelled]],
        batch_size: int,
        profile: Profile,
    ) -> None:
        self._out, self._plan, self._source = out, plan, source
        self._label = partial(pipeline.labelled, source.store, work=work, batch_size=batch_size, profile=profile)
        self._awaited: dict[str, tuple[int, str]] = {}
        """The unit of each file whose rows are awaited, and its name, which may say more of it."""
        self._left: dict[int, int] = {}
        """How many files of a unit are awaited, for units that were begun."""
        self._rows: dict[int, list[Row]] = {}
        self._empty: list[int] = []
        """Units without files, which are complete: shards without photos."""

    def of(self, units: Iterable[int], told: Callable[[list[Row]], None]) -> Iterator[Done]:
        """Yield what came of each unit, as soon as its part is put; ``told`` is called with the rows of each batch.

        A unit whose part another process has put meanwhile is left out.

        Raises:
            OutputError: the directory cannot be read or written.
        """
        puts: list[Future[Done]] = []
        with ThreadPoolExecutor(1) as pool:
            for rows in self._label(self._names(units)):
                told(rows)
                for unit, made in chain(self._completed(rows), self._emptied()):
                    puts.append(pool.submit(self._out.put, self._plan, unit, made))
                while puts and (puts[0].done() or len(puts) > _PUTS_WAITING):
                    yield puts.pop(0).result()
            puts += [pool.submit(self._out.put, self._plan, unit, made) for unit, made in self._emptied()]
            for put in puts:
                yield put.result()

    def _names(self, units: Iterable[int]) -> Iterator[str]:
        for unit, names in one_ahead(self._begun(units)):
            if not names:
                self._empty.append(unit)
                continue
            self._left[unit], self._rows[unit] = len(names), []
            for name in names:
                self._awaited[name] = unit, name
                yield name

    def _begun(self, units: Iterable[int]) -> Iterator[tuple[int, list[str]]]:
        """Yield the units whose parts are not there, with their files."""
        for unit in units:
            if self._out.has(unit):
                continue
            names = self._out.names(self._plan, unit)
            yield unit, names if self._plan.unit_files[unit] is not None else list(self._source.members(*names))

    def _emptied(self) -> Iterator[tuple[int, list[Row]]]:
        while self._empty:
            yield self._empty.pop(), []

    def _completed(self, rows: Iterable[Row]) -> Iterator[tuple[int, list[Row]]]:
        """Add rows to their units; yield the units that are complete with them, and all their rows."""
        for group in by_file(rows):
            unit, name = self._awaited.pop(group[0].file)
            if isinstance(name, ListedName):
                group = [row._replace(kept=name.kept) for row in group]
            self._rows[unit].extend(group)
            self._left[unit] -= 1
            if not self._left[unit]:
                del self._left[unit]
                yield unit, self._rows.pop(unit)
