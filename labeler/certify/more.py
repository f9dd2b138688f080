"""Foresee how many more cards narrow the interval of the accuracy to a wanted half-width."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from labeler.certify.answers import Review
from labeler.certify.certificate import Certificate

_Z = 1.959964
"""Standard deviations around the mean that hold 95% of a normal distribution."""

Floats = NDArray[np.float64]


def cards(review: Review, certificate: Certificate, order: NDArray[np.integer], half_width: float) -> int | None:
    """Return how many more cards of ``order`` are needed for that half-width; 0 when it is reached already.

    None where no number is enough: what is not known about the reviewer's errors, and the faces of which he is unsure,
    stay in the interval however many cards there are. The answer is a forecast (Cochran 1977, section 5.9): it takes
    the strata to stay about as often right as the cards so far say.
    """
    now = certificate.model.accuracy.interval
    forecast = _Forecast(review, order)
    scale, stays = 1.0, 0.0
    if now is not None:
        square, foreseen = ((now[1] - now[0]) / 2) ** 2, forecast.half_width(0) ** 2
        if square <= half_width**2:
            return 0
        unsure = certificate.reviewer.error is not None or bool(certificate.model.unsure.value)
        scale = square / foreseen if foreseen and not unsure else 1.0
        stays = max(square - foreseen, 0.0) if unsure else 0.0
    wanted = (half_width**2 - stays) / scale
    if wanted <= 0:
        return None
    low, high = 0, len(forecast.strata)
    while low < high:
        middle = (low + high) // 2
        if forecast.half_width(middle) ** 2 <= wanted:
            high = middle
        else:
            low = middle + 1
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
