"""A certificate counts what is known, estimates the rest, and prints no figure that the cards do not support."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import sessions

from labeler.certify.answers import NOT_A_FACE, NOT_SEEN, UNSURE, Review
from labeler.certify.certificate import certify
from labeler.certify.composition import Drawn
from labeler.certify.figures import WIDEST, Cards, of
from labeler.certify.reviewer import Checks
from labeler.certify.strata import ABSTAINED, divide


def session(cards: int = 300, faces: int = 4000, seed: int = 1) -> tuple[sessions.Table, Review, Checks]:
    one = sessions.table(faces, seed)
    return one, *sessions.answered(one, cards, seed)


def test_the_same_answers_give_the_same_certificate() -> None:
    _, review, checks = session()

    assert certify(review, checks, seed=3) == certify(review, checks, seed=3)


def test_rows_in_another_order_give_the_same_certificate() -> None:
    _, review, checks = session()
    shuffled = np.random.default_rng(0).permutation(len(review.labels))
    moved = Review(
        labels=review.labels[shuffled],
        probabilities=review.probabilities[shuffled],
        strata=replace(review.strata, of=review.strata.of[shuffled]),
        blind=review.blind[shuffled],
        open=review.open[shuffled],
    )
    one, other = certify(review, checks).model.accuracy, certify(moved, checks).model.accuracy

    assert one.value == pytest.approx(other.value, abs=0.003)


def test_a_table_that_was_looked_at_to_the_last_face_is_known_exactly() -> None:
    one, review, _ = session(cards=4000, faces=400)
    certificate = certify(review)
    true = sessions.true_figures(review.labels, one.truth)
    for name, figure in sessions.named(certificate.model):
        assert figure.value is None or figure.value == pytest.approx(true[name])
        assert figure.interval is None or figure.interval == pytest.approx((true[name], true[name]))
    assert certificate.now.accuracy.value == 1
    assert certificate.rest.faces == 0
    assert certificate.rest.accuracy.value is None


def test_corrections_make_the_table_better_than_the_model_and_say_nothing_about_the_rest() -> None:
    one, review, _ = session()
    certificate = certify(review)
    values = [figures.accuracy.value for figures in (certificate.model, certificate.now, certificate.rest)]

    assert all(value is not None for value in values)
    assert values[1] > values[0] + 0.02
    assert certificate.known == (review.known).sum()
    assert certificate.rest.faces == len(one.truth) - certificate.known - certificate.cards


def test_a_figure_with_few_cards_is_not_printed() -> None:
    _, review, _ = session(cards=40)
    certificate = certify(review)

    assert certificate.model.classes[1].recall.value is None
    assert certificate.model.classes[1].recall.interval is None
    assert certificate.model.classes[1].recall.cards < 15


def test_a_figure_that_the_reviewers_errors_make_too_wide_is_not_printed_though_no_face_is_left() -> None:
    _, review, _ = session(cards=4000, faces=400)
    certificate = certify(review, Checks(twice=10, disagreed=3, sentinels=10, missed=4))
    intervals = [figure.interval for _, figure in sessions.named(certificate.model) if figure.interval]

    assert intervals
    assert max(high - low for low, high in intervals) <= WIDEST


def test_no_card_gives_no_figure() -> None:
    _, review, _ = session(cards=0)
    figures = certify(review).model

    assert figures.accuracy.value is None
    assert all(figure.value is None for _, figure in sessions.named(figures))


def test_not_a_face_is_a_wrong_label_and_no_class() -> None:
    _, review, _ = session(cards=4000, faces=400)
    others = review.sampled & (review.blind == review.labels)
    changed = np.where(others, NOT_A_FACE, review.blind)
    before, after = certify(review).model, certify(replace(review, blind=changed)).model

    assert after.accuracy.value == pytest.approx((before.accuracy.value or 0) - others.mean())
    assert after.not_a_face.value == pytest.approx((before.not_a_face.value or 0) + others.mean())
    assert after.classes[3].recall.value == pytest.approx(
        ((review.known & (review.open == 3) & (review.labels == 3)).sum())
        / ((changed == 3) | (review.known & (review.open == 3))).sum()
    )


def test_unsure_widens_the_interval_to_both_sides_and_moves_no_value() -> None:
    _, review, _ = session(cards=4000, faces=400)
    unsure = np.random.default_rng(0).random(400) < 0.1
    changed = np.where(unsure & review.sampled, UNSURE, review.blind)
    accuracy = certify(replace(review, blind=changed)).model.accuracy
    told = changed != UNSURE
    right = (np.where(review.sampled, changed, review.open) == review.labels) & told

    assert accuracy.value == pytest.approx(right.sum() / told.sum())
    assert accuracy.interval == pytest.approx((right.mean(), (right | ~told).mean()))


def test_a_face_without_a_label_is_neither_right_nor_wrong_but_not_found() -> None:
    one = sessions.table(3000, 1)
    scores = one.probabilities.max(axis=1)
    labels = np.where(scores < 0.7, ABSTAINED, one.labels)
    review, _ = sessions.answered(one, 500, 1, corrected=0)
    review = replace(review, labels=labels, strata=divide(labels, scores))
    model = certify(review).model
    recall = ((labels == 3) & (one.truth == 3)).sum() / (one.truth == 3).sum()

    assert model.labelled == (labels >= 0).sum()
    assert model.faces == 3000
    assert model.accuracy.value == pytest.approx((labels == one.truth)[labels >= 0].mean(), abs=0.05)
    assert model.classes[3].recall.value == pytest.approx(recall, abs=0.1)


def test_checks_are_said_and_widen() -> None:
    _, review, _ = session(cards=400)
    alone = certify(review)
    checked = certify(review, Checks(twice=40, disagreed=4, sentinels=40, missed=2))

    assert alone.reviewer.error is None
    assert checked.reviewer.interval is not None
    assert checked.reviewer.interval[0] < 0.05 < checked.reviewer.interval[1]
    assert width(checked.model.accuracy.interval) > 1.2 * width(alone.model.accuracy.interval)
    assert (checked.model.accuracy.value or 0) > (alone.model.accuracy.value or 1)
    assert (checked.now.accuracy.interval or (1, 1))[0] < (alone.now.accuracy.interval or (0, 0))[0] + 0.05


def test_missed_sentinels_say_that_wrong_labels_were_let_pass_in_the_open() -> None:
    """Without the rest, all that is unknown is what the reviewer missed."""
    _, review, _ = session(cards=0, faces=500)
    opened = np.where(review.open == NOT_SEEN, review.labels, review.open)
    review = replace(review, open=opened)
    good, bad = (certify(review, Checks(sentinels=40, missed=missed)).now.accuracy for missed in (0, 12))

    assert (good.value or 0) > 0.99
    assert (bad.value or 1) < (good.value or 0)
    assert bad.cards == 0


def width(interval: tuple[float, float] | None) -> float:
    assert interval is not None
    return interval[1] - interval[0]


def test_no_value_lies_outside_its_interval() -> None:
    """In 1 draw of 100 half of the labels are wrong, in all others none: the mean is below the 2.5th percentile."""
    shown, right = np.full((1, 2), 100.0), np.full((100, 2), 100.0)
    right[0] = 50.0
    drawn = Drawn(right=right, no_face=np.zeros((100, 2)), unsure=np.zeros((100, 2)), kinds=np.full((100, 3), 50.0))
    found = of(drawn, shown, Cards(labels=np.full(2, 50), kinds=np.full(3, 50), left=np.full(2, 10)))
    figures = [found.accuracy, *(figure for one in found.classes for figure in (one.precision, one.recall, one.share))]

    assert all(figure.value is not None for figure in figures[:2])
    for figure in figures:
        if figure.value is not None and figure.interval:
            assert figure.interval[0] <= figure.value <= figure.interval[1]
