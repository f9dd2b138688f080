"""The label that counts for a face: decided here, for sort, train, evaluate, report, diff and export.

It is the label of the table. Corrections by a person will take its place in `rows`, and nowhere else.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from labeler.records import UNCERTAIN, Row, Status
from labeler.tables import reader

NO_CLASS = frozenset({"", UNCERTAIN})
"""Labels that name no class: nothing is learnt from them, exported or counted as an answer."""


def rows(table: Path) -> Iterator[Row]:
    """Yield the rows of a finished table in its order, each with the label that counts.

    Raises:
        LabelerError: there is no such table, it is not one of ours, or it is damaged.
    """
    return reader.read(table)


def class_of(row: Row) -> str:
    """Return the class of a face; empty where there is none: no face, a failure, damage, or `uncertain`."""
    return "" if row.status is not Status.OK or row.label in NO_CLASS else row.label


def face_of(rows: Iterable[Row]) -> Row:
    """Return the row that stands for a photo: that of its largest face, or its only one."""
    first, *others = rows
    return min(first, *others, key=lambda row: row.face or 0) if others else first
