"""The intervals of a certificate hold the truth as often as they say: sessions of which the truth is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import sessions
from sessions import Covered

from labeler.certify.answers import NOT_SEEN
from labeler.certify.certificate import certify

VIEWS = ("model", "now", "rest")


def together(found: dict[str, Covered], figure: str) -> Covered:
    """Return what the classes' figures of one kind cover together."""
    each = [one for name, one in found.items() if figure in name]
    return Covered(printed=sum(one.printed for one in each), held=sum(one.held for one in each))


def test_intervals_hold_the_truth() -> None:
    found = sessions.coverage(40, 200, faces=4000, draws=300)

    assert found["model accuracy"].held >= 34
    assert found["model accuracy"].width / 40 < 0.12
    assert abs(found["model accuracy"].off / 40) < 0.02
    for figure in ("precision", "recall", "share"):
        assert together(found, figure).share >= 0.9


def test_intervals_hold_the_truth_although_the_reviewer_errs_and_are_wider() -> None:
    wrong = sessions.coverage(20, 200, 0.05, faces=4000, draws=300)
    perfect = sessions.coverage(5, 200, faces=4000, draws=300)

    assert wrong["model accuracy"].held >= 16
    assert wrong["model accuracy"].width / 20 > 1.15 * perfect["model accuracy"].width / 5
    assert together(wrong, "precision").share >= 0.88


def test_errors_that_nobody_measures_are_not_covered() -> None:
    """The checks do it: a reviewer who errs on 15% of the cards makes a table look worse than it is."""
    blamed = Covered()
    for seed in range(10):
        one = sessions.table(4000, seed)
        review, _ = sessions.answered(one, 400, seed, errors=0.15)
        true = sessions.true_figures(review.labels, one.truth)["accuracy"]
        blamed.add(certify(review, seed=seed, draws=300).model.accuracy, true)

    assert blamed.held <= 3
    assert blamed.off / 10 < -0.06


@pytest.mark.parametrize("doubtful", [True, False])
def test_corrections_since_the_sample_take_no_wrong_label_away_from_it(doubtful: bool) -> None:
    """Somebody corrects the doubtful faces, or half of all that are wrong and nothing else."""
    found: dict[str, Covered] = {}
    for seed in range(16):
        one = sessions.table(4000, seed)
        review, _ = sessions.answered(one, 200, seed, corrected=0)
        scores, random = one.probabilities.max(axis=1), np.random.default_rng(seed)
        wrong = (one.labels != one.truth) & (random.random(4000) < 0.5)
        opened = (scores < np.quantile(scores, 0.15) if doubtful else wrong) & review.rest
        review = replace(review, later=np.where(opened, one.truth, NOT_SEEN))
        sessions.judge(found, one, review, certify(review, seed=seed, draws=300))

    for view in VIEWS:
        assert found[f"{view} accuracy"].held >= 13
        assert abs(found[f"{view} accuracy"].off / 16) < 0.025


@pytest.mark.slow
@pytest.mark.parametrize("cards", [100, 200, 400, 1000])
def test_a_thousand_sessions(cards: int) -> None:
    found = sessions.coverage(1000, cards)
    print(*(f"{name}: {one.share:.1%} of {one.printed}, off {one.off:.1f}" for name, one in found.items()), sep="\n")

    for view in VIEWS:
        assert 0.93 <= found[f"{view} accuracy"].share <= 0.97
    for name, one in found.items():
        if "accuracy" not in name and one.printed >= 200:
            # Each class is to be at 93%; 100 tables of ten sessions tell that to within 2%, shares to within 4%.
            assert one.share >= (0.88 if "share" in name else 0.91), name
    for view in VIEWS:
        for figure in ("precision", "recall", "share"):
            assert together(found, f"{view} {figure}").share >= 0.93


@pytest.mark.slow
@pytest.mark.parametrize("errors", [0.02, 0.05])
def test_a_thousand_sessions_of_a_reviewer_who_errs(errors: float) -> None:
    found = sessions.coverage(1000, 400, errors)

    for view in VIEWS:
        assert found[f"{view} accuracy"].share >= 0.9
        for figure in ("precision", "recall"):
            assert together(found, f"{view} {figure}").share >= 0.9
