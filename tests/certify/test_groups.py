"""Each group has its own figures from the one sample, and a gap is certain only beyond what chance makes of many."""

from __future__ import annotations

import numpy as np
import sessions

from labeler.certify.answers import Review
from labeler.certify.figures import Figure
from labeler.certify.groups import certify_each, largest_gap


def figure(value: float, half: float) -> Figure:
    return Figure(value=value, interval=(value - half, value + half), cards=100)


def worse_in_one(seed: int, share: float, cards: int) -> tuple[sessions.Table, Review, np.ndarray]:
    """Return a session of three groups; in the last one a share of the faces have another class than they had."""
    one = sessions.table(6000, seed)
    random = np.random.default_rng(seed)
    group = random.integers(0, 3, 6000)
    changed = (group == 2) & (random.random(6000) < share)
    one = sessions.Table(probabilities=one.probabilities, truth=np.where(changed, (one.truth + 3) % 7, one.truth))
    return one, sessions.answered(one, cards, seed)[0], group


def test_intervals_of_groups_and_of_their_gap_hold_the_truth() -> None:
    held, gaps, sessions_count = 0, 0, 8
    for seed in range(sessions_count):
        one, review, group = worse_in_one(seed, 0.25, 400)
        found = [each.model.accuracy for each in certify_each(review, group, seed=seed, draws=300)]
        true = [float((review.labels == one.truth)[group == place].mean()) for place in range(3)]
        held += sum(
            each.interval[0] <= value <= each.interval[1]
            for each, value in zip(found, true, strict=True)
            if each.interval
        )
        gap = largest_gap(found)
        assert gap is not None
        gaps += gap.interval[0] <= true[gap.higher] - true[gap.lower] <= gap.interval[1]

    assert held >= 20  # Of 24; at 95% fewer are rarer than 1 in 100.
    assert gaps >= 7


def test_a_gap_that_is_there_is_found() -> None:
    _, review, group = worse_in_one(1, 0.4, 600)
    gap = largest_gap([each.model.accuracy for each in certify_each(review, group, draws=300)])

    assert gap is not None
    assert gap.lower == 2
    assert gap.certain


def test_a_group_without_cards_has_no_figure_and_no_part_in_the_gap() -> None:
    _, review, group = worse_in_one(1, 0.0, 300)
    few = np.where(np.arange(6000) < 30, 3, group)
    found = [each.model.accuracy for each in certify_each(review, few, draws=200)]
    gap = largest_gap(found)

    assert found[3].value is None
    assert gap is not None
    assert gap.compared == 3


def test_faces_of_no_group_are_left_out() -> None:
    _, review, group = worse_in_one(1, 0.0, 300)
    only = np.where(group == 0, 0, -1)
    (found,) = certify_each(review, only, draws=200)

    assert found.model.faces == (group == 0).sum()


def test_the_interval_of_a_gap_grows_with_the_groups_that_were_compared() -> None:
    two = largest_gap([figure(0.9, 0.03), figure(0.8, 0.04)])
    many = largest_gap([figure(0.9, 0.03), figure(0.8, 0.04), *[figure(0.85, 0.03)] * 8])

    assert two is not None
    assert many is not None
    assert np.allclose(two.interval, (0.1 - 0.05, 0.1 + 0.05))
    assert many.interval[1] - many.interval[0] > 1.5 * (two.interval[1] - two.interval[0])
    assert (two.higher, two.lower) == (many.higher, many.lower) == (0, 1)
    assert two.certain
    assert many.certain is (many.interval[0] > 0)


def test_one_group_has_no_gap() -> None:
    assert largest_gap([figure(0.9, 0.1), Figure(value=None, interval=None, cards=3)]) is None
