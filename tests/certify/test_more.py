"""The forecast of how many more cards are needed comes true."""

from __future__ import annotations

import numpy as np
import pytest
import sessions

from labeler.certify import keys, more, queue, strata
from labeler.certify.answers import NOT_SEEN, Review
from labeler.certify.certificate import certify
from labeler.certify.reviewer import Checks


def session(cards: int, faces: int = 10_000) -> tuple[Review, np.ndarray, sessions.Table]:
    """Return a session that `extended` can go on with."""
    one = sessions.table(faces, 1)
    divided = strata.divide(one.labels, one.probabilities.max(axis=1))
    order = queue.order(divided, keys.of_faces([str(number) for number in range(faces)], np.zeros((faces, 4))))
    return extended(one, order, cards), order, one


def extended(one: sessions.Table, order: np.ndarray, cards: int) -> Review:
    blind = np.full(len(one.truth), NOT_SEEN)
    blind[order[:cards]] = one.truth[order[:cards]]
    divided = strata.divide(one.labels, one.probabilities.max(axis=1))
    none = np.full(len(one.truth), NOT_SEEN)
    return Review(labels=one.labels, probabilities=one.probabilities, strata=divided, blind=blind, open=none)


@pytest.mark.parametrize("cards", [100, 300])
def test_the_cards_that_are_foreseen_give_the_wanted_interval(cards: int) -> None:
    review, order, one = session(cards)
    needed = more.cards(review, certify(review), order, 0.02)
    assert needed is not None
    low, high = certify(extended(one, order, cards + needed)).model.accuracy.interval or (0, 1)

    assert (high - low) / 2 == pytest.approx(0.02, abs=0.004)


def test_no_card_is_needed_for_an_interval_that_is_narrow_already() -> None:
    review, order, _ = session(400)

    assert more.cards(review, certify(review), order, 0.1) == 0


def test_all_cards_are_enough_for_any_interval() -> None:
    review, order, _ = session(50, faces=300)

    assert 200 <= (more.cards(review, certify(review), order, 0.001) or 0) <= 250


def test_no_number_of_cards_makes_up_for_a_reviewer_who_errs() -> None:
    review, order, _ = session(400)
    unsure = certify(review, Checks(twice=20, disagreed=4, sentinels=20, missed=2))

    assert more.cards(review, unsure, order, 0.01) is None


def test_second_looks_that_go_on_narrow_the_interval_of_a_reviewer_who_errs_little() -> None:
    review, order, one = session(100)
    needed = more.cards(review, certify(review, Checks(twice=7)), order, 0.03)
    assert needed
    later = certify(extended(one, order, 100 + needed), Checks(twice=7 + needed // 10))
    low, high = later.model.accuracy.interval or (0, 1)

    assert (high - low) / 2 == pytest.approx(0.03, abs=0.01)


def test_a_sample_too_small_for_a_figure_still_has_a_forecast() -> None:
    review, order, _ = session(10)

    assert 100 < (more.cards(review, certify(review), order, 0.04) or 0) < 1500
