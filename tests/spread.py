"""Combinations of two lists of parameters, of which a part is enough in the tests that run each time."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import pytest

MOST = 4
"""Upper limit on the share of the pairs, one in so many, that run each time."""


def spread(first: Collection[Any], second: Collection[Any]) -> list[Any]:
    """Return all pairs; each value is in one that runs each time, and most of the others are marked `slow`."""
    step = min(MOST, len(first), len(second))
    return [
        pytest.param(one, other, marks=[pytest.mark.slow] if (row + column) % step else [])
        for row, one in enumerate(first)
        for column, other in enumerate(second)
    ]
