"""What the page can ask for: a table, its corrections, views and pictures, as values that JSON can hold."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from labeler.records import Row, Status
from labeler.review import aliases, asked, items, told
from labeler.review.alike import Alike
from labeler.review.cards import Cards
from labeler.review.current import Current
from labeler.review.refused import Refused
from labeler.review.thumbnails import Thumbnails
from labeler.review.views import Rows, Views, Wanted, found
from labeler.tables import folders, run_record
from labeler.tables.index import Index
from labeler.tables.matching import Box

SAMPLE = "sample"
"""The order of the blind cards that are left; filters do not matter to it."""


class Desk:
    """Answers the page's questions; for any number of threads."""

    def __init__(
        self,
        table: Path,
        current: Current,
        thumbnails: Thumbnails,
        alike: Alike | None = None,
        audited: Rows | None = None,
        *,
        read_only: bool,
        stopping: threading.Event,
        cards: Cards | None = None,
        certifies: bool = False,
    ) -> None:
        """``audited`` are all rows in the order of an audit, None without one; ``stopping`` ends what takes long.

        ``cards`` are None where no blind ones are shown; where it ``certifies``, nothing else is.
        """
        self.instance = secrets.token_hex(8)
        self.read_only = read_only
        self.stopping = stopping
        self.current, self.index, self.thumbnails = current, current.index, thumbnails
        prepared = {"alike": lambda: alike.order if alike else None, "audit": lambda: audited}
        self.views = Views(current, self.instance[:6], prepared)
        self.cards, self.certifies = cards, certifies
        self._alike, self._audited = alike, audited is not None
        self._table = table
        self._lock = threading.Lock()
        """Held by whoever changes the labels that count."""

    @cached_property
    def about(self) -> dict[str, Any]:
        """Return what does not change while the server runs."""
        index: Index = self.index
        record = run_record.read(self._table)
        counts = np.bincount(index.status, minlength=len(Status)).tolist()
        return {
            "table": self._table.name,
            "faces": int(np.count_nonzero(index.label != index.labels.index(""))),
            "files": _files(index),
            "classes": list(index.class_names),
            "keys": items.keys(index.class_names),
            "statuses": {str(one): count for one, count in zip(Status, counts, strict=True) if count},
            "folders": [list(one) for one in folders.listed(index.folder, index.folder_names)],
            "reviewer": self.current.reviewer,
            "read_only": self.read_only,
            "model": record.model if record else "",
            "audit": self._audited,
            "certify": self.certifies,
            "orphans": sum(self.current.orphans.values()),
            "instance": self.instance,
        }

    def table(self) -> dict[str, Any]:
        """Return what the page has to know at its start."""
        current = self.current
        return {
            **self.about,
            "counts": {} if self.certifies else current.counts,
            "reviewers": list(dict.fromkeys([*current.reviewers, current.reviewer])),
            "reviewed": current.reviewed,
            "alike": self.alike(),
            "cards": self._told(),
        }

    def status(self) -> dict[str, Any]:
        """Return what the page asks for every few seconds."""
        reviewed = self.current.reviewed
        return {"instance": self.instance, "reviewed": reviewed, "alike": self.alike(), "cards": self._told()}

    def alike(self) -> dict[str, Any]:
        """Return how far the order by likeness is prepared."""
        if not self._alike:
            return {"state": "none", "done": 0, "problem": "the model that labelled the table is not here"}
        return {"state": self._alike.state, "done": round(self._alike.done, 3), "problem": self._alike.problem}

    def _told(self) -> dict[str, Any] | None:
        if not self.cards:
            return None
        with self._lock:
            return self.cards.told()

    def view(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Make a view of the rows that are wanted; say where the first is of some rows that are asked for as well."""
        near = asked.near(body)
        wanted = Wanted.of({name: value for name, value in body.items() if name != "near"})
        if wanted.order == SAMPLE:
            cards = self._cards()
            with self._lock:
                rows = cards.upcoming()
        else:
            rows = self.views.rows(wanted)
            if self.cards and not self.certifies:
                self.cards.settle()
                with self._lock:
                    rows = self.cards.salted(rows, wanted)
        name, count = self.views.keep(rows)
        return {"view": name, "count": count, "found": found(rows, near)}

    def card(self, skip: int) -> dict[str, Any]:
        """Return the next blind card after ``skip`` that were passed over; None where none is left."""
        cards = self._cards()
        with self._lock:
            number = cards.next(skip)
            return {"item": None if number is None else self._item(number)}

    def part(self, view: str, start: int, count: int) -> dict[str, Any]:
        """Return some rows of a view."""
        numbers = self.views.part(view, start, count)
        with self._lock if any(map(aliases.is_one, numbers)) else nullcontext():
            return {"items": [self._item(number) for number in numbers]}

    def rows(self, numbers: Sequence[int]) -> dict[int, Row]:
        """Return the rows of some numbers.

        Raises:
            Refused: there is no such row.
        """
        return {number: self.row(number) for number in numbers}

    def row(self, number: int) -> Row:
        """Return a row, also that of an alias.

        Raises:
            Refused: there is no such row.
        """
        if aliases.is_one(number):
            number = self._cards().row(number)
        if not 0 <= number < len(self.current):
            raise Refused(404, f"there is no row {number}")
        return self.current.row(number)

    def face(self, number: int) -> dict[str, Any]:
        """Return all about one row, and the other faces of its photo; of a blind card only what it shows."""
        row = self.row(number)
        missing = self.thumbnails.missing(row) or None
        with self._lock:
            own = {**items.face(self.current, aliases.row(number)), "missing": missing}
            return own if not aliases.is_one(number) else self._cards().face(number, own)

    def photo(self, number: int, side: int) -> bytes:
        """Return the photo of a row as a JPEG file."""
        return self.thumbnails.photo(self.row(number), side)

    def sprite(self, rows: Mapping[int, Row], side: int, stopped: Callable[[], bool]) -> tuple[bytes, dict[int, str]]:
        """Return the tiles of some rows as one JPEG file, and why those are gray that are."""
        return self.thumbnails.sprite(rows, side, lambda: stopped() or self.stopping.is_set())

    def say(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Label faces; return once it is on the disk."""
        self._writable()
        action, said = asked.events(body, self.current)
        numbers = [one.row for one in said]
        said = [asked.with_hash(one, self.thumbnails.hash_of(self.row(one.row))) for one in said]
        with self._lock:
            said = [one if not aliases.is_one(one.row) else self._cards().meant(one) for one in said]
            self.current.say(action, said)
            return self._changed(numbers)

    def add(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Add a face that the detector missed; return the number of its row, too."""
        self._writable()
        action, said, box = asked.addition(body, self.current)
        row = self.row(said.row)
        if not _is_inside(box, row):
            raise Refused(400, "the box is not in the photo")
        said = asked.with_hash(said, self.thumbnails.hash_of(row))
        with self._lock:
            number = self.current.add(action, said, box)
            return {**self._changed([number]), "row": number}

    def undo(self, body: Mapping[str, Any], *, redo: bool = False) -> dict[str, Any]:
        """Undo or redo the last action of this reviewer; say of how many faces it was, and which cards."""
        self._writable()
        action = asked.action(body) if "action" in body else secrets.token_hex(16)
        with self._lock:
            undone, rows = (self.current.redo if redo else self.current.undo)(action)
            said = told.said_in(self.current, undone, rows)
            numbers = self.cards.of_events(said) if self.cards else []
            cards = [number for number in numbers if aliases.is_blind(number)]
            changed = self._changed(cards or [*rows, *numbers])
            return {**changed, "action": undone or None, "faces": len(said), "cards": cards}

    def _cards(self) -> Cards:
        """Return the blind cards, once they are drawn.

        Raises:
            Refused: this review has none.
        """
        if not self.cards:
            raise Refused(404, "this review has no blind cards")
        self.cards.ready()
        return self.cards

    def _writable(self) -> None:
        if self.read_only:
            raise Refused(403, "this review is for looking only (--read-only)")

    def _changed(self, numbers: Sequence[int]) -> dict[str, Any]:
        """Return what changed; where that is a card, without the counts, which tell what its label was."""
        current = self.current
        changed = {"ok": True, "changed": list(map(self._shown, numbers))}
        if any(map(aliases.is_blind, numbers)):
            self._cards().answered()
            return changed
        return {**changed, "counts": current.counts, "reviewed": current.reviewed}

    def _shown(self, number: int) -> dict[str, Any]:
        return self.current.shown(number) if not aliases.is_one(number) else self._cards().shown(number)

    def _item(self, number: int) -> dict[str, Any]:
        own = items.item(self.current, aliases.row(number))
        return own if not aliases.is_one(number) else self._cards().item(number, own)


def _files(index: Index) -> int:
    """Return how many files a table has: rows that are alone, or the first of their file."""
    return int(np.count_nonzero(index.face <= 0))


def _is_inside(box: Box, row: Row) -> bool:
    if min(box.x, box.y) < 0 or min(box.width, box.height) < 1:
        return False
    if row.image_width is None or row.image_height is None:
        return True
    return box.x + box.width <= row.image_width + 1 and box.y + box.height <= row.image_height + 1
