"""The label that counts for a face: decided here, for sort, train, evaluate, report, diff and export.

It is the label that persons decided on in a review, otherwise that of the table.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from labeler.records import UNCERTAIN, Row, Status
from labeler.tables import corrections, reader
from labeler.tables.corrections import Corrections

NO_CLASS = frozenset({"", UNCERTAIN})
"""Labels that name no class: nothing is learnt from them, exported or counted as an answer."""


def rows(table: Path, reviews: bool = True, root: str = "") -> Iterator[Row]:
    """Yield the rows of a finished table in its order, each with the label that counts; see `Corrections.rows`.

    ``root`` is where the files are, if they have moved: a file of another version is compared with what was reviewed.

    Raises:
        LabelerError: there is no such table, it is not one of ours, or it or its reviews are damaged.
    """
    return corrected(table, corrections.of_table(table, root) if reviews else None)


def corrected(table: Path, found: Corrections | None) -> Iterator[Row]:
    """Yield the rows of a finished table with corrections that were read before, for several passes or their counts.

    Raises:
        LabelerError: there is no such table, it is not one of ours, or it is damaged.
    """
    return found.rows(reader.read(table)) if found else reader.read(table)


def class_of(row: Row) -> str:
    """Return the class of a face; empty where there is none: no face, a failure, `uncertain`, or damage.

    A face of a damaged photo has the class that a person gave or confirmed.
    """
    sound = row.status is Status.OK or (row.status is Status.DAMAGED and row.before is not None)
    return row.label if sound and row.label not in NO_CLASS else ""


def score_of(row: Row) -> float | None:
    """Return the model's score of the label that counts; None where a person gave another label or added the face."""
    return row.score if row.before is None or row.before == row.label else None


def is_added(row: Row) -> bool:
    """Say whether a person added the face, which the detector had missed."""
    return row.before == ""


def face_of(rows: Iterable[Row]) -> Row:
    """Return the row that stands for a photo: that of its largest face, or its only one."""
    first, *others = rows
    return largest_first((first, *others))[0] if others else first


def largest_first(rows: Iterable[Row]) -> list[Row]:
    """Return the faces of a photo, the largest first: as the table numbers them, or by size where one was added."""
    found = sorted(rows, key=lambda row: row.face or 0)
    if any(map(is_added, found)):
        found.sort(key=lambda row: -(row.width or 0) * (row.height or 0))
    return found
