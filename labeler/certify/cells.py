"""Join the strata of a label until each has cards, and count in each cell what the cards said."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from labeler.certify.answers import Review, truths

FEWEST = 5
"""Lower limit on the cards of a cell, where its label has as many: the variance within fewer cannot be told."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cells:
    """Strata of one label that are estimated together; ``of`` holds each stratum's cell, the other arrays are by cell.

    ``counts`` (cells, classes + 2) holds the kinds of faces that the cards of a cell showed, ``cards`` their sum.
    Where a cell joins strata that were sampled at unlike rates, both are effective numbers of equally weighted cards.
    ``rest`` is the number of faces nobody has looked at, ``places`` the place of the label: a class, or the last of
    classes + 1 for faces without a label.
    """

    of: NDArray[np.int64]
    places: NDArray[np.int64]
    rest: NDArray[np.int64]
    counts: Floats
    cards: Floats


def count(review: Review, inside: NDArray[np.bool_]) -> Cells:
    """Count the cards of the faces ``inside``, weighted as the sample of the whole table was drawn."""
    strata, sampled, rest = review.strata, review.sampled & inside, review.rest & inside
    of, places = _joined(strata.label, np.bincount(strata.of[sampled], minlength=len(strata.label)))
    total, kinds = len(places), review.classes + 2
    cell, weight = of[strata.of[sampled]], weights_of(review, sampled)
    kind = truths(review.blind[sampled], review.classes)
    sums = np.bincount(cell * kinds + kind, weight, minlength=total * kinds).reshape(total, kinds)
    squares = np.bincount(cell, weight**2, minlength=total)
    # Kish's effective number of cards is the squared sum of the weights by the sum of their squares.
    counts = sums * (sums.sum(axis=1) / np.where(squares > 0, squares, 1.0))[:, None]
    return Cells(
        of=of,
        places=np.where(places >= 0, places, review.classes),
        rest=np.bincount(of[strata.of[rest]], minlength=total),
        counts=counts,
        cards=counts.sum(axis=1),
    )


def weights(review: Review) -> Floats:
    """Return by stratum how many faces each of its cards stands for; 1 where it has none."""
    total = len(review.strata.label)
    sampled, rest = (np.bincount(review.strata.of[which], minlength=total) for which in (review.sampled, review.rest))
    return np.asarray((sampled + rest) / np.maximum(sampled, 1)).clip(1.0)


def weights_of(review: Review, faces: NDArray[np.integer] | NDArray[np.bool_]) -> Floats:
    """Return how many faces of the table each of some cards stands for; ``faces`` are their places, or a mask."""
    return weights(review)[review.strata.of[faces]]


def _joined(labels: NDArray[np.int32], cards: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return each stratum's cell and each cell's label: the cell with the fewest cards joins its smaller neighbour."""
    of = np.zeros(len(labels), np.int64)
    places: list[int] = []
    for label in np.unique(labels).tolist():
        groups = [[place] for place in np.flatnonzero(labels == label).tolist()]
        sums = [int(cards[place]) for (place,) in groups]
        while len(groups) > 1 and min(sums) < FEWEST:
            smallest = sums.index(min(sums))
            neighbours = [place for place in (smallest - 1, smallest + 1) if 0 <= place < len(sums)]
            other = min(neighbours, key=sums.__getitem__)
            left, right = sorted((smallest, other))
            groups[left : right + 1] = [groups[left] + groups[right]]
            sums[left : right + 1] = [sums[left] + sums[right]]
        for group in groups:
            of[group] = len(places)
            places.append(label)
    return of, np.array(places, np.int64)
