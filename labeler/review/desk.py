"""What the page can ask for: a table, its corrections, views and pictures, as values that JSON can hold."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from labeler.records import Row, Status
from labeler.review import asked
from labeler.review.alike import Alike
from labeler.review.current import Current
from labeler.review.refused import Refused
from labeler.review.thumbnails import Thumbnails
from labeler.review.views import Rows, Views, Wanted
from labeler.tables import folders, run_record
from labeler.tables.index import Index
from labeler.tables.matching import Box, box_of


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
    ) -> None:
        """``audited`` are all rows in the order of an audit, None without one; ``stopping`` ends what takes long."""
        self.instance = secrets.token_hex(8)
        self.read_only = read_only
        self.stopping = stopping
        self.current, self.index, self.thumbnails = current, current.index, thumbnails
        prepared = {"alike": lambda: alike.order if alike else None, "audit": lambda: audited}
        self.views = Views(current, self.instance[:6], prepared)
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
            "keys": keys(index.class_names),
            "statuses": {str(one): count for one, count in zip(Status, counts, strict=True) if count},
            "folders": [list(one) for one in folders.listed(index.folder, index.folder_names)],
            "reviewer": self.current.reviewer,
            "read_only": self.read_only,
            "model": record.model if record else "",
            "audit": self._audited,
            "orphans": sum(self.current.orphans.values()),
            "instance": self.instance,
        }

    def table(self) -> dict[str, Any]:
        """Return what the page has to know at its start."""
        current = self.current
        return {
            **self.about,
            "counts": current.counts,
            "reviewers": list(dict.fromkeys([*current.reviewers, current.reviewer])),
            "reviewed": current.reviewed,
            "alike": self.alike(),
        }

    def status(self) -> dict[str, Any]:
        """Return what the page asks for every few seconds."""
        return {"instance": self.instance, "reviewed": self.current.reviewed, "alike": self.alike()}

    def alike(self) -> dict[str, Any]:
        """Return how far the order by likeness is prepared."""
        if not self._alike:
            return {"state": "none", "done": 0, "problem": "the model that labelled the table is not here"}
        return {"state": self._alike.state, "done": round(self._alike.done, 3), "problem": self._alike.problem}

    def view(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Make a view of the rows that are wanted."""
        name, count = self.views.make(Wanted.of(body))
        return {"view": name, "count": count}

    def part(self, view: str, start: int, count: int) -> dict[str, Any]:
        """Return some rows of a view."""
        return {"items": [self._item(number) for number in self.views.part(view, start, count)]}

    def rows(self, numbers: Sequence[int]) -> dict[int, Row]:
        """Return the rows of some numbers.

        Raises:
            Refused: there is no such row.
        """
        return {number: self.row(number) for number in numbers}

    def row(self, number: int) -> Row:
        """Return a row.

        Raises:
            Refused: there is no such row.
        """
        if not 0 <= number < len(self.current):
            raise Refused(404, f"there is no row {number}")
        return self.current.row(number)

    def face(self, number: int) -> dict[str, Any]:
        """Return all about one row, and the other faces of its photo."""
        current, row = self.current, self.row(number)
        with self._lock:
            beside = current.beside(number)
            shown = current.shown(number)
            history = [
                {"time": event.time, "reviewer": event.reviewer, "old": event.old, "new": event.new}
                for event in current.history(number)
            ]
            others = [self._face(other) for other in beside if current.labels[current.label[other]]]
        return {
            **shown,
            "file": current.name(number),
            "face": row.face,
            "box": box_of(row),
            "image": [row.image_width, row.image_height] if row.image_width else None,
            "probabilities": dict(zip(self.index.class_names, row.probabilities, strict=False)),
            "score": row.score,
            "status": str(row.status),
            "reason": row.reason,
            "faces": others,
            "history": history,
            "missing": self.thumbnails.missing(row) or None,
        }

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
        said = [asked.with_hash(one, self.thumbnails.hash_of(self.row(one.row))) for one in said]
        with self._lock:
            return self._changed(self.current.say(action, said))

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
        """Undo or redo the last action of this reviewer; say of how many faces it was."""
        self._writable()
        action = asked.action(body) if "action" in body else secrets.token_hex(16)
        with self._lock:
            undone, rows = (self.current.redo if redo else self.current.undo)(action)
            faces = self.current.faces_of(undone, rows)
            return {**self._changed(rows), "action": undone or None, "faces": faces}

    def _writable(self) -> None:
        if self.read_only:
            raise Refused(403, "this review is for looking only (--read-only)")

    def _changed(self, rows: Sequence[int]) -> dict[str, Any]:
        current = self.current
        changed = [current.shown(number) for number in rows]
        return {"ok": True, "changed": changed, "counts": current.counts, "reviewed": current.reviewed}

    def _face(self, number: int) -> dict[str, Any]:
        row = self.current.row(number)
        return {**self.current.shown(number), "box": box_of(row), "score": row.score}

    def _item(self, number: int) -> dict[str, Any]:
        """Return a row as a view shows it."""
        index, inside = self.index, number < len(self.index)
        box = index.box[number] if inside else self.current.row(number)[2:6]
        width, height = float(box[2] or 0), float(box[3] or 0)
        has_second = inside and not np.isnan(index.second_score[number])
        return {
            **self.current.shown(number),
            "score": _rounded(index.score[number]) if inside else None,
            "second": index.labels[index.second[number]] if has_second else None,
            "second_score": _rounded(index.second_score[number]) if has_second else None,
            "status": str(_STATUSES[index.status[number]]) if inside else str(Status.OK),
            "file": self.current.name(number),
            "face": _face_number(index.face[number]) if inside else self.current.row(number).face,
            "aspect": round(width / height, 3) if height > 0 else None,
        }


def keys(class_names: Sequence[str]) -> dict[str, str]:
    """Return a key for each class: its initial; where several share one, digits, as long as there are any."""
    initials = [name[:1].lower() for name in class_names]
    digits = iter("1234567890")
    return {
        name: initial if initials.count(initial) == 1 and initial in "abcdefghijklmnopqrstuvwxyz" else next(digits, "")
        for name, initial in zip(class_names, initials, strict=True)
    }


_STATUSES = tuple(Status)


def _files(index: Index) -> int:
    """Return how many files a table has: rows that are alone, or the first of their file."""
    return int(np.count_nonzero(index.face <= 0))


def _rounded(score: np.float32) -> float | None:
    return None if np.isnan(score) else round(float(score), 4)


def _face_number(face: np.int32) -> int | None:
    return None if face < 0 else int(face)


def _is_inside(box: Box, row: Row) -> bool:
    if min(box.x, box.y) < 0 or min(box.width, box.height) < 1:
        return False
    if row.image_width is None or row.image_height is None:
        return True
    return box.x + box.width <= row.image_width + 1 and box.y + box.height <= row.image_height + 1
