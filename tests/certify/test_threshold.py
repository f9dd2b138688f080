"""A threshold is one above which the labels are right in the wanted share, not one that looks so by chance."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import sessions

from labeler.certify import threshold
from labeler.certify.answers import NOT_SEEN
from labeler.certify.threshold import Threshold


def found(seed: int, cards: int, wanted: float) -> tuple[Threshold | None, float]:
    """Return the threshold and the share of the labels from it on that are right."""
    one = sessions.table(5000, seed)
    review, _ = sessions.answered(one, cards, seed)
    told = threshold.find(review, wanted, seed=seed, draws=200)
    if told is None:
        return None, 1.0
    kept = (one.probabilities.max(axis=1) >= told.score) & ~review.known
    return told, float((review.labels == one.truth)[kept].mean())


def test_labels_above_the_threshold_are_right_in_the_wanted_share() -> None:
    results = [found(seed, 400, 0.85) for seed in range(8)]

    assert sum(told is not None for told, _ in results) >= 7
    assert sum(right < 0.85 for _, right in results) <= 1
    assert np.mean([told.kept for told, _ in results if told]) > 0.6


def test_more_cards_certify_more_labels() -> None:
    few, many = ([found(seed, cards, 0.9)[0] for seed in range(3)] for cards in (120, 1500))

    assert all(told is not None for told in many)
    assert sum(told.kept for told in many if told) > sum(told.kept for told in few if told) + 0.2


def test_a_share_that_the_labels_have_as_they_are_needs_no_threshold() -> None:
    told, _ = found(1, 300, 0.5)

    assert told is not None
    assert told.kept == pytest.approx(1)


def test_what_no_sample_of_this_size_certifies_is_not_said() -> None:
    assert found(1, 100, 0.999)[0] is None


def test_nothing_is_certified_without_a_card_or_without_a_face() -> None:
    one = sessions.table(500, 1)
    review, _ = sessions.answered(one, 0, 1)

    assert threshold.find(review, 0.5) is None
    assert threshold.find(replace(review, open=one.truth, blind=np.full(500, NOT_SEEN)), 0.5) is None
