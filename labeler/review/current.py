"""The labels that count now: those of the table, corrected by what is in force of its reviews."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from labeler.records import Row
from labeler.tables.cells import escape
from labeler.tables.corrections import HashOf, Reviews
from labeler.tables.index import Codes, Index
from labeler.tables.matching import LEAST_IOU, Box, box_of, iou
from labeler.tables.review_log import Log
from labeler.tables.reviews import Event, Kind, now
from labeler.tables.verdicts import Verdict

_ROWS_KEPT = 1 << 12
"""Upper limit on the rows that are kept, about 1 kB each: whoever labels one looks at it three times."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What a person says about one face."""

    row: int
    new: str
    hash: str | None = None
    """BLAKE2b-128 of the photo's bytes; None where it was not read."""
    view: str = ""
    shown: bool = True
    ms: int | None = None
    old: str | None = None
    """The label that the person saw; None for that which counts."""


class Current:
    """The label of each row by number: of the table, then of faces that were added. For one thread at a time."""

    def __init__(self, index: Index, log: Log, reviewer: str, hash_of: HashOf) -> None:
        self.index, self.reviewer = index, reviewer
        self.labels = list(index.labels)
        self.reviewers: list[str] = []
        self.label: Codes = index.label.copy()
        self.by: NDArray[np.int16] = np.full(len(index), -1, np.int16)
        """Who decided the label, a place in `reviewers`; -1 where nobody looked."""
        self.orphans: Counter[str] = Counter()
        """Events that belong to no face of the table, by file, as they were at the start."""
        self.changes = 0
        """How often something was said or undone since the start."""
        self._log, self._hash_of = log, hash_of
        self._row = lru_cache(_ROWS_KEPT)(index.row)
        self._codes = {label: code for code, label in enumerate(self.labels)}
        self._counts = Counter(dict(enumerate(np.bincount(index.label, minlength=len(self.labels)).tolist())))
        self._added: list[tuple[str, Box]] = []
        events = log.read()
        self.reviews = Reviews(events)
        self._rows = index.rows_of(self.reviews.files)
        for event in events:  # In the order of the log: what a page could not send before a kill names these rows.
            if event.kind is Kind.ADD and event.box and event.file in self._rows:
                self._number(event.file, event.box)
        for file in self.reviews.files:
            self._settle(file, self.orphans)

    def __len__(self) -> int:
        return len(self.label)

    @property
    def reviewed(self) -> int:
        """Return how many rows somebody looked at."""
        return int(np.count_nonzero(self.by >= 0))

    @property
    def counts(self) -> dict[str, int]:
        """Return how many rows have each label; those without one are not counted."""
        return {label: self._counts[code] for code, label in enumerate(self.labels) if label and self._counts[code]}

    def code(self, label: str) -> int:
        """Return the code of a label; -1 of one that no row has."""
        return self._codes.get(label, -1)

    def row(self, number: int) -> Row:
        """Return a row as the table has it; that of an added face with its box and nothing predicted."""
        if number < len(self.index):
            return self._row(number)
        _, box = self._added[number - len(self.index)]
        rows = self.beside(number)
        first = self._row(rows[0])
        return Row(
            first.file,
            rows.index(number),
            *box,
            image_width=first.image_width,
            image_height=first.image_height,
            version=first.version,
        )

    def beside(self, number: int) -> list[int]:
        """Return the numbers of all rows of a row's file."""
        inside = number < len(self.index)
        file = self.index.row(number).file if inside else self._added[number - len(self.index)][0]
        own = self.index.rows_beside(number) if inside else self._rows[file]
        return own + [len(self.index) + at for at, (other, _) in enumerate(self._added) if other == file]

    def numbers_of(self, file: str) -> list[int]:
        """Return the rows of a file, added faces among them; none of one about which nothing was said."""
        own = self._rows.get(file, [])
        return own + [len(self.index) + at for at, (other, _) in enumerate(self._added) if other == file]

    def name(self, number: int) -> str:
        """Return the name of a row's file, escaped."""
        inside = number < len(self.index)
        return self.index.name(number) if inside else escape(self._added[number - len(self.index)][0])

    def before(self, number: int) -> str:
        """Return the label of the model; empty for an added face."""
        return self.labels[self.index.label[number]] if number < len(self.index) else ""

    def shown(self, number: int) -> dict[str, object]:
        """Return what counts for a row, for the page."""
        by = int(self.by[number])
        return {
            "row": number,
            "label": self.labels[self.label[number]],
            "before": self.before(number) if by >= 0 else None,
            "reviewed": by >= 0,
            "reviewer": self.reviewers[by] if by >= 0 else None,
        }

    def say(self, action: str, said: Sequence[Said]) -> list[int]:
        """Label rows in one action; return the rows once that is on the disk.

        Said again, it adds only what is missing: a kill may have left some of its events.

        Raises:
            ValueError: it cannot be said.
            LabelerError: the log cannot be written. Then nothing changes.
        """
        time = now(self.reviews.last_time)
        self._write([self._event(action, time, one, self._known(one.row)) for one in said])
        return [one.row for one in said]

    def add(self, action: str, said: Said, box: Box) -> int:
        """Add a face that the detector missed, in the photo of a row; return the number of its own row.

        Raises:
            ValueError: it cannot be said.
            LabelerError: the log cannot be written. Then nothing changes.
        """
        row = self._known(said.row)
        self._write([self._event(action, now(self.reviews.last_time), said, row, box)])
        return self._number(row.file, box)

    def undo(self, action: str) -> tuple[str, list[int]]:
        """Undo the last action of this reviewer; return it, empty if there is none, and the rows of its files.

        Raises:
            LabelerError: the log cannot be written. Then nothing changes.
        """
        return self._revoke(action, self.reviews.actions.to_undo(self.reviewer))

    def redo(self, action: str) -> tuple[str, list[int]]:
        """Redo the action that was undone last; return what `undo` does."""
        return self._revoke(action, self.reviews.actions.to_redo(self.reviewer))

    def _revoke(self, action: str, undoes: str) -> tuple[str, list[int]]:
        event = self.reviews.actions.undo_of(action, self.reviewer)  # Asked for again: its answer was lost.
        if not event and undoes:
            time = now(self.reviews.last_time)
            event = Event(action=action, time=time, reviewer=self.reviewer, kind=Kind.UNDO, undoes=undoes)
        if not event:
            return "", []
        self._write([event])
        rows = sorted(row for file in self.reviews.files_of(event) for row in self.numbers_of(file))
        return self.reviews.actions.target(event), rows

    def _known(self, number: int) -> Row:
        """Return a row, and remember which rows its file has: to find them by name takes 50 ms of a million."""
        row = self.row(number)
        if row.file not in self._rows:
            self._rows[row.file] = self.index.rows_beside(number)
        return row

    def _event(self, action: str, time: str, said: Said, row: Row, box: Box | None = None) -> Event:
        is_added = box is not None or said.row >= len(self.index)
        return Event(
            action=action,
            time=time,
            reviewer=self.reviewer,
            kind=Kind.ADD if is_added else Kind.LABEL,
            file=row.file,
            box=box or box_of(row),
            version=row.version,
            hash=said.hash,
            old="" if box else self.labels[self.label[said.row]] if said.old is None else said.old,
            new=said.new,
            view=said.view,
            shown=said.shown,
            ms=said.ms,
        )

    def _write(self, events: list[Event]) -> None:
        """Put events on the disk, then into memory, each once."""
        self._log.append(events)
        self.changes += 1
        for file in self.reviews.add(events):
            self._settle(file, Counter())

    def _settle(self, file: str, orphans: Counter[str]) -> None:
        """Decide the labels of a file's faces anew."""
        numbers = self._rows.get(file)
        if not numbers:
            orphans.update(event.file for event in self.reviews.of(file) if self.reviews.actions.in_force(event))
            return
        rows = [self._row(number) for number in numbers]
        verdicts = self.reviews.decide(rows, self._hash_of)
        labelled = [number for number, row in zip(numbers, rows, strict=True) if row.label]
        decided: dict[int, Verdict | None] = dict.fromkeys(self.numbers_of(file))
        decided.update(zip(labelled, verdicts.faces, strict=False))  # No faces where the picture cannot be read.
        for verdict in verdicts.added:
            decided[self._number(file, verdict.event.box or Box(0, 0, 0, 0))] = verdict
        for number, one in decided.items():
            self._set(number, one)
        orphans.update(event.file for event in verdicts.orphans)

    def _set(self, number: int, verdict: Verdict | None) -> None:
        code = self._code(verdict.label if verdict else self.before(number))
        self._counts[int(self.label[number])] -= 1
        self._counts[code] += 1
        self.label[number] = code
        self.by[number] = self._reviewer(verdict.event.reviewer) if verdict else -1

    def _number(self, file: str, box: Box) -> int:
        """Return the number of the row of an added face; a new one, unless its place has one."""
        for at, (other, place) in enumerate(self._added):
            if other == file and iou(place, box) >= LEAST_IOU:
                return len(self.index) + at
        self._added.append((file, box))
        self.label = np.append(self.label, np.uint16(self._codes[""]))
        self.by = np.append(self.by, np.int16(-1))
        self._counts[self._codes[""]] += 1
        return len(self.label) - 1

    def _reviewer(self, name: str) -> int:
        if name not in self.reviewers:
            self.reviewers.append(name)
        return self.reviewers.index(name)

    def _code(self, label: str) -> int:
        if label not in self._codes:
            self._codes[label] = len(self.labels)
            self.labels.append(label)
        return self._codes[label]
