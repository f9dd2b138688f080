"""Sentinels: faces that were answered blind, shown with a wrong label, so that it is known how many slip through."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from labeler.records import Status
from labeler.review import aliases
from labeler.review.aliases import Alias
from labeler.review.views import Wanted
from labeler.tables import folders
from labeler.tables.index import Index

Rows = NDArray[np.int32]

FEWEST = 20
"""Lower limit on the faces whose truth is known, from which sentinels are made: few would be recognised."""

_ONE_IN = 100
"""Tiles for each sentinel: they are looked at in vain."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wrong:
    """A face as a sentinel shows it, plausible as one that the model got wrong."""

    row: int
    label: str
    score: float
    probabilities: tuple[float, ...]
    is_model: bool
    """Whether the model itself was wrong so."""

    place: int
    """The place of the label among the classes."""

    @property
    def second(self) -> int:
        """Return the place of the most probable class other than the label."""
        others = (place for place in range(len(self.probabilities)) if place != self.place)
        return max(others, key=lambda place: self.probabilities[place])


def wrong(index: Index, row: int, truth: str) -> Wrong | None:
    """Return a face as a sentinel that shows a label other than its true one; None where there is none to show.

    Best is the model's own mistake. Else the most probable other class takes the true one's place. A truth that is no
    class, because another reviewer said so since, is taken to be the model's label.
    """
    names, shares = index.class_names, list(index.shares(row))
    given = index.labels[index.label[row]]
    if given not in names or not shares:
        return None
    truth = truth if truth in names else given
    if given != truth:
        place = names.index(given)
    else:
        true = names.index(truth)
        place = max((at for at in range(len(names)) if at != true), key=lambda at: shares[at])
        shares[place], shares[true] = shares[true], shares[place]
    return Wrong(
        row=row,
        label=names[place],
        score=shares[place],
        probabilities=tuple(shares),
        is_model=given != truth,
        place=place,
    )


def fitting(found: Iterable[Wrong], wanted: Wanted, index: Index) -> list[Wrong]:
    """Return those that a view would hold if they were what they seem."""
    return [one for one in found if _fits(one, wanted, index)]


def mixed(rows: Rows, found: list[Wrong], seed: list[int]) -> Rows:
    """Return rows with one sentinel in about a hundred, at places that a seed decides; the model's mistakes first."""
    chance = np.random.default_rng(seed)
    number = min(len(found), int(len(rows) / _ONE_IN + chance.random()))
    order = sorted(chance.permutation(len(found)).tolist(), key=lambda at: not found[at].is_model)
    chosen = np.array([found[at].row for at in order[:number]], np.int32)
    places = np.arange(number) * _ONE_IN + chance.integers(0, _ONE_IN, number)
    return np.insert(rows, np.minimum(places, len(rows)), aliases.numbers(Alias.SENTINEL, chosen))


def _fits(one: Wrong, wanted: Wanted, index: Index) -> bool:
    low = 0.0 if wanted.min_score is None else wanted.min_score
    high = 1.0 if wanted.max_score is None else wanted.max_score
    of_row = slice(one.row, one.row + 1)
    return (
        wanted.label in {None, one.label}
        and wanted.status in {None, str(Status.OK)}
        and low <= one.score <= high
        and (wanted.folder is None or bool(folders.within(index.folder[of_row], index.folder_names, wanted.folder)[0]))
    )
