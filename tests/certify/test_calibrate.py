"""Calibration from a blind sample: it helps where scores are wrong, and refuses where it would not."""

from __future__ import annotations

import numpy as np
import pytest
import sessions

from labeler.certify import calibrate
from labeler.certify.cells import weights
from labeler.certify.recalibration import logarithms


def honest(faces: int, seed: int) -> sessions.Table:
    """Return a table whose scores are right: the labels are drawn from them."""
    probabilities = sessions.table(faces, seed).probabilities
    draw = np.random.default_rng(seed).random((faces, 1))
    return sessions.Table(probabilities=probabilities, truth=(probabilities.cumsum(axis=1) > draw).argmax(axis=1))


def by_sample(one: sessions.Table, cards: int, seed: int) -> calibrate.Calibration | None:
    review, _ = sessions.answered(one, cards, seed, corrected=0)
    named = review.blind >= 0
    weight = weights(review)[review.strata.of[named]]
    return calibrate.calibrate(review.probabilities[named], review.blind[named], weight)


def harm(one: sessions.Table, found: calibrate.Calibration | None) -> float:
    """Return by how much the log loss of the whole table rises."""
    named = one.truth >= 0
    before, truth = one.probabilities[named], one.truth[named]
    if found is None or found.recalibration is None:
        return 0.0
    after = found.recalibration(before)
    rows = np.arange(len(truth))
    return float((logarithms(before)[rows, truth] - logarithms(after)[rows, truth]).mean())


def test_scores_that_are_too_high_are_mended() -> None:
    one = sessions.table(5000, 1)
    found = by_sample(one, 200, 1)

    assert found is not None
    assert found.recalibration is not None
    assert found.recalibration.temperature > 1.3
    assert found.gain > 0.1
    assert found.error_after < found.error_before
    assert harm(one, found) < -0.1


def test_scores_that_are_right_are_left_alone_or_hardly_changed() -> None:
    tables = [honest(3000, seed) for seed in range(20)]
    found = [by_sample(one, 60, seed) for seed, one in enumerate(tables)]

    assert sum(each is not None and each.recalibration is None for each in found) >= 6
    assert max(harm(one, each) for one, each in zip(tables, found, strict=True)) < 0.02


def test_what_cross_validation_says_is_about_what_it_brings() -> None:
    one = sessions.table(5000, 2)
    found = [by_sample(one, 300, seed) for seed in range(10)]
    said = np.mean([each.gain for each in found if each])
    brought = np.mean([-harm(one, each) for each in found])

    assert said == pytest.approx(brought, abs=0.05)


def test_too_few_faces_give_no_calibration() -> None:
    assert by_sample(sessions.table(1000, 1), 10, 1) is None


def test_thirty_cards_seldom_do_harm() -> None:
    worse = [harm(one, by_sample(one, 30, seed)) > 0.01 for seed in range(30) for one in (honest(3000, seed % 10),)]

    assert sum(worse) <= 3


@pytest.mark.slow
@pytest.mark.parametrize("make", [sessions.table, honest])
def test_thirty_cards_do_no_harm_in_95_of_100_sessions(make: object) -> None:
    tables = [make(5000, seed) for seed in range(10)]  # type: ignore[operator]
    worse = [harm(tables[seed % 10], by_sample(tables[seed % 10], 30, seed)) > 0.01 for seed in range(1000)]

    assert sum(worse) <= 50
