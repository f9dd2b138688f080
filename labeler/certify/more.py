"""Foresee how many more cards narrow the interval of the accuracy to a wanted half-width."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from labeler.certify.answers import UNSURE, Review
from labeler.certify.certificate import Certificate
from labeler.certify.queue import SECOND_LOOKS
from labeler.certify.reviewer import PRIOR

_Z = 1.959964
"""Standard deviations around the mean that hold 95% of a normal distribution."""

Floats = NDArray[np.float64]


def cards(review: Review, certificate: Certificate, order: NDArray[np.integer], half_width: float) -> int | None:
    """Return how many more cards of ``order`` are needed for that half-width; 0 when it is reached already.

    None where no number is enough: faces of which the reviewer is unsure stay in the interval, and some of what is not
    known about his errors. The answer is a forecast (Cochran 1977, section 5.9): it takes the strata to stay about as
    often right as the cards so far say, and second looks to go on as `SECOND_LOOKS` says.
    """
    now = certificate.model.accuracy.interval
    forecast = _Forecast(review, order)
    if now is None:
        return _first(len(forecast.strata), lambda more: forecast.half_width(more) <= half_width)
    square, foreseen = ((now[1] - now[0]) / 2) ** 2, forecast.half_width(0) ** 2
    if square <= half_width**2:
        return 0
    checks = certificate.reviewer.checks
    is_unsure = bool((review.blind == UNSURE).any())
    unsure = ((certificate.model.unsure.value or 0.0) / 2) ** 2 if is_unsure else 0.0
    errors = max(square - foreseen - unsure, 0.0) if checks.measured else 0.0
    scale = 1.0 if is_unsure or checks.measured or not foreseen else square / foreseen
    known = checks.twice + checks.sentinels + sum(PRIOR)

    def is_enough(more: int) -> bool:
        # The variance of the share of errors falls with the number of checks, among which the prior counts.
        left = errors * known / (known + more / SECOND_LOOKS)
        return scale * forecast.half_width(more) ** 2 + unsure + left <= half_width**2

    return _first(len(forecast.strata), is_enough)


def _first(most: int, is_enough: Callable[[int], bool]) -> int | None:
    """Return the lowest number up to ``most`` that is enough, as is every higher one; None where none is."""
    if not is_enough(most):
        return None
    low, high = 0, most
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if is_enough(middle) else (middle + 1, high)
    return low


class _Forecast:
    """The half-width of the stratified estimate of the accuracy after so many more cards."""

    def __init__(self, review: Review, order: NDArray[np.integer]) -> None:
        unseen = review.rest & ~review.opened
        self.strata = review.strata.of[order[unseen[order]]]
        self._total = len(review.strata.label)
        sampled = review.sampled
        right = sampled & (review.blind == review.labels)
        self._cards, of_right, rest = (
            np.bincount(review.strata.of[which], minlength=self._total) for which in (sampled, right, review.rest)
        )
        self._faces = self._cards + rest
        # One card more, as often right as all cards are: a stratum that is all right so far has some variance.
        share = (of_right.sum() + 0.5) / (sampled.sum() + 1)
        of_stratum = (of_right + share) / (self._cards + 1)
        self._variance = of_stratum * (1 - of_stratum)
        self._all = len(review.labels)

    def half_width(self, more: int) -> float:
        """Return the half-width after ``more`` cards."""
        cards = self._cards + np.bincount(self.strata[:more], minlength=self._total)
        left = self._faces - cards
        # The variance of a stratified mean with finite-population correction (Cochran 1977, theorem 5.3).
        parts = self._faces * left * self._variance / np.maximum(cards - 1, 1)
        return float(_Z * np.sqrt(parts.sum()) / max(self._all, 1))
