"""What is left to label: files of the table that are labelled again, in its order, then those that are not in it."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from itertools import chain

from labeler.records import EXAMPLES, Redo, Row, Settings, Tally, by_file
from labeler.storage import atomic
from labeler.storage.crops import Crops
from labeler.tables.run_record import RunRecord

_TOLD_EVERY = 1000
"""Files; they are counted in a hundredth of a second."""


class Agenda:
    """The names of the files to label, each once. What stays in the table as it is, is counted on the way.

    Attributes:
        vanished: Files in the table that are no more, known when all names were given out.
        vanished_files: The first few of them.

    ``told`` is called from time to time while rows of the table are counted.
    """

    def __init__(
        self,
        names: Iterable[str],
        settings: Settings,
        record: RunRecord,
        tally: Tally,
        told: Callable[[], None] = lambda: None,
        selects: Callable[[str], bool] = lambda _: True,
    ) -> None:
        self.vanished = 0
        self.vanished_files: list[str] = []
        self._names = iter(names)
        self._settings = settings
        self._crops = Crops(settings)
        self._redo: Collection[str] = record.redo or ()
        self._tally = tally
        self._told = told
        self._selects = selects
        self._again: dict[str, list[Row]] = {}
        """What stands in the table of the files that were given out to be labelled again, until they were."""

    def names(self, done: Iterable[Row], earlier: Iterable[Row]) -> Iterator[str]:
        """Yield names, given the rows to leave as they are, then those of which some are to be made again.

        The table and the names come in the same order, so they are compared in step and nothing is remembered, until
        the first difference: pictures have come or gone since, and only then the rest of the table's names is kept.
        """
        rest: dict[str, bool] = {}
        in_step = True
        for rows, final in chain(
            ((rows, True) for rows in by_file(done)), ((rows, False) for rows in by_file(earlier))
        ):
            file = rows[0].file
            if in_step:
                name = next(self._names, None)
                in_step = name == file
                if name is not None and not in_step:
                    self._names = chain([name], self._names)
            if not in_step:
                rest[file] = False
            if final or not self._is_to_redo(rows):
                self._keep(rows)
            else:
                self._again[file] = rows
                yield file
        yield from self._new(rest)

    def settled(self, rows: Sequence[Row]) -> list[Row]:
        """Return what to write for rows that were made; of a file that has gone meanwhile, what stands in the table."""
        return list(chain.from_iterable(map(self._settled, by_file(rows)))) if self._again else list(rows)

    def _settled(self, made: list[Row]) -> list[Row]:
        before = self._again.pop(made[0].file, None)
        if before is None:
            return made
        if made[0].failed and atomic.gone(self._path(made[0].file)):
            self._note_vanished(made[0].file)
            return before
        if self._settings.save_crops:
            self._remove_crops(before, sum(row.face is not None for row in made))
        return made

    def _remove_crops(self, before: Sequence[Row], faces: int) -> None:
        """Remove the crops that were kept of faces which are no more."""
        for row in before[faces:]:
            if row.face is not None:
                self._crops.remove(row.file, row.face)

    def _new(self, rest: dict[str, bool]) -> Iterator[str]:
        """Yield the names that are not in the rest of the table, then note whom of the rest there was no name for."""
        for name in self._names:
            if name in rest:
                rest[name] = True
            else:
                yield name
        for name, found in rest.items():
            if not found and atomic.gone(self._path(name)):
                self._note_vanished(name)

    def _is_to_redo(self, rows: Sequence[Row]) -> bool:
        if not self._redo or not self._selects(rows[0].file):
            return False
        path = self._path(rows[0].file)
        if Redo.FAILED in self._redo and rows[0].failed:
            return not atomic.gone(path)
        return Redo.CHANGED in self._redo and atomic.version(path) not in (rows[0].version, None)

    def _keep(self, rows: Iterable[Row]) -> None:
        self._tally.resumed += 1
        for row in rows:
            self._tally.add(row)
        if self._tally.resumed % _TOLD_EVERY == 0:
            self._told()

    def _note_vanished(self, file: str) -> None:
        self.vanished += 1
        if len(self.vanished_files) < EXAMPLES:
            self.vanished_files.append(file)

    def _path(self, file: str) -> str:
        return os.path.join(self._settings.root, file)
