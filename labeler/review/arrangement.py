"""One order of many faces, in which those that look the same to the network stand side by side.

The faces of a class are halved again and again by balanced 2-means (a bisecting k-means tree), down to a part of
a screen; of two halves, the one nearer to what stands before comes first. O(n log n): 14 s for a million faces.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from labeler.review.codes import Codes, Features

Numbers = NDArray[np.float32]
Order = NDArray[np.int64]

PROBABILITIES_WEIGHT = 2.0
"""How much the square roots of the probabilities (the Hellinger distance) count beside the codes, both scaled to unit
variance. Without them a screen mixes sure and doubtful faces: see `benchmarks/alike.py` for what was measured."""

_LEAF = 32
"""Upper limit on the faces that are not halved any more: a third of a screen. Leaves of 4 to 128 cost a person as many
keys; small ones take more time."""

_SAMPLE = 512
"""Faces that the halves of a larger group are found on."""

_ROUNDS = 4
"""Steps of the power iteration, and of 2-means after it; the groups are halved at the median in any case."""

_AT_ONCE = 1 << 16
"""Faces that are projected at once, which bounds memory."""


def arranged(codes: Codes, steps: Features, probabilities: Numbers) -> Order:
    """Return the numbers of faces in order: by the most probable class, then alike.

    ``steps`` are those of the `Coder`; ``probabilities`` is (n, classes).
    """
    if not len(codes):
        return np.zeros(0, np.int64)
    space = _Space(codes, steps, probabilities)
    return np.concatenate([_Class(space, rows).order() for rows in _by_class(probabilities)])


def _by_class(probabilities: Numbers) -> list[Order]:
    best = probabilities.argmax(axis=1)
    return [rows for number in range(probabilities.shape[1]) if len(rows := np.flatnonzero(best == number))]


class _Space:
    """Places of faces: scaled codes beside weighted roots of probabilities; parts of it are made when needed."""

    def __init__(self, codes: Codes, steps: Features, probabilities: Numbers) -> None:
        self._codes, self._probabilities = codes, probabilities
        some = np.linspace(0, len(codes) - 1, min(len(codes), _AT_ONCE)).astype(np.int64)
        spread = _spread(codes[some] * steps)
        self._scales = (steps / spread).astype(np.float32)
        self._weight = np.float32(PROBABILITIES_WEIGHT / _spread(np.sqrt(probabilities[some])))

    def places(self, rows: Order) -> Numbers:
        return np.concatenate(
            [self._codes[rows] * self._scales, np.sqrt(self._probabilities[rows]) * self._weight], axis=1
        )

    def projected(self, rows: Order, direction: Numbers) -> Numbers:
        parts = [rows[at : at + _AT_ONCE] for at in range(0, len(rows), _AT_ONCE)]
        return np.concatenate([self.places(part) @ direction for part in parts])


class _Class:
    """The arrangement of the faces of one class."""

    def __init__(self, space: _Space, rows: Order) -> None:
        self._space, self._rows = space, rows
        self._generator = np.random.default_rng(0)

    def order(self) -> Order:
        """Return the rows in order."""
        self._arrange(0, len(self._rows), None, None)
        return self._rows

    def _arrange(self, first: int, end: int, before: Numbers | None, after: Numbers | None) -> Numbers:
        """Arrange a part between what stands before and after it; return the centre of its last faces."""
        rows = self._rows[first:end]
        some = self._some(rows)
        if len(rows) <= _LEAF:
            centre: Numbers = some.mean(axis=0)
            ahead = (centre if after is None else after) - (centre if before is None else before)
            self._rows[first:end] = rows[np.argsort(some @ ahead, kind="stable")]
            return centre
        middle = (end - first) // 2
        along = np.argpartition(self._space.projected(rows, _direction(some, self._generator)), middle)
        halves = [rows[along[:middle]], rows[along[middle:]]]
        centres = [self._some(half).mean(axis=0) for half in halves]
        if _gain(centres[0], centres[1], before, after) > 0:
            halves.reverse()
            centres.reverse()
        self._rows[first:end] = np.concatenate(halves)
        between = first + len(halves[0])
        before = self._arrange(first, between, before, centres[1])
        return self._arrange(between, end, before, after)

    def _some(self, rows: Order) -> Numbers:
        """Return the places of a sample; of all rows where there are few."""
        if len(rows) > _SAMPLE:
            rows = rows[self._generator.integers(0, len(rows), _SAMPLE)]
        return self._space.places(rows)


def _direction(places: Numbers, generator: np.random.Generator) -> Numbers:
    """Return the direction between the two means of 2-means, which begins with the first principal component."""
    centred = places - places.mean(axis=0)
    direction: Numbers = np.asarray(generator.standard_normal(places.shape[1]), np.float32)
    for _ in range(_ROUNDS):
        direction = centred.T @ (centred @ direction)
        direction = direction / np.float32(max(float(np.linalg.norm(direction)), 1e-12))
    upper = centred @ direction > 0
    for _ in range(_ROUNDS):
        if upper.all() or not upper.any():
            break
        means = centred[upper].mean(axis=0), centred[~upper].mean(axis=0)
        direction = means[0] - means[1]
        earlier, upper = upper, centred @ direction > (means[0] + means[1]) @ direction / 2
        if (earlier == upper).all():
            break
    return direction


def _gain(one: Numbers, other: Numbers, before: Numbers | None, after: Numbers | None) -> float:
    """Return how much nearer the neighbours are when the other half comes first."""
    gain = 0.0
    if before is not None:
        gain += float(np.linalg.norm(one - before) - np.linalg.norm(other - before))
    if after is not None:
        gain += float(np.linalg.norm(other - after) - np.linalg.norm(one - after))
    return gain


def _spread(places: Numbers) -> float:
    """Return the root of the mean squared distance from the centre."""
    return float(np.sqrt(((places - places.mean(axis=0)) ** 2).sum(axis=1).mean())) or 1.0
