"""95% confidence intervals: Wilson's for a share, the normal one by a standard error, the bootstrap for macro-F1."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Interval = tuple[float, float]

_Z = 1.959964
"""Standard deviations around the mean that hold 95% of a normal distribution."""

_REPEATS = 1000
"""Resamples of the bootstrap."""

_SEED = 0
"""Seed of the bootstrap: the same matrix always has the same interval."""


def of_share(count: int, total: int) -> Interval:
    """Return the Wilson interval of the share count / total (Wilson, 1927); 0 to 1 when the total is 0."""
    if not total:
        return 0.0, 1.0
    share, spread = count / total, _Z * _Z / total
    middle = (share + spread / 2) / (1 + spread)
    half = math.sqrt(share * (1 - share) * spread + spread * spread / 4) / (1 + spread)
    return max(middle - half, 0.0), min(middle + half, 1.0)


def of_estimate(value: float, standard_error: float, lowest: float, highest: float) -> Interval:
    """Return the normal interval of an estimate that lies between ``lowest`` and ``highest``."""
    half = _Z * standard_error
    return max(value - half, lowest), min(value + half, highest)


def of_macro_f1(confusion: Sequence[Sequence[int]]) -> Interval:
    """Return the bootstrap interval of the macro-F1 (Efron, 1979): percentiles of 1,000 resamples, always the same.

    Resampling images with replacement equals resampling the cells of the confusion matrix, so no image is needed.
    """
    found, true = _resampled_f1(np.array(confusion))
    low, high = np.percentile(found.sum(axis=1) / (true > 0).sum(axis=1), (2.5, 97.5))
    return float(low), float(high)


def of_f1(confusion: Sequence[Sequence[int]]) -> list[Interval]:
    """Return the bootstrap interval of the F1 of each class; 0 to 1 for a class without any face."""
    counts = np.array(confusion)
    found = np.percentile(_resampled_f1(counts)[0], (2.5, 97.5), axis=0).T.tolist()
    present = (counts.sum(axis=0) + counts.sum(axis=1) > 0).tolist()
    return [(low, high) if there else (0.0, 1.0) for (low, high), there in zip(found, present, strict=True)]


def _resampled_f1(counts: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the F1 of each class and its true images, both (1,000, classes), in resamples of a confusion matrix.

    Only the cells with an image are drawn: all of 1,000 classes would take 8 GB.
    """
    rows, columns = np.nonzero(counts)
    right = rows == columns
    drawn = resampled(counts[rows, columns])
    classes = len(counts)
    hits = _summed(drawn[:, right], rows[right], classes)
    true, predicted = (_summed(drawn, places, classes) for places in (rows, columns))
    return 2 * hits / np.maximum(true + predicted, 1), true


def _summed(drawn: NDArray[np.int64], places: NDArray[np.intp], classes: int) -> NDArray[np.float64]:
    """Return, of counts (n, cells), the sums (n, classes) of the cells with the same place."""
    return np.array([np.bincount(places, one, classes) for one in drawn])


def macro_f1(confusions: NDArray[np.number]) -> NDArray[np.float64]:
    """Return the macro-F1 of each confusion matrix (n, true class, predicted class), over the classes that occur."""
    true = confusions.sum(axis=-1)
    return np.asarray(f1(confusions).sum(axis=-1) / (true > 0).sum(axis=-1))


def f1(confusions: NDArray[np.number]) -> NDArray[np.float64]:
    """Return the F1 of each class of each confusion matrix; 0 for a class without any image."""
    right = np.diagonal(confusions, axis1=-2, axis2=-1)
    true, predicted = confusions.sum(axis=-1), confusions.sum(axis=-2)
    return np.asarray(2 * right / np.maximum(true + predicted, 1))


def resampled(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return 1,000 resamples (1,000, *shape) of items that were counted by kind, drawn with replacement.

    Drawing items equals drawing their kinds. The same counts always give the same resamples.
    """
    drawn = np.random.default_rng(_SEED).multinomial(counts.sum(), counts.ravel() / counts.sum(), _REPEATS)
    return drawn.reshape(-1, *counts.shape)
