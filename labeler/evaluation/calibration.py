"""What scores are worth: whether they are as often right as they say, and what a threshold keeps."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labeler.evaluation import intervals
from labeler.evaluation.intervals import Interval

BINS = 15
"""Of equal width, as in Guo et al., On Calibration of Modern Neural Networks, 2017."""

Probabilities = NDArray[np.float32] | NDArray[np.float64]
"""A row for each picture, a column for each class; rows add up to 1."""

Places = NDArray[np.int64]
"""For each picture the column of its true class."""

_STEPS = 100
"""Thresholds are tried in hundredths: what finer ones would gain is chance."""

_TOLD = 5
"""Every fifth of them stands in JSON."""

_LEAST = 5e-7
"""What a probability that the table rounds to 0 counts as, half of its last decimal: the loss stays finite."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bin:
    """Answers with scores in one range: how many, their mean score, and how many of them are right."""

    n: int
    score: float
    right: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """Answers whose scores reach a threshold: how many, and how many of them are right."""

    threshold: float
    n: int
    right: int

    @property
    def accuracy(self) -> float:
        """Return the share that is right; of none it is 0."""
        return self.right / max(self.n, 1)

    @property
    def interval(self) -> Interval:
        """Return the accuracy's interval of 95%."""
        return intervals.of_share(self.right, self.n)


@dataclass(frozen=True, slots=True, kw_only=True)
class Confidence:
    """How well scores agree with the truth.

    `ece` is the expected calibration error, the mean distance between score and accuracy over the `reliability` bins;
    `nll` the mean negative log-likelihood in nats and `brier` the mean squared error, summed over the classes (Brier,
    1950). `coverage` says what is kept at each threshold from 0 to 1.
    """

    ece: float
    nll: float
    brier: float
    reliability: tuple[Bin, ...]
    coverage: tuple[Kept, ...]

    def reaching(self, accuracy: float) -> Kept | None:
        """Return what the smallest threshold keeps at which so many of the answers kept are right; None if none is."""
        return next((kept for kept in self.coverage if kept.n and kept.accuracy >= accuracy), None)

    def as_json(self) -> dict[str, Any]:
        """Return it as a JSON object, with a coarser `coverage`."""
        return {**asdict(self), "coverage": [asdict(kept) for kept in self.coverage[::_TOLD]]}


def of(probabilities: Probabilities, truth: Places) -> Confidence:
    """Judge the probabilities of at least one picture."""
    scores, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == truth
    of_truth = probabilities[np.arange(len(truth)), truth]
    wrong_by = ((probabilities - np.eye(probabilities.shape[1])[truth]) ** 2).sum(axis=1)
    bins = _bins(scores, right)
    return Confidence(
        ece=_error(bins),
        nll=float(-np.log(np.maximum(of_truth, _LEAST)).mean()),
        brier=float(wrong_by.mean()),
        reliability=bins,
        coverage=tuple(
            Kept(threshold=threshold, n=int((scores >= threshold).sum()), right=int(right[scores >= threshold].sum()))
            for threshold in (step / _STEPS for step in range(_STEPS + 1))
        ),
    )


def calibration_error(probabilities: Probabilities, truth: Places) -> float:
    """Return the expected calibration error alone."""
    return _error(_bins(probabilities.max(axis=1), probabilities.argmax(axis=1) == truth))


def _bins(scores: NDArray[np.floating], right: NDArray[np.bool_]) -> tuple[Bin, ...]:
    place = np.minimum((scores * BINS).astype(np.int64), BINS - 1)
    counts, totals, rights = (np.bincount(place, each, BINS) for each in (None, scores, right))
    means = totals / np.maximum(counts, 1)
    return tuple(
        Bin(n=int(n), score=float(mean), right=int(hits)) for n, mean, hits in zip(counts, means, rights, strict=True)
    )


def _error(bins: tuple[Bin, ...]) -> float:
    return sum(abs(one.n * one.score - one.right) for one in bins) / sum(one.n for one in bins)
