"""The weighted mean of a sample, with its standard error."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Weights = NDArray[np.floating]


class Mean(NamedTuple):
    """A weighted mean and its standard error."""

    value: float
    error: float

    @classmethod
    def of(cls, values: NDArray[np.floating], weights: Weights) -> Mean:
        """Return that of values (n,); ``weights`` (n,) say how many items each stands for."""
        total = weights.sum()
        value = float((weights * values).sum() / total)
        return cls(value, float(np.sqrt((weights**2 * (values - value) ** 2).sum()) / total))
