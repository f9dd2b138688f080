"""The blind sample tells whether an adapted model is better: sessions of which the truth is known."""

from __future__ import annotations

import adaptations
import numpy as np
import pytest

from training.adapt import paired


def told(before: list[list[float]], after: list[list[float]], truth: list[int], times: int = 1) -> paired.Paired:
    each = [np.array(shares * times) for shares in (before, after)]
    return paired.compare(each[0], each[1], np.array(truth * times), np.ones(len(truth) * times))


def test_figures_are_weighted() -> None:
    shares, truth = np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]]), np.array([0, 1, 1])
    found = paired.Figures.of(shares, truth, np.array([1.0, 1.0, 2.0]))

    assert found.accuracy == pytest.approx(0.5)
    assert found.log_loss == pytest.approx(-(np.log(0.9) + np.log(0.8) + 2 * np.log(0.4)) / 4)
    assert found.macro_f1 == pytest.approx((2 / 4 + 2 / 4) / 2)


def test_the_same_answers_are_no_gain() -> None:
    one = told([[0.9, 0.1], [0.4, 0.6]], [[0.9, 0.1], [0.4, 0.6]], [0, 0], times=100)

    assert (one.loss.value, one.accuracy.value, one.is_better) == (0, 0, False)


def test_better_scores_are_not_taken_where_fewer_labels_are_right() -> None:
    """The gain comes of one face in ten that was nearly certain and wrong; the labels of three others turn wrong."""
    before = [[0.999, 0.001], *[[0.49, 0.51]] * 3, *[[0.1, 0.9]] * 6]
    after = [[0.6, 0.4], *[[0.51, 0.49]] * 3, *[[0.1, 0.9]] * 6]
    one = told(before, after, [1] * 10, times=20)

    assert paired.interval(one.loss)[0] > 0
    assert one.fewer_right
    assert not one.is_better


def test_a_model_of_another_look_is_adapted_and_one_that_is_right_is_not_made_worse() -> None:
    other = adaptations.outcome(20, reviewed=500, cards=400, shift=1.0)
    same = adaptations.outcome(20, reviewed=200, cards=400, shift=0.0)

    assert other.taken >= 18
    assert other.gain / other.taken > 0.02
    assert other.harmed + other.fewer + same.harmed + same.fewer == 0
    assert same.taken <= 4


@pytest.mark.slow
@pytest.mark.parametrize(
    ("reviewed", "cards", "shift", "errors"),
    [
        (100, 100, 0.0, 0.0),
        (200, 400, 0.0, 0.0),
        (200, 200, 0.5, 0.05),
        (500, 400, 1.0, 0.0),
        (2000, 400, 1.0, 0.05),
    ],
)
def test_of_1000_sessions_none_takes_a_worse_model(reviewed: int, cards: int, shift: float, errors: float) -> None:
    """What is taken is at most 0.01 worse in log loss in 95% of the sessions, as is promised of `calibrate`."""
    found = adaptations.outcome(1000, reviewed, cards, shift, errors)
    print(reviewed, cards, shift, errors, found)

    assert found.harmed <= 0.05 * found.sessions
    assert found.fewer <= 0.05 * found.sessions
    for held in found.held.values():
        assert 0.93 * found.sessions <= held
