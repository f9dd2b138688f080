"""How far two labellers agree: Cohen's kappa; and which is more often right: McNemar's test."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from labeler.evaluation import intervals
from labeler.evaluation.intervals import Interval

FEWEST_FOR_CHI_SQUARE = 25
"""Lower limit on discordant pairs for the chi-square approximation; of fewer, McNemar's test is exact."""

EXACT, CHI_SQUARE = "exact binomial test", "chi-square with continuity correction"

Pairs = Mapping[tuple[str, str], int]
"""How often the first labeller said the one and the second the other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kappa:
    """Cohen's kappa, its standard error and its 95% interval; see `kappa`."""

    value: float
    standard_error: float
    interval: Interval | None
    """None where all labels agree: the standard error of 0 then says nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """The faces that both label with a class: how many, and how many with the same one."""

    n: int
    agreed: int
    kappa: Kappa | None
    """None without a face, and where both give every face the same one class: chance explains it all."""

    @property
    def share(self) -> float | None:
        """Return the share of labels that agree; None without a face."""
        return self.agreed / self.n if self.n else None

    @property
    def interval(self) -> Interval:
        """Return the Wilson interval of the share."""
        return intervals.of_share(self.agreed, self.n)


@dataclass(frozen=True, slots=True, kw_only=True)
class McNemar:
    """McNemar's test (1947): whether of two labellers one is more often right on the same photos."""

    only_a: int
    """Photos that only the first labels right; ``only_b`` those that only the second does."""
    only_b: int
    p: float
    """The two-sided p-value."""
    test: str
    """`EXACT` or `CHI_SQUARE`."""

    @property
    def spelled_p(self) -> str:
        """Return the p-value with the two digits that count."""
        return f"{self.p:.2g}" if self.p >= 1e-4 else "below 0.0001"


@dataclass(frozen=True, slots=True, kw_only=True)
class Gain:
    """How much more often the second of two labellers is right on the same photos, as a share of them."""

    value: float
    interval: Interval


def gain(only_a: int, only_b: int, n: int) -> Gain:
    """Return the gain from the first labeller to the second, of ``n`` photos (at least one); see `McNemar`.

    For the 95% interval, half a photo is added to each of the four outcomes: where few answers differ, their variance
    within the sample is too small (Agresti and Min 2005, "Simple improved confidence intervals for comparing matched
    proportions").
    """
    b, c, total = only_a + 0.5, only_b + 0.5, n + 2
    error = math.sqrt(b + c - (c - b) ** 2 / total) / total
    value = (only_b - only_a) / n
    return Gain(value=value, interval=intervals.of_estimate(value, error, -1.0, 1.0))


def agreement(pairs: Pairs) -> Agreement:
    """Return how far two labellers agree; ``pairs`` holds the items that both give a class."""
    agreed = sum(count for (one, other), count in pairs.items() if one == other)
    return Agreement(n=sum(pairs.values()), agreed=agreed, kappa=kappa(pairs))


def kappa(pairs: Pairs) -> Kappa | None:
    """Return Cohen's kappa (1960), with the large-sample standard error of Fleiss, Cohen and Everitt (1969).

    None where it is not defined: without items, or when both give all of them one and the same class. Formula 18.13
    to 18.15 of Fleiss, Levin and Paik, Statistical Methods for Rates and Proportions, 3rd edition.
    """
    n = sum(pairs.values())
    rows: Counter[str] = Counter()
    columns: Counter[str] = Counter()
    for (one, other), count in pairs.items():
        rows[one] += count
        columns[other] += count
    by_chance = sum(rows[name] * columns[name] for name in rows) / n**2 if n else 1.0
    if by_chance == 1.0:
        return None
    observed = sum(count for (one, other), count in pairs.items() if one == other) / n
    value = (observed - by_chance) / (1 - by_chance)
    agreed = disagreed = 0.0
    for (one, other), count in pairs.items():
        if one == other:
            agreed += count / n * (1 - (rows[one] + columns[one]) / n * (1 - value)) ** 2
        else:
            disagreed += count / n * ((columns[one] + rows[other]) / n * (1 - value)) ** 2
    variance = agreed + disagreed - (value - by_chance * (1 - value)) ** 2
    error = math.sqrt(max(variance, 0.0) / n) / (1 - by_chance)
    interval = intervals.of_estimate(value, error, -1.0, 1.0) if observed < 1 else None
    return Kappa(value=value, standard_error=error, interval=interval)


def mcnemar(only_a: int, only_b: int) -> McNemar:
    """Test whether ``only_a`` and ``only_b`` differ by more than chance.

    Of fewer than `FEWEST_FOR_CHI_SQUARE` in all, the binomial test with p = 1/2 is exact; otherwise chi-square with
    one degree of freedom, with the continuity correction of Edwards (1948).
    """
    n = only_a + only_b
    if n < FEWEST_FOR_CHI_SQUARE:
        tail = sum(math.comb(n, count) for count in range(min(only_a, only_b) + 1)) / 2**n
        return McNemar(only_a=only_a, only_b=only_b, p=min(1.0, 2 * tail), test=EXACT)
    square = max(abs(only_a - only_b) - 1, 0) ** 2 / n
    return McNemar(only_a=only_a, only_b=only_b, p=math.erfc(math.sqrt(square / 2)), test=CHI_SQUARE)
