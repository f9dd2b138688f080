"""Kappa and McNemar's test: the figures of textbooks, of other programs, and the ends of their ranges."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from sklearn.metrics import cohen_kappa_score

from labeler.evaluation.agreement import CHI_SQUARE, EXACT, agreement, kappa, mcnemar

scipy_stats = pytest.importorskip("scipy.stats")


def pairs(*rows: tuple[float, ...]) -> dict[tuple[str, str], int]:
    names = "abcdefgh"
    return {(names[i], names[j]): int(count) for i, row in enumerate(rows) for j, count in enumerate(row)}


@pytest.mark.parametrize(
    ("counts", "value", "error", "interval"),
    [
        pytest.param(
            # Bonett, statpsych, `ci.kappa(.05, 31, 12, 4, 58)`: its printed estimate, error and limits.
            pairs((31, 12), (4, 58)), 0.6756757, 0.07344761, (0.5317210, 0.8196303), id="statpsych",
        ),
        pytest.param(
            # Fleiss, Levin and Paik (2003), table 18.1: two raters, 100 subjects; kappa .68, 95% interval .51 to .85.
            pairs((75, 1, 4), (5, 4, 1), (0, 0, 10)), 0.676, 0.088, (0.505, 0.848), id="Fleiss, Levin and Paik",
        ),
        pytest.param(
            # Agresti, Categorical Data Analysis, 10.5: two pathologists, 118 slides; 0.493, 0.057, (0.38, 0.61).
            pairs((22, 2, 2, 0), (5, 7, 14, 0), (0, 2, 36, 0), (0, 1, 17, 10)), 0.493, 0.057, (0.38, 0.605),
            id="Agresti",
        ),
    ],
)  # fmt: skip
def test_kappa_is_that_of_the_textbooks(
    counts: dict[tuple[str, str], int], value: float, error: float, interval: tuple[float, float]
) -> None:
    found = kappa(counts)

    assert found
    assert found.interval
    assert (found.value, found.standard_error) == (pytest.approx(value, abs=5e-4), pytest.approx(error, abs=5e-4))
    assert found.interval == pytest.approx(interval, abs=2e-3)


def test_kappa_by_hand() -> None:
    """Of 10 faces 7 agree; by chance (5 x 6 + 5 x 4) / 100 = 0.5 would: (0.7 - 0.5) / 0.5."""
    found = kappa(pairs((4, 1), (2, 3)))

    assert found
    assert found.value == pytest.approx(0.4)


@settings(deadline=None)
@given(some.lists(some.tuples(*[some.sampled_from("abc")] * 2), min_size=1, max_size=40))
def test_kappa_is_that_of_scikit_learn_and_its_error_the_same_from_both_sides(said: list[tuple[str, str]]) -> None:
    counts = {pair: said.count(pair) for pair in said}
    found, turned = kappa(counts), kappa({(other, one): count for (one, other), count in counts.items()})
    if len({*map(tuple, said)}) == 1 and said[0][0] == said[0][1]:
        assert found is turned is None
        return
    assert found
    assert turned
    assert found.value == pytest.approx(cohen_kappa_score(*zip(*said, strict=True)))
    assert turned.value == pytest.approx(found.value)
    assert turned.standard_error == pytest.approx(found.standard_error, abs=1e-7)


def test_of_equal_labels_kappa_is_one_and_has_no_interval() -> None:
    found = agreement(pairs((5, 0), (0, 7)))

    assert (found.share, found.kappa and (found.kappa.value, found.kappa.interval)) == (1.0, (1.0, None))


@pytest.mark.parametrize("counts", [{}, {("a", "a"): 9}])
def test_without_faces_or_with_one_class_alone_there_is_no_kappa(counts: dict[tuple[str, str], int]) -> None:
    assert kappa(counts) is None


def test_the_agreement_has_wilsons_interval() -> None:
    """Newcombe (1998), table I: 81 of 263 gives 0.2553 to 0.3662."""
    found = agreement(pairs((81, 182), (0, 0)))

    assert (found.n, found.agreed) == (263, 81)
    assert found.interval == pytest.approx((0.2553, 0.3662), abs=5e-5)


def test_mcnemars_test_by_hand() -> None:
    """Of 12 discordant photos 2: twice (1 + 12 + 66) / 4096 = 0.03857."""
    found = mcnemar(2, 10)

    assert (found.test, found.p) == (EXACT, pytest.approx(158 / 4096))


def test_mcnemars_test_with_the_correction_is_that_of_the_textbook() -> None:
    """Agresti (1990), p. 350: 150 and 86 changed their opinion; (64 - 1)^2 / 236 = 16.82, and p = 4.1e-5."""
    found = mcnemar(150, 86)

    assert (found.test, found.p) == (CHI_SQUARE, pytest.approx(4.115e-5, rel=1e-3))


@settings(deadline=None)
@given(some.integers(0, 400), some.integers(0, 400))
def test_mcnemars_test_is_that_of_scipy_and_the_same_from_both_sides(one: int, other: int) -> None:
    found = mcnemar(one, other)
    if one + other == 0:
        expected = 1.0
    elif one + other < 25:
        expected = scipy_stats.binomtest(one, one + other).pvalue
    else:
        expected = scipy_stats.chi2.sf(max(abs(one - other) - 1, 0) ** 2 / (one + other), 1)

    assert found.p == pytest.approx(expected, rel=1e-9)
    assert mcnemar(other, one).p == found.p
    assert not math.isnan(found.p)
