"""Divide faces into strata by label and score, so that the faces of one stratum are about equally often right."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

ABSTAINED = -1
"""The label of a face that has none because no class reached the threshold."""

BINS = 4
"""Strata of one label. More gain little (Cochran 1977, section 5A.8, finds 6 enough) and leave few cards to each."""

SMALLEST = 25
"""Lower limit on the faces of a stratum, where a label has as many: below it bins are joined."""

_SURE = (0.02, 0.98)
"""Limits within which a score is believed when the spread of a stratum is foreseen: scores can be far too high."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Strata:
    """The strata of a table: ``of`` holds each face's stratum; ``label``, ``size`` and ``spread`` are by stratum.

    Strata are numbered by label and from low scores to high ones. ``spread`` is the standard deviation of right (1)
    and wrong (0) among its faces that the scores foresee.
    """

    of: NDArray[np.int32]
    label: NDArray[np.int32]
    size: NDArray[np.int64]
    spread: NDArray[np.float64]


def divide(labels: NDArray[np.integer], scores: NDArray[np.floating], bins: int = BINS) -> Strata:
    """Divide faces by label, and those of one label by score into at most ``bins`` of equal foreseen spread.

    The bounds lie where the cumulated standard deviation is divided evenly, so that Neyman's allocation gives each bin
    the same number of cards (after Dalenius and Hodges, 1959). Faces with one label and one score share a stratum.
    """
    of = np.zeros(len(labels), np.int32)
    label: list[int] = []
    spread: list[float] = []
    for one in np.unique(labels).tolist():
        at = np.flatnonzero(labels == one)
        believed = np.clip(scores[at], *_SURE).astype(np.float64)
        spreads = np.sqrt(believed * (1 - believed))
        cuts = _cuts(scores[at], spreads, min(bins, max(len(at) // SMALLEST, 1)))
        bin_ = np.searchsorted(cuts, scores[at], side="right")
        of[at] = len(label) + bin_
        label += [one] * (len(cuts) + 1)
        spread += np.bincount(bin_, spreads, minlength=len(cuts) + 1).tolist()
    size = np.bincount(of, minlength=len(label))
    return Strata(of=of, label=np.array(label, np.int32), size=size, spread=np.array(spread) / np.maximum(size, 1))


def _cuts(scores: NDArray[np.floating], spreads: NDArray[np.float64], bins: int) -> NDArray[np.floating]:
    """Return the lowest scores of all bins but the first; fewer where bins would be small."""
    order = np.argsort(scores, kind="stable")
    ranked, total = scores[order], np.cumsum(spreads[order])
    at = np.searchsorted(total, total[-1] * np.arange(1, bins) / bins)
    starts = np.searchsorted(ranked, ranked[np.minimum(at, len(ranked) - 1)])
    kept: list[int] = []
    for start in starts.tolist():
        if start - (kept[-1] if kept else 0) >= SMALLEST and len(ranked) - start >= SMALLEST:
            kept.append(start)
    return ranked[kept]
