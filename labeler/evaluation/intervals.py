"""How far a figure, measured on so many pictures, may lie from the true one: intervals of 95%."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Interval = tuple[float, float]

_Z = 1.959964
"""Of a normal distribution, 95% lie within so many standard deviations."""

_REPEATS = 1000
_SEED = 0


def of_share(count: int, total: int) -> Interval:
    """Return the interval of a share, count of total (Wilson, 1927); of nothing it is all there is."""
    if not total:
        return 0.0, 1.0
    share, spread = count / total, _Z * _Z / total
    middle = (share + spread / 2) / (1 + spread)
    half = math.sqrt(share * (1 - share) * spread + spread * spread / 4) / (1 + spread)
    return max(middle - half, 0.0), min(middle + half, 1.0)


def of_macro_f1(confusion: Sequence[Sequence[int]]) -> Interval:
    """Return the interval of the macro-F1 (bootstrap; Efron, 1979): percentiles of 1,000 repeats, always the same.

    Pictures drawn anew, with replacement, are cells of the confusion matrix drawn anew: no picture is needed.
    """
    counts = np.array(confusion)
    drawn = np.random.default_rng(_SEED).multinomial(counts.sum(), counts.ravel() / counts.sum(), _REPEATS)
    low, high = np.percentile(macro_f1(drawn.reshape(-1, *counts.shape)), (2.5, 97.5))
    return float(low), float(high)


def macro_f1(confusions: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the mean F1 over the classes that the truth holds, for each of (n, true class, predicted class)."""
    right = np.diagonal(confusions, axis1=-2, axis2=-1)
    true, predicted = confusions.sum(axis=-1), confusions.sum(axis=-2)
    f1 = 2 * right / np.maximum(true + predicted, 1)
    return np.asarray(f1.sum(axis=-1) / (true > 0).sum(axis=-1))
