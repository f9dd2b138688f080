"""Temperature and offsets are found by penalised maximum likelihood."""

from __future__ import annotations

import numpy as np
import sessions

from labeler.certify import recalibration
from labeler.certify.recalibration import Recalibration


def fitted(faces: int, strength: tuple[float, float] = recalibration.STRENGTH) -> tuple[sessions.Table, Recalibration]:
    one = sessions.table(faces, 1)
    named = one.truth >= 0
    return one, recalibration.fit(one.probabilities[named], one.truth[named], np.ones(named.sum()), strength)


def test_what_was_done_to_the_probabilities_is_undone() -> None:
    """Labels are drawn from the probabilities before a temperature and offsets were put on them."""
    random = np.random.default_rng(0)
    honest = random.dirichlet([0.4] * 4, 20_000)
    truth = (honest.cumsum(axis=1) > random.random((20_000, 1))).argmax(axis=1)
    offsets = np.array([1.0, -0.5, 0.0, -0.5])
    changed = np.exp(2.0 * recalibration.logarithms(honest) + offsets)
    found = recalibration.fit(changed / changed.sum(axis=1, keepdims=True), truth, np.ones(20_000))

    assert abs(found.temperature - 2.0) < 0.08
    assert np.abs(found.offsets - found.offsets.mean() + 0.5 * offsets).max() < 0.06


def test_the_fit_is_the_minimum_of_the_penalised_loss() -> None:
    one, found = fitted(300)
    named = one.truth >= 0
    truth = one.truth[named]

    def loss(scale: float, offsets: np.ndarray) -> float:
        moved = Recalibration(log_scale=scale, offsets=offsets, covariance=found.covariance)
        of_truth = moved(one.probabilities[named])[np.arange(len(truth)), truth]
        return float(-np.log(of_truth).sum() + 2 * scale**2 + np.square(offsets).sum())

    least = loss(found.log_scale, found.offsets)
    random = np.random.default_rng(0)
    for _ in range(50):
        step = random.normal(size=8) * 0.05

        assert loss(found.log_scale + step[0], found.offsets + step[1:]) > least


def test_a_stronger_penalty_changes_less_and_nothing_changes_nothing() -> None:
    _, weak = fitted(200)
    _, strong = fitted(200, (1e6, 1e6))
    none = recalibration.fit(np.zeros((0, 7)), np.zeros(0, int), np.zeros(0))

    assert np.abs(strong.offsets).max() < 1e-3 < np.abs(weak.offsets).max()
    assert none.temperature == 1
    assert np.abs(none.offsets).max() == 0


def test_faces_with_larger_weights_count_more_but_only_as_many_as_they_are() -> None:
    one = sessions.table(400, 1)
    named = np.flatnonzero(one.truth >= 0)
    doubled = np.concatenate([named, named])
    even = recalibration.fit(one.probabilities[named], one.truth[named], np.full(len(named), 25.0))
    same = recalibration.fit(one.probabilities[named], one.truth[named], np.ones(len(named)))
    more = recalibration.fit(one.probabilities[doubled], one.truth[doubled], np.ones(len(doubled)))

    assert np.allclose(even.offsets, same.offsets)
    assert more.covariance.trace() < same.covariance.trace()


def test_probabilities_of_zero_are_no_trouble() -> None:
    sure = np.eye(3)[[0, 1, 2, 0]]
    found = recalibration.fit(sure, np.array([0, 1, 0, 2]), np.ones(4))

    assert np.isfinite(found(sure)).all()
    assert np.allclose(found(sure).sum(axis=1), 1)
