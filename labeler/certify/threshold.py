"""Find the score above which the labels are right in a wanted share."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from labeler.certify.answers import Review
from labeler.certify.certificate import certify
from labeler.certify.composition import DRAWS, recalibrated
from labeler.certify.figures import Figure
from labeler.certify.reviewer import Checks

STEPS = 50
"""Thresholds that are tried: the quantiles of the scores, each 2% of the faces apart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Threshold:
    """The lowest score that will do, the share of the labels that reach it, and the accuracy of these."""

    score: float
    kept: float
    accuracy: Figure


def find(
    review: Review, wanted: float, checks: Checks | None = None, seed: int = 0, draws: int = DRAWS
) -> Threshold | None:
    """Return the lowest score such that the labels from it on are certified to be right in the ``wanted`` share.

    Certified: the lower end of the 95% interval of their accuracy reaches it. None where the sample certifies that of
    no threshold. It is about the labels that the model gave to the faces that were not looked at in the open.
    Thresholds are tried by bisection, so a few more or less of them bring no luck.
    """
    scores, fitted = review.probabilities.max(axis=1), recalibrated(review)
    judged = (review.labels >= 0) & ~review.known
    if not judged.any():
        return None
    quantiles = np.quantile(scores[judged], np.arange(STEPS) / STEPS, method="lower")

    def at(step: int) -> Threshold | None:
        inside = judged & (scores >= quantiles[step])
        accuracy = certify(review, checks, inside, fitted, seed, draws).model.accuracy
        if accuracy.interval is None or accuracy.interval[0] < wanted:
            return None
        return Threshold(score=float(quantiles[step]), kept=float(inside.sum() / judged.sum()), accuracy=accuracy)

    low, high, found = 0, STEPS, None
    while low < high:
        middle = (low + high) // 2
        tried = at(middle)
        if tried:
            found, high = tried, middle
        else:
            low = middle + 1
    return found
