"""Calibration of the scores (ECE, NLL, Brier score, reliability), and coverage and accuracy by threshold."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labeler.evaluation import intervals
from labeler.evaluation.intervals import Interval

BINS = 15
"""Bins, of equal width, of the calibration error (Guo et al., On Calibration of Modern Neural Networks, 2017)."""

Probabilities = NDArray[np.float32] | NDArray[np.float64]
"""A row for each image, a column for each class; each row sums to 1."""

Places = NDArray[np.int64]
"""The index of the true class of each image."""

_STEPS = 100
"""Number of thresholds from 0 to 1: a finer step than a hundredth would gain nothing but chance."""

_TOLD = 5
"""JSON lists every fifth threshold."""

_LEAST = 5e-7
"""Lower limit on a probability in the log loss, so that it stays finite: half of the last decimal of the table."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bin:
    """Predictions whose score lies in one range: their number, their mean score, and the number that is right."""

    n: int
    score: float
    right: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """Predictions whose score reaches a threshold: their number, and the number that is right."""

    threshold: float
    n: int
    right: int

    @property
    def accuracy(self) -> float:
        """Return the share that is right; 0 when nothing is kept."""
        return self.right / max(self.n, 1)

    @property
    def interval(self) -> Interval:
        """Return the 95% interval of the accuracy."""
        return intervals.of_share(self.right, self.n)


@dataclass(frozen=True, slots=True, kw_only=True)
class Confidence:
    """How well the scores are calibrated.

    `ece` is the expected calibration error: the mean distance between score and accuracy over the `reliability` bins.
    `nll` is the mean negative log-likelihood in nats. `brier` is the Brier score: the mean squared error, summed over
    the classes (Brier, 1950). `coverage` holds what is kept at each threshold from 0 to 1.
    """

    ece: float
    nll: float
    brier: float
    reliability: tuple[Bin, ...]
    coverage: tuple[Kept, ...]

    def reaching(self, accuracy: float) -> Kept | None:
        """Return what the smallest threshold with at least this accuracy keeps; None when no threshold reaches it."""
        return next((kept for kept in self.coverage if kept.n and kept.accuracy >= accuracy), None)

    def as_json(self) -> dict[str, Any]:
        """Return a JSON object with fewer thresholds in `coverage`."""
        return {**asdict(self), "coverage": [asdict(kept) for kept in self.coverage[::_TOLD]]}


def of(probabilities: Probabilities, truth: Places) -> Confidence:
    """Compute the calibration of the probabilities (n, classes) of at least one image."""
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
