"""A table whose truth is known, on the disk, and persons who look at it blind."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import odd_rows
import sessions
from reviewing import event

from labeler.certify.answers import NOT_A_FACE
from labeler.certify.draw import Draw
from labeler.records import Face, Row
from labeler.tables import index
from labeler.tables.matching import Box, box_of
from labeler.tables.review_log import Log
from labeler.tables.reviews import Event

NAMES = ("angry", "disgust", "fear", "happy", "neutral", "sad", "surprise")
BOX = Box(10.0, 10.0, 40.0, 40.0)


@dataclass(frozen=True, kw_only=True)
class Blind:
    """A table of ``len(truth)`` photos with a face each, ``a/000000.jpg`` and so on, in ten folders."""

    path: Path
    truth: tuple[str, ...]

    @property
    def draw(self) -> Draw:
        """Return its draw."""
        return Draw.of(index.load(self.path))

    def cards(self, count: int) -> list[int]:
        """Return the rows of the first cards."""
        draw = self.draw
        return [int(draw.rows[place]) for place in draw.order[:count]]

    def answer(
        self,
        count: int,
        *,
        first: int = 0,
        reviewer: str = "ann",
        said: Callable[[int, str], str] = lambda _, label: label,
        second: float = 0,
    ) -> None:
        """Answer cards blind with the truth, or with what ``said`` makes of the row and its truth."""
        view = self.draw.view
        rows = self.cards(first + count)[first:]
        Log.of(self.path).append(
            self.event(row, said(row, self.truth[row]), second + at / 100, reviewer=reviewer, view=view, shown=False)
            for at, row in enumerate(rows)
        )

    def event(self, row: int, new: str, second: float, **about: object) -> Event:
        """Return an event about a row."""
        found = self._rows[row]
        return event(new, second, file=found.file, box=box_of(found), old=found.label, action=(row, second), **about)

    @cached_property
    def _rows(self) -> list[Row]:
        loaded = index.load(self.path)
        return [loaded.row(number) for number in range(len(loaded))]


def write(path: Path, faces: int = 400, seed: int = 0, threshold: float = 0.0) -> Blind:
    """Write a finished table of synthetic faces, about 78% of them right; below the threshold they are `uncertain`."""
    one = sessions.table(faces, seed)
    order = sorted(range(faces), key=_name)  # That of a table: the truth of a row is that of its face.
    truth = tuple("not_a_face" if code == NOT_A_FACE else NAMES[code] for code in one.truth[order].tolist())
    rows = [
        Row.of_image(_name(number), 640, 480, "1-1")
        .located(0, Face(*BOX, 0.9))
        .labelled(tuple(shares), NAMES, threshold)
        for number, shares in zip(order, one.probabilities[order].round(5).tolist(), strict=True)
    ]
    odd_rows.write_finished(path, odd_rows.record_of(NAMES), rows)
    return Blind(path=path, truth=truth)


def _name(number: int) -> str:
    return f"{number % 10}/{number:06}.jpg"
