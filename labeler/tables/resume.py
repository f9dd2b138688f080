"""What is left to label: the files that were found and are not in the table, and those of the table to redo."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from itertools import chain

from labeler import storage
from labeler.records import EXAMPLES, ListedName, Redo, Row, Settings, Tally, by_file
from labeler.storage.crops import Crops
from labeler.tables.order import keyed, outer_join

_TOLD_EVERY = 1000
"""Files; they are counted in a hundredth of a second."""


class Agenda:
    """The names of the files to label, each once. What stays in the table as it is, is counted on the way.

    Attributes:
        vanished: Files in the table that are no more, known when all names were given out.
        vanished_files: The first few of them.
        unnamed: Files in the table that are still there, and were not among the names.

    ``told`` is called from time to time while rows of the table are counted.
    """

    def __init__(
        self,
        settings: Settings,
        redo: Collection[str],
        tally: Tally,
        told: Callable[[], None] = lambda: None,
    ) -> None:
        self.vanished = self.unnamed = 0
        self.vanished_files: list[str] = []
        self._settings = settings
        self._store = storage.at(settings.root)
        self._crops = Crops(settings)
        self._redo = redo
        self._tally = tally
        self._told = told
        self._again: dict[str, list[Row]] = {}
        """What stands in the table of the files that were given out to be labelled again, until they were."""
        self._kept: dict[str, tuple[str, ...]] = {}
        """What a list says of the files that were given out, until their rows come."""

    def to_label(self, names: Iterable[str], settled: Iterable[tuple[list[Row], bool]]) -> Iterator[str]:
        """Yield those of the names to label, given what stands in the table; both come in the order of `key`.

        Raises:
            LabelerError: one of the two does not.
        """
        found = keyed(names, str)
        standing = keyed(settled, lambda group: group[0][0].file)
        for name, stands in outer_join(found, standing):
            if stands is None:
                assert name is not None
                yield name if type(name) is str else self._given_out(name)  # Nearly all of them, in most runs.
                continue
            rows, final = stands
            if name is not None and not final and self._is_to_redo(name, rows):
                self._again[name] = rows
                yield self._given_out(name)
                continue
            self._keep(rows)
            if name is None:
                self._note_unnamed(rows[0].file)

    def to_write(self, rows: Sequence[Row]) -> list[Row]:
        """Count rows that were made; return those that the table is to get.

        Of a file that has gone since it was given out to be labelled again it gets none: what it holds stays.
        """
        if self._kept:
            rows = list(chain.from_iterable(map(self._with_kept, by_file(rows))))
        if self._again:
            rows = list(chain.from_iterable(map(self._to_write, by_file(rows))))
        for row in rows:
            self._tally.add(row)
        return list(rows)

    def _given_out(self, name: str) -> str:
        if not isinstance(name, ListedName):
            return name
        self._kept[name] = name.kept
        return str(name)

    def _with_kept(self, made: list[Row]) -> list[Row]:
        kept = self._kept.pop(made[0].file)
        return [row._replace(kept=kept) for row in made]

    def _to_write(self, made: list[Row]) -> list[Row]:
        before = self._again.pop(made[0].file, None)
        if before is None:
            return made
        if made[0].failed and self._store.version(made[0].file) is None:
            self._note_vanished(made[0].file)
            self._keep(before)
            return []
        if self._settings.save_crops:
            self._remove_crops(before, sum(row.face is not None for row in made))
        return made

    def _remove_crops(self, before: Sequence[Row], faces: int) -> None:
        """Remove the crops that were kept of faces which are no more."""
        for row in before[faces:]:
            if row.face is not None:
                self._crops.remove(row.file, row.face)

    def _is_to_redo(self, name: str, rows: Sequence[Row]) -> bool:
        if Redo.FAILED in self._redo and rows[0].failed:
            return True
        if Redo.CHANGED not in self._redo:
            return False
        if isinstance(name, ListedName) and name.kept != rows[0].kept:
            return True
        return self._store.version(rows[0].file) not in (rows[0].version, None)

    def _keep(self, rows: Iterable[Row]) -> None:
        self._tally.resumed += 1
        for row in rows:
            self._tally.add(row)
        if self._tally.resumed % _TOLD_EVERY == 0:
            self._told()

    def _note_unnamed(self, file: str) -> None:
        if self._store.version(file) is None:
            self._note_vanished(file)
        else:
            self.unnamed += 1

    def _note_vanished(self, file: str) -> None:
        self.vanished += 1
        if len(self.vanished_files) < EXAMPLES:
            self.vanished_files.append(file)
