"""Scores against how often they are right."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from labeler.evaluation import calibration

PROBABILITIES = np.array([[0.9, 0.1], [0.9, 0.1], [0.3, 0.7], [0.45, 0.55]])
TRUTH = np.array([0, 1, 1, 1])
"""Right, wrong, right, right."""


def test_the_calibration_error_is_the_mean_distance_of_score_and_accuracy() -> None:
    assert calibration.of(PROBABILITIES, TRUTH).ece == pytest.approx((2 * 0.4 + 0.3 + 0.45) / 4)


def test_the_calibration_error_alone_is_the_same() -> None:
    assert calibration.calibration_error(PROBABILITIES, TRUTH) == calibration.of(PROBABILITIES, TRUTH).ece


def test_scores_as_often_right_as_they_say_have_no_error() -> None:
    probabilities = np.tile([0.75, 0.25], (4, 1))

    assert calibration.of(probabilities, np.array([0, 0, 0, 1])).ece == 0


def test_a_score_of_one_is_in_the_last_bin() -> None:
    assert calibration.of(np.array([[1.0, 0.0]]), np.array([0])).reliability[-1] == calibration.Bin(
        n=1, score=1.0, right=1
    )


def test_the_log_loss_is_that_of_the_true_class() -> None:
    expected = -sum(map(math.log, (0.9, 0.1, 0.7, 0.55))) / 4

    assert calibration.of(PROBABILITIES, TRUTH).nll == pytest.approx(expected)


def test_the_log_loss_is_finite_for_a_true_class_that_was_ruled_out() -> None:
    assert math.isfinite(calibration.of(np.array([[1.0, 0.0]]), np.array([1])).nll)


def test_the_brier_score_is_summed_over_the_classes() -> None:
    assert calibration.of(np.array([[0.9, 0.1]]), np.array([1])).brier == pytest.approx(2 * 0.81)


def test_a_threshold_keeps_the_scores_that_reach_it() -> None:
    kept = calibration.of(PROBABILITIES, TRUTH).coverage[70]

    assert (kept.threshold, kept.n, kept.right) == (0.7, 3, 2)


def test_the_smallest_threshold_is_suggested() -> None:
    kept = calibration.of(np.array([[0.5, 0.5], [0.9, 0.1], [0.8, 0.2]]), np.array([1, 0, 0])).reaching(0.95)

    assert kept
    assert (kept.threshold, kept.n, kept.accuracy) == (0.51, 2, 1.0)


def test_an_accuracy_that_is_never_reached_has_no_threshold() -> None:
    assert calibration.of(PROBABILITIES, np.array([1, 1, 0, 0])).reaching(0.9) is None


def test_it_is_json() -> None:
    found = json.loads(json.dumps(calibration.of(PROBABILITIES, TRUTH).as_json()))

    assert (found["coverage"][14], len(found["reliability"])) == ({"threshold": 0.7, "n": 3, "right": 2}, 15)
