"""The figures of groups of faces - folders, cameras, years - and the largest gap between them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from labeler.certify.answers import Review
from labeler.certify.certificate import Certificate, certify
from labeler.certify.composition import DRAWS, recalibrated
from labeler.certify.figures import Figure, Interval
from labeler.certify.reviewer import Checks


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """The largest difference between two of ``compared`` groups, given by their places, with an interval of it.

    The interval holds at 95% for all pairs at once, by Bonferroni: the largest of many gaps is large by chance too.
    """

    higher: int
    lower: int
    value: float
    interval: Interval
    compared: int

    @property
    def certain(self) -> bool:
        """Return whether there is a gap at all."""
        return self.interval[0] > 0


def certify_each(
    review: Review,
    groups: NDArray[np.integer],
    checks: Checks | None = None,
    seed: int = 0,
    draws: int = DRAWS,
) -> list[Certificate]:
    """Certify each group by the one sample of the table; ``groups`` holds each face's group, 0, 1, ..., or -1 for none.

    The cards of a group are a random sample of it in each stratum, at the rates of the whole sample (post-stratified).
    Temperature and offsets of the prior are fitted to the cards of all groups.
    """
    scores = recalibrated(review)
    number = int(groups.max(initial=-1)) + 1
    return [certify(review, checks, groups == group, scores, seed + group, draws) for group in range(number)]


def largest_gap(figures: Sequence[Figure]) -> Gap | None:
    """Return the largest gap between the figures of groups; None with fewer than two that have a value.

    The interval of a difference is made of the two intervals (Newcombe 1998, method 10; Zou and Donner 2008), which
    are widened to the level of Bonferroni as those of a normal distribution.
    """
    told = [
        (place, one.value, one.interval)
        for place, one in enumerate(figures)
        if one.value is not None and one.interval is not None
    ]
    pairs = len(told) * (len(told) - 1) // 2
    if not pairs:
        return None
    widened = NormalDist().inv_cdf(1 - 0.025 / pairs) / NormalDist().inv_cdf(0.975)
    (one, first, ends), (other, second, others) = max(
        combinations(told, 2), key=lambda pair: abs(pair[0][1] - pair[1][1])
    )
    if first < second:
        (one, first, ends), (other, second, others) = (other, second, others), (one, first, ends)
    value = first - second
    below = widened * math.hypot(first - ends[0], others[1] - second)
    above = widened * math.hypot(ends[1] - first, second - others[0])
    interval = max(value - below, -1.0), min(value + above, 1.0)
    return Gap(higher=one, lower=other, value=value, interval=interval, compared=len(told))
