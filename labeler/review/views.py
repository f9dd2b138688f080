"""Views: the rows that a person asked for, in an order; 300 ms for a million rows, and then any part at once."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labeler.records import Status
from labeler.review.current import Current
from labeler.review.refused import Refused
from labeler.tables import folders
from labeler.tables.index import Index, Numbers

Rows = NDArray[np.int32]

_KEPT = 3
"""Views that are kept, 4 MB each at a million rows; a page whose view is gone asks for it again."""

_KINDS: dict[str, tuple[type, ...]] = {
    "label": (str,),
    "status": (str,),
    "folder": (str,),
    "min_score": (int, float),
    "max_score": (int, float),
    "reviewed": (bool,),
    "reviewer": (str,),
    "order": (str,),
    "seed": (int,),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a person asks for; None where it does not matter."""

    label: str | None = None
    """The label that counts now, empty for rows without one; with neither label nor status all rows that have one."""
    status: str | None = None
    folder: str | None = None
    min_score: float | None = None
    max_score: float | None = None
    reviewed: bool | None = None
    reviewer: str | None = None
    order: str = "file"
    seed: int = 0

    @classmethod
    def of(cls, body: Mapping[str, Any]) -> Wanted:
        """Return what a request asks for.

        Raises:
            Refused: it has a name that is none, or a value of another kind.
        """
        for name, value in body.items():
            if name not in _KINDS or (value is not None and not isinstance(value, _KINDS[name])):
                raise Refused(400, f"a view has no {name!r:.50} that is {value!r:.50}")
        return cls(**{name: value for name, value in body.items() if value is not None})


def found(rows: Rows, near: Sequence[int]) -> dict[str, int] | None:
    """Return the first of the numbers ``near`` that is among ``rows``, and its position; None where none is."""
    positions = np.flatnonzero(np.isin(rows, near)).tolist()
    place = {int(rows[position]): position for position in positions}
    return next(({"row": one, "position": place[one]} for one in near if one in place), None)


class Views:
    """The views that were made last, by their names; for any number of threads."""

    def __init__(
        self, current: Current, prefix: str, prepared: Mapping[str, Callable[[], Rows | None]] | None = None
    ) -> None:
        """Make no view yet; ``prepared`` returns all rows of the table in further orders, None while there are none."""
        self._current = current
        self._index = current.index
        self._prefix = prefix
        self._prepared = prepared or {}
        self._lock = threading.Lock()
        self._made = 0
        self._views: OrderedDict[str, Rows] = OrderedDict()
        self._sorted: dict[str, Rows] = {}

    def rows(self, wanted: Wanted) -> Rows:
        """Return the rows that are wanted, in their order.

        Raises:
            Refused: there is no such order, or not yet.
        """
        return self._ordered(self._mask(wanted), wanted)

    def make(self, wanted: Wanted) -> tuple[str, int]:
        """Make a view of the rows that are wanted; see `rows` and `keep`."""
        return self.keep(self.rows(wanted))

    def keep(self, rows: Rows) -> tuple[str, int]:
        """Make a view of rows; return its name, and how many rows it has."""
        with self._lock:
            self._made += 1
            name = f"{self._prefix}-{self._made}"
            self._views[name] = rows
            while len(self._views) > _KEPT:
                self._views.popitem(last=False)
        return name, len(rows)

    def part(self, name: str, start: int, count: int) -> list[int]:
        """Return the numbers of some rows of a view.

        Raises:
            Refused: there is no such view any more.
        """
        with self._lock:
            if name not in self._views:
                raise Refused(404, "this view is gone; ask for it again")
            self._views.move_to_end(name)
            found: list[int] = self._views[name][start : start + count].tolist()
        return found

    def _mask(self, wanted: Wanted) -> NDArray[np.bool_]:
        """Say of each row of the table, and of each added face, whether it is wanted."""
        index, current = self._index, self._current
        label, by = current.label, current.by  # Another thread may label and add rows meanwhile.
        mask = np.ones(min(len(label), len(by)), np.bool_)
        label, by = label[: len(mask)], by[: len(mask)]
        own = mask[: len(index)]  # A part of the mask: what changes in one changes in the other.
        extra = mask[len(index) :]
        if wanted.label is not None:
            mask &= label == current.code(wanted.label)
        elif wanted.status is None:
            mask &= label != current.code("")
        if wanted.status is not None:
            own &= index.status == _status(wanted.status)
            extra &= wanted.status == Status.OK
        if wanted.folder is not None:
            own &= folders.within(index.folder, index.folder_names, wanted.folder)
            inside = (current.name(len(index) + at).startswith(wanted.folder + "/") for at in range(len(extra)))
            extra &= np.fromiter(inside, np.bool_, len(extra))
        if wanted.min_score is not None:
            own &= index.score >= wanted.min_score
            extra[:] = False
        if wanted.max_score is not None:
            own &= index.score <= wanted.max_score
            extra[:] = False
        if wanted.reviewed is not None:
            mask &= (by >= 0) == wanted.reviewed
        if wanted.reviewer is not None:
            known = wanted.reviewer in current.reviewers
            mask &= (by == current.reviewers.index(wanted.reviewer)) if known else False
        return mask

    def _ordered(self, mask: NDArray[np.bool_], wanted: Wanted) -> Rows:
        if wanted.order == "file":
            return np.flatnonzero(mask).astype(np.int32)
        if wanted.order == "random":
            return np.random.default_rng(abs(wanted.seed)).permutation(np.flatnonzero(mask).astype(np.int32))
        order = self._all(wanted.order)
        extra = np.arange(len(order), len(mask), dtype=np.int32)
        return np.concatenate((order[mask[order]], extra[mask[len(order) :]]))

    def _all(self, order: str) -> Rows:
        """Return all rows of the table in an order."""
        if order in self._prepared:
            rows = self._prepared[order]()
            if rows is None:
                raise Refused(409, f"the order {order!r} is not prepared")
            return rows
        if order not in self._sorted:
            if order not in _KEYS:
                raise Refused(400, f"there is no order {order!r:.50}")
            self._sorted[order] = by(self._index, order)
        return self._sorted[order]


def _status(name: str) -> int:
    places = {str(status): place for place, status in enumerate(Status)}
    if name not in places:
        raise Refused(400, f"there is no status {name!r:.50}")
    return places[name]


_KEYS = {"surest": ("score", -1.0), "doubtful": ("score", 1.0), "wrong": ("margin", 1.0)}
"""The column that an order sorts by, and its sign."""


def by(index: Index, order: str) -> Rows:
    """Return all rows in an order of `_KEYS`; those without a number last, equal ones as in the table."""
    column, sign = _KEYS[order]
    return ascending(getattr(index, column) * np.float32(sign))


def ascending(numbers: Numbers) -> Rows:
    """Return the places of finite numbers in ascending order, equal ones as they stand, NaN last.

    numpy sorts 16 bits by radix: two passes over the bits of a million take 50 ms, a sort of the numbers 130.
    """
    bits = np.where(np.isnan(numbers), np.float32(np.inf), numbers + np.float32(0)).view(np.uint32)  # -0 becomes 0.
    keys = np.where(bits >> 31, ~bits, bits | np.uint32(1 << 31))
    order = np.argsort(keys.astype(np.uint16), kind="stable")
    high = (keys >> np.uint32(16)).astype(np.uint16)
    return order[np.argsort(high[order], kind="stable")].astype(np.int32)
