"""Faces whose truth is known, as a network sees them that was trained on faces of another look."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from training.adapt import head, paired
from training.adapt.paired import Paired

CLASSES, FEATURES = 5, 24
SHARES = np.array([0.4, 0.28, 0.16, 0.1, 0.06])

_FACES, _UNSEEN = 4000, 20_000

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Population:
    """The probabilities (n, classes), embeddings (n, features) and classes of n faces."""

    probabilities: Floats
    embeddings: Floats
    truth: NDArray[np.int64]


def population(faces: int, seed: int, shift: float = 0.0) -> Population:
    """Return faces of a network whose scores are exactly right without a ``shift``: the distance, in deviations of a
    feature, by which another look moves the middle of each class.
    """
    random = np.random.default_rng(seed)
    world = np.random.default_rng(12345)  # The network and the other look are the same in every population.
    middles = 0.45 * world.normal(size=(CLASSES, FEATURES))
    moved = middles + 0.6 * shift * world.normal(size=(CLASSES, FEATURES))
    truth = random.choice(CLASSES, faces, p=SHARES)
    embeddings = moved[truth] + random.normal(size=(faces, FEATURES))
    logits = embeddings @ middles.T - (middles**2).sum(axis=1) / 2 + np.log(SHARES)
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    return Population(probabilities=shares / shares.sum(axis=1, keepdims=True), embeddings=embeddings, truth=truth)


@dataclass(frozen=True, kw_only=True)
class Session:
    """A session of review: what the blind faces say of the adapted model, and what is true of faces that nobody saw."""

    told: Paired
    true: Paired


def session(one: Population, unseen: Population, reviewed: int, cards: int, seed: int, errors: float = 0.0) -> Session:
    """Return a session: ``cards`` faces are looked at blind, and of the others the ``reviewed`` most doubtful ones.

    A reviewer who errs gives another class on a share of the reviewed faces.
    """
    random = np.random.default_rng([seed, 3])
    order = random.permutation(len(one.truth))
    blind, rest = order[:cards], order[cards:]
    doubtful = rest[np.argsort(one.probabilities[rest].max(axis=1), kind="stable")[:reviewed]]
    wrong = random.random(reviewed) < errors
    said = np.where(wrong, random.integers(CLASSES, size=reviewed), one.truth[doubtful])
    fitted = head.fit(one.probabilities[doubtful], one.embeddings[doubtful], np.eye(CLASSES)[said])

    def judged(faces: Population, places: NDArray[np.int64] | slice) -> Paired:
        before, truth = faces.probabilities[places], faces.truth[places]
        return paired.compare(before, fitted(before, faces.embeddings[places]), truth, np.ones(len(truth)))

    return Session(told=judged(one, blind), true=judged(unseen, slice(None)))


@dataclass(slots=True)
class Outcome:
    """What many sessions came to."""

    sessions: int = 0
    taken: int = 0
    """Sessions whose adapted model was taken."""
    harmed: int = 0
    """Those of them in which the log loss of unseen faces rose by more than 0.01."""
    fewer: int = 0
    """Those of them in which more than two points fewer of the unseen labels are right."""
    gain: float = 0.0
    """Sum of the gains in accuracy of unseen faces where the model was taken."""
    held: dict[str, int] = field(default_factory=lambda: {"loss": 0, "accuracy": 0})
    """Sessions in which the interval of a gain holds the gain of the unseen faces."""


def outcome(sessions: int, reviewed: int, cards: int, shift: float, errors: float = 0.0) -> Outcome:
    """Return what sessions come to; each has a table of its own."""
    found, unseen = Outcome(), population(_UNSEEN, 10**6, shift)
    for number in range(sessions):
        once = session(population(_FACES, number, shift), unseen, reviewed, cards, number, errors)
        found.sessions += 1
        for name in found.held:
            low, high = paired.interval(getattr(once.told, name))
            found.held[name] += low <= getattr(once.true, name).value <= high
        if once.told.is_better:
            found.taken += 1
            found.harmed += once.true.loss.value < -0.01
            found.fewer += once.true.accuracy.value < -0.02
            found.gain += once.true.accuracy.value
    return found
