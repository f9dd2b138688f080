"""The head of a network moves towards the votes on reviewed faces, and no further than they are worth."""

from __future__ import annotations

import adaptations
import numpy as np
import pytest

from labeler.certify.calibrate import losses
from training.adapt import head


def one_hot(truth: np.ndarray) -> np.ndarray:
    return np.eye(adaptations.CLASSES)[truth]


def test_faces_of_another_look_are_told_apart_better_than_before() -> None:
    one = adaptations.population(3000, seed=1, shift=1.0)
    fitted = head.fit(one.probabilities[:500], one.embeddings[:500], one_hot(one.truth[:500]))
    after = fitted(one.probabilities[500:], one.embeddings[500:])
    right = [(each.argmax(axis=1) == one.truth[500:]).mean() for each in (one.probabilities[500:], after)]

    assert right[1] > right[0] + 0.02
    assert losses(after, one.truth[500:]).mean() < losses(one.probabilities[500:], one.truth[500:]).mean() - 0.03


def test_the_probabilities_sum_to_1_and_without_a_kernel_they_stay() -> None:
    one = adaptations.population(50, seed=2)
    none = head.Head(
        kernel=np.zeros((adaptations.FEATURES, adaptations.CLASSES)), offsets=np.zeros(adaptations.CLASSES)
    )

    assert np.allclose(none(one.probabilities, one.embeddings), one.probabilities, atol=1e-5)
    fitted = head.fit(one.probabilities, one.embeddings, one_hot(one.truth))
    assert np.allclose(fitted(one.probabilities, one.embeddings).sum(axis=1), 1)


def test_votes_that_say_what_the_model_says_change_next_to_nothing() -> None:
    one = adaptations.population(300, seed=3)
    fitted = head.fit(one.probabilities, one.embeddings, one.probabilities)

    assert np.abs(fitted(one.probabilities, one.embeddings) - one.probabilities).max() < 1e-3


def test_votes_that_are_split_pull_less_than_those_that_agree() -> None:
    one = adaptations.population(200, seed=4, shift=1.0)
    split = 0.5 * one_hot(one.truth) + 0.5 * one.probabilities
    agreed, doubted = (head.fit(one.probabilities, one.embeddings, votes) for votes in (one_hot(one.truth), split))

    assert np.abs(doubted.kernel).sum() < 0.7 * np.abs(agreed.kernel).sum()


@pytest.mark.parametrize("scale", [1e-3, 1e3])
def test_the_scale_of_the_embeddings_does_not_matter(scale: float) -> None:
    one = adaptations.population(200, seed=5, shift=1.0)
    votes = one_hot(one.truth)
    here = head.fit(one.probabilities, one.embeddings, votes)(one.probabilities, one.embeddings)
    there = head.fit(one.probabilities, scale * one.embeddings, votes)(one.probabilities, scale * one.embeddings)

    assert np.abs(here - there).max() < 1e-3


def test_embeddings_that_are_all_the_same_leave_the_offsets() -> None:
    one = adaptations.population(200, seed=6)
    same = np.ones_like(one.embeddings)
    fitted = head.fit(one.probabilities, same, one_hot(np.zeros(200, int)))

    assert np.isfinite(fitted.kernel).all()
    assert fitted(one.probabilities, same)[:, 0].mean() > one.probabilities[:, 0].mean()
