"""Agreement of several raters: the figures of those who devised the coefficients, and the ends of their ranges."""

from __future__ import annotations

from collections import Counter
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from labeler.evaluation import raters
from labeler.evaluation.agreement import kappa

FOUR_OBSERVERS = [
    "123321412...",
    "1233224125.3",
    ".3332342251.",
    "12332441251.",
]
"""Krippendorff (2011), section C; the data set `cac.raw4raters` of Gwet's irrCAC: 12 units, votes are missing."""


def votes_of(*raters: str) -> Counter[tuple[str, ...]]:
    """Return the votes of raters, each a sign for each face; a dot is no vote."""
    return Counter(tuple(sign for sign in signs if sign != ".") for signs in zip(*raters, strict=True))


def table(*rows: tuple[int, ...]) -> dict[tuple[str, ...], int]:
    """Return the votes of two raters from their contingency table."""
    return {("abcdef"[i], "abcdef"[j]): count for i, row in enumerate(rows) for j, count in enumerate(row) if count}


@pytest.mark.parametrize(
    ("votes", "raw", "alpha", "ac1"),
    [
        pytest.param(
            # Krippendorff (2011), section C: 0.743. Gwet's irrCAC, overview: agreement 0.818, alpha 0.743, AC1 0.775.
            votes_of(*FOUR_OBSERVERS), 0.8182, 0.743, 0.7754, id="four observers",
        ),
        pytest.param(
            # Krippendorff (2011), section A: two observers, binary data, ten units.
            votes_of("0100000000", "1110010010"), 0.6, 0.095, None, id="binary",
        ),
        pytest.param(
            # Krippendorff (2011), section B: two observers, five values, twelve units.
            votes_of("aabbdcccedda", "babbbccceddd"), 0.75, 0.692, None, id="nominal",
        ),
        pytest.param(
            # Gwet's irrCAC, overview, `cont3x3abstractors`: agreement 0.89, alpha 0.7972585, AC1 0.8493305.
            table((13, 0, 0), (0, 20, 7), (0, 4, 56)), 0.89, 0.7972585, 0.8493305, id="abstractors",
        ),
        pytest.param(
            # Gwet (2008): 125 subjects, agreement 0.944 and AC1 0.941 where kappa is -0.023, its paradox.
            table((118, 5), (2, 0)), 0.944, None, 0.941, id="paradox",
        ),
    ],
)  # fmt: skip
def test_the_coefficients_are_those_published(
    votes: dict[tuple[str, ...], int], raw: float, alpha: float | None, ac1: float | None
) -> None:
    found = raters.agreement(votes)

    assert found
    assert found.raw.value == pytest.approx(raw, abs=5e-5)
    for one, value in ((found.alpha, alpha), (found.ac1, ac1)):
        assert one
        assert value is None or one.value == pytest.approx(value, abs=5e-4)


def test_the_intervals_are_near_those_of_gwets_variances() -> None:
    """IrrCAC, overview, `cont3x3abstractors`: 0.828 to 0.952, 0.680 to 0.914, 0.764 to 0.935."""
    found = raters.agreement(table((13, 0, 0), (0, 20, 7), (0, 4, 56)))

    assert found
    assert found.alpha
    assert found.ac1
    assert found.raw.interval == pytest.approx((0.828, 0.952), abs=0.015)
    assert found.alpha.interval == pytest.approx((0.680, 0.914), abs=0.015)
    assert found.ac1.interval == pytest.approx((0.764, 0.935), abs=0.015)


@settings(deadline=None)
@given(some.lists(some.lists(some.sampled_from("abc"), min_size=2, max_size=2), min_size=1, max_size=30))
def test_of_two_raters_alpha_is_scotts_pi_with_the_correction_for_few(said: list[list[str]]) -> None:
    """Krippendorff: alpha = 1 - (1 - pi) (2n - 1) / 2n, and pi is kappa of both orders together."""
    found = raters.agreement(Counter(map(tuple, said)))
    both = Counter([(one, other) for one, other in said] + [(other, one) for one, other in said])
    pi = kappa(both)

    assert found
    assert found.raw.value == pytest.approx(sum(one == other for one, other in said) / len(said))
    assert (found.alpha is None) == (pi is None) == (found.ac1 is None)
    if found.alpha and pi:
        assert found.alpha.value == pytest.approx(1 - (1 - pi.value) * (2 * len(said) - 1) / (2 * len(said)))


@settings(deadline=None)
@given(some.lists(some.lists(some.sampled_from("abcd"), min_size=1, max_size=5), min_size=1, max_size=30))
def test_raw_agreement_is_that_of_the_pairs_and_the_order_of_votes_and_faces_changes_nothing(
    said: list[list[str]],
) -> None:
    found = raters.agreement(Counter(map(tuple, said)))
    shares = [np.mean([one == other for one, other in combinations(votes, 2)]) for votes in said if len(votes) > 1]
    if not shares:
        assert found is None
        return
    turned = raters.agreement(Counter(tuple(sorted(votes)) for votes in reversed(said)))

    assert found
    assert turned
    assert (found.faces, found.votes) == (len(shares), sum(len(votes) for votes in said if len(votes) > 1))
    assert found.raw.value == pytest.approx(np.mean(shares))
    for name in ("raw", "alpha", "ac1"):
        one, other = getattr(found, name), getattr(turned, name)
        assert one == other


def test_where_all_agree_only_the_share_has_an_interval() -> None:
    found = raters.agreement({("a", "a"): 10, ("b", "b"): 5})

    assert found
    assert found.raw == raters.Coefficient(value=1.0, interval=(pytest.approx(0.7961, abs=1e-4), 1.0))  # type: ignore[arg-type]
    assert found.alpha == found.ac1 == raters.Coefficient(value=1.0, interval=None)


def test_of_one_class_alone_nothing_but_the_share_is_defined() -> None:
    found = raters.agreement({("a", "a", "a"): 10})

    assert found
    assert (found.raw.value, found.alpha, found.ac1) == (1.0, None, None)


@pytest.mark.parametrize("votes", [{}, {("a",): 5, ("b",): 2}])
def test_without_two_votes_on_a_face_there_is_no_agreement(votes: dict[tuple[str, ...], int]) -> None:
    assert raters.agreement(votes) is None
