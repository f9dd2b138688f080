"""Intervals hold what is published of them."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from labeler.evaluation import intervals

CONFUSION = ((40, 10), (5, 45))


@pytest.mark.parametrize(
    ("count", "total", "expected"),
    [(50, 100, (0.4038, 0.5962)), (0, 10, (0.0, 0.2775)), (10, 10, (0.7225, 1.0)), (0, 0, (0.0, 1.0))],
)
def test_the_interval_of_a_share_is_wilsons(count: int, total: int, expected: tuple[float, float]) -> None:
    assert intervals.of_share(count, total) == pytest.approx(expected, abs=1e-4)


def test_macro_f1_is_the_mean_over_the_classes() -> None:
    assert intervals.macro_f1(np.array([CONFUSION])) == pytest.approx([(80 / 95 + 90 / 105) / 2])


def test_a_class_that_the_truth_does_not_hold_counts_nothing() -> None:
    assert intervals.macro_f1(np.array([[[3, 1], [0, 0]]])) == pytest.approx([6 / 7])


def test_the_interval_of_macro_f1_is_as_wide_as_pictures_drawn_anew_make_it() -> None:
    truth, predicted = np.repeat([0, 0, 1, 1], [40, 10, 5, 45]), np.repeat([0, 1, 0, 1], [40, 10, 5, 45])
    random = np.random.default_rng(5)
    found = []
    for _ in range(1000):
        rows = random.integers(0, 100, 100)
        confusion = np.zeros((2, 2), np.int64)
        np.add.at(confusion, (truth[rows], predicted[rows]), 1)
        found.append(intervals.macro_f1(confusion[None])[0])

    assert intervals.of_macro_f1(CONFUSION) == pytest.approx(np.percentile(found, (2.5, 97.5)), abs=0.015)


def test_the_interval_of_macro_f1_of_a_thousand_classes_takes_little_memory() -> None:
    """All cells of 1,000 resamples had 8 GB."""
    random = np.random.default_rng(3)
    confusion = np.zeros((1000, 1000), np.int64)
    np.add.at(confusion, tuple(random.integers(0, 1000, (2, 1000))), 1)
    tracemalloc.start()
    low, high = intervals.of_macro_f1(confusion.tolist())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert 0 <= low <= high < 0.1
    assert peak < 200e6


def test_the_interval_of_macro_f1_is_always_the_same() -> None:
    assert intervals.of_macro_f1(CONFUSION) == intervals.of_macro_f1(CONFUSION)
