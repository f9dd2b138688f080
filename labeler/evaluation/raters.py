"""How far several raters agree: raw agreement, Krippendorff's alpha and Gwet's AC1, whoever rated which face."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from labeler.evaluation import intervals
from labeler.evaluation.intervals import Interval

Votes = Mapping[tuple[str, ...], int]
"""How many faces were given these classes, one by each rater who rated them; the order does not matter."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Coefficient:
    """A coefficient of agreement with its 95% interval."""

    value: float
    interval: Interval | None
    """None where all votes agree: every resample of the bootstrap is then the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Raters:
    """How far raters agree on the faces that at least two of them rated."""

    faces: int
    votes: int
    """The number of votes on these faces."""
    raw: Coefficient
    """The share of the pairs of votes on a face that agree, as a mean of the faces."""
    alpha: Coefficient | None
    """Krippendorff's alpha; like `ac1` None where all votes are one class: chance explains it all."""
    ac1: Coefficient | None


def agreement(votes: Votes) -> Raters | None:
    """Return how far raters agree; None where no face has two votes.

    Raw agreement and AC1 are those of Gwet (2008), "Computing inter-rater reliability and its variance in the
    presence of high agreement", with votes that are missing as in his Handbook (2014): chance agreement is estimated
    from all faces given, also those with one vote. Alpha is that of Krippendorff (2011), "Computing Krippendorff's
    Alpha-Reliability", nominal; faces with one vote do not count. The classes are those that occur. The intervals are
    percentiles of the bootstrap over faces (Efron, 1979); where all agree, Wilson's for raw agreement.
    """
    counts, weights = _counted(votes)
    paired = counts.sum(axis=1) >= 2
    faces = int(weights[paired].sum())
    if not faces:
        return None
    resamples = intervals.resampled(weights)
    value = float(_raw(counts, weights))
    interval = intervals.of_share(faces, faces) if value == 1 else _interval(_raw(counts, resamples))
    return Raters(
        faces=faces,
        votes=int(weights[paired] @ counts[paired].sum(axis=1)),
        raw=Coefficient(value=value, interval=interval),
        alpha=_coefficient(_alpha(counts, weights), _alpha(counts, resamples)),
        ac1=_coefficient(_ac1(counts, weights), _ac1(counts, resamples)),
    )


def _counted(votes: Votes) -> tuple[Floats, NDArray[np.int64]]:
    """Return for each combination of votes how many each class has (n, classes), and how many faces have it (n,)."""
    classes = sorted({name for names in votes for name in names})
    found: Counter[tuple[int, ...]] = Counter()
    for names, faces in votes.items():
        found[tuple(map(names.count, classes))] += faces
    combinations = sorted(found)
    counts = np.array(combinations, np.float64).reshape(len(combinations), len(classes))
    return counts, np.array([found[one] for one in combinations], np.int64)


def _raw(counts: Floats, weights: NDArray[np.int64]) -> Floats:
    """Return the raw agreement of each row of ``weights`` (resamples, n); of one row without that dimension."""
    number = counts.sum(axis=1)
    agreed = (counts * (counts - 1)).sum(axis=1) / np.maximum(number * (number - 1), 1)
    return _quotient(weights @ agreed, weights @ (number >= 2))


def _alpha(counts: Floats, weights: NDArray[np.int64]) -> Floats:
    """Return Krippendorff's alpha, as `_raw` does; nan where it is not defined."""
    number = counts.sum(axis=1)
    counts = np.where(number[:, None] >= 2, counts, 0)
    number = counts.sum(axis=1)
    disagreed = (number**2 - (counts**2).sum(axis=1)) / np.maximum(number - 1, 1)
    total, of_class = weights @ number, weights @ counts
    return 1 - _quotient(weights @ disagreed * (total - 1), total**2 - (of_class**2).sum(axis=-1))


def _ac1(counts: Floats, weights: NDArray[np.int64]) -> Floats:
    """Return Gwet's AC1, as `_raw` does; nan where it is not defined."""
    shares = weights @ (counts / counts.sum(axis=1, keepdims=True)) / weights.sum(axis=-1, keepdims=True)
    spread = (shares * (1 - shares)).sum(axis=-1)
    by_chance = _quotient(spread, np.full_like(spread, counts.shape[1] - 1))
    return _quotient(_raw(counts, weights) - by_chance, 1 - by_chance)


def _quotient(above: Floats, below: Floats) -> Floats:
    """Divide; nan where that is not possible."""
    return np.asarray(np.divide(above, below, where=below > 0, out=np.full_like(above, np.nan, np.float64)))


def _coefficient(value: Floats, resamples: Floats) -> Coefficient | None:
    if np.isnan(value):
        return None
    return Coefficient(value=float(value), interval=None if value == 1 else _interval(resamples))


def _interval(resamples: Floats) -> Interval:
    """Return the percentiles of the resamples in which a coefficient is defined."""
    low, high = np.nanpercentile(resamples, (2.5, 97.5))
    return float(low), float(high)
