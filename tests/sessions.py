"""Sessions of review whose truth is known: a table, a reviewer who corrects doubtful faces first, a blind sample."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count

import numpy as np
from numpy.typing import NDArray

from labeler.certify import queue, strata
from labeler.certify.answers import NOT_A_FACE, NOT_SEEN, Review
from labeler.certify.certificate import Certificate, certify
from labeler.certify.figures import Figure, Figures
from labeler.certify.reviewer import Checks

SHARES = np.array([0.09, 0.012, 0.022, 0.27, 0.38, 0.115, 0.111])
"""Shares of the classes of FER+: angry, disgust, fear, happy, neutral, sad, surprise."""

SEPARATION = np.array([2.0, 1.5, 2.0, 2.5, 2.0, 1.6, 2.3])
OTHER_PRIOR = np.array([0.6, 0.3, -0.4, 0.2, -0.5, 0.5, 0.1])
SHARPNESS = 2.0
"""With these about 78% of the labels are right and the scores are 13 points too high, unevenly among the classes."""

Truth = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table whose truth is known: class indices, `NOT_A_FACE`."""

    probabilities: NDArray[np.float64]
    truth: Truth

    @property
    def labels(self) -> NDArray[np.int64]:
        return self.probabilities.argmax(axis=1)


def table(faces: int, seed: int) -> Table:
    """Return a table by a model that confuses fear with surprise, sad with neutral, disgust with angry."""
    random = np.random.default_rng(seed)
    truth = random.choice(len(SHARES), faces, p=SHARES / SHARES.sum())
    signal = random.normal(size=(faces, len(SHARES)))
    signal[np.arange(faces), truth] += SEPARATION[truth]
    logits = SEPARATION * signal - SEPARATION**2 / 2 + np.log(SHARES)
    for one, other in ((5, 4), (2, 6), (1, 0)):
        logits[:, one] += 0.3 * logits[:, other]
    logits = SHARPNESS * logits + OTHER_PRIOR
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    truth[random.random(faces) < 0.004] = NOT_A_FACE
    return Table(probabilities=shares / shares.sum(axis=1, keepdims=True), truth=truth)


def answered(one: Table, cards: int, seed: int, errors: float = 0.0, corrected: float = 0.05) -> tuple[Review, Checks]:
    """Return a session: the most doubtful faces are corrected first, then ``cards`` are answered blind.

    A reviewer who errs gives another class on a share of the blind cards, and misses that share of the sentinels and
    of the wrong labels; a tenth of the cards are shown twice, and as many are sentinels.
    """
    random = np.random.default_rng([seed, 2])
    labels, scores = one.labels, one.probabilities.max(axis=1)
    divided = strata.divide(labels, scores)
    order = queue.order(divided, random.integers(0, 2**63, len(labels)).astype(np.uint64))
    blind, opened = np.full((2, len(labels)), NOT_SEEN)
    doubtful = np.argsort(scores)[: int(corrected * len(labels))]
    missed = random.random(len(doubtful)) < errors
    opened[doubtful] = np.where(missed, labels[doubtful], one.truth[doubtful])
    picked = order[opened[order] == NOT_SEEN][:cards]
    blind[picked] = seen_by(one.truth[picked], errors, random)
    twice = picked[: cards // 10]
    again = seen_by(one.truth[twice], errors, random)
    checks = Checks(
        twice=len(twice),
        disagreed=int((again != blind[twice]).sum()),
        sentinels=cards // 10,
        missed=int(random.binomial(cards // 10, errors)),
    )
    review = Review(labels=labels, probabilities=one.probabilities, strata=divided, blind=blind, open=opened)
    return review, checks


def seen_by(truth: Truth, errors: float, random: np.random.Generator) -> Truth:
    """Return what a reviewer answers who gives another class on a share of the cards."""
    classes = len(SHARES)
    other = (np.maximum(truth, 0) + random.integers(1, classes, len(truth))) % classes
    return np.where(random.random(len(truth)) < errors, other, truth)


def true_figures(labels: NDArray[np.int64], truth: Truth) -> dict[str, float]:
    """Return the figures of labels whose truth is known."""
    found = {"accuracy": float((labels == truth).mean())}
    for place in range(len(SHARES)):
        right = float(((labels == place) & (truth == place)).sum())
        found[f"precision {place}"] = right / max(int((labels == place).sum()), 1)
        found[f"recall {place}"] = right / max(int((truth == place).sum()), 1)
        found[f"share {place}"] = float((truth == place).sum() / (truth >= 0).sum())
    return found


def named(figures: Figures) -> Iterator[tuple[str, Figure]]:
    """Yield the names and figures that `true_figures` has."""
    yield "accuracy", figures.accuracy
    for place, one in enumerate(figures.classes):
        yield f"precision {place}", one.precision
        yield f"recall {place}", one.recall
        yield f"share {place}", one.share


@dataclass(kw_only=True)
class Covered:
    """How often a figure was printed and its interval held the truth, and the intervals' mean width."""

    printed: int = 0
    held: int = 0
    width: float = 0.0
    off: float = 0.0

    def add(self, figure: Figure, truth: float) -> None:
        if figure.interval is not None and figure.value is not None:
            low, high = figure.interval
            self.printed += 1
            self.held += low - 1e-9 <= truth <= high + 1e-9
            self.width += high - low
            self.off += figure.value - truth

    @property
    def share(self) -> float:
        return self.held / max(self.printed, 1)


def judge(found: dict[str, Covered], one: Table, review: Review, certificate: Certificate) -> None:
    """Add a certificate to what was covered so far; names begin with `model`, `now` or `rest`."""
    faces = np.ones(len(one.truth), np.bool_)
    answers = np.where(review.sampled, review.blind, review.seen_open)
    rest = review.rest & ~review.opened
    now = np.where(rest, review.labels, answers)
    kept = now != NOT_A_FACE
    views = (
        ("model", certificate.model, review.labels, faces),
        ("now", certificate.now, now, kept),
        ("rest", certificate.rest, review.labels, rest),
    )
    for name, figures, labels, which in views:
        true = true_figures(labels[which], one.truth[which])
        for figure, value in named(figures):
            found.setdefault(f"{name} {figure}", Covered()).add(value, true[figure])


def coverage(
    sessions: int, cards: int, errors: float = 0.0, faces: int = 10_000, checked: bool = False, draws: int = 500
) -> dict[str, Covered]:
    """Return what certificates of many sessions cover; each table serves ten sessions."""
    found: dict[str, Covered] = {}
    tables = (table(faces, number) for number in count())
    for number in range(sessions):
        if number % 10 == 0:
            one = next(tables)
        review, checks = answered(one, cards, number, errors)
        given = checks if checked or errors else None
        judge(found, one, review, certify(review, given, seed=number, draws=draws))
    return found
