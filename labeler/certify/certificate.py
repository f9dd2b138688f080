"""Certify a table: how right its labels are, as the model gave them, as they are now, and where nobody has looked."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from labeler.certify import figures, reviewer
from labeler.certify.answers import NOT_A_FACE, NOT_SEEN, UNSURE, Answers, Review, truths
from labeler.certify.composition import DRAWS, Drawn, draw, recalibrated
from labeler.certify.figures import Cards, Figures, Interval
from labeler.certify.recalibration import Recalibration
from labeler.certify.reviewer import Checks

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reviewer:
    """The share of cards on which the reviewer errs and its 95% interval, None where nothing measured it.

    The intervals of a certificate hold it: the figures are corrected for it and widened by what is not known of it.
    """

    checks: Checks
    error: float | None
    interval: Interval | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """The figures of a table by a blind sample of ``cards`` faces, while ``known`` were looked at in the open.

    ``model``: of the labels that the model gave. ``now``: of the labels as the answers corrected them; what is not a
    face is out of the table. ``rest``: of the faces that nobody has looked at.
    """

    cards: int
    known: int
    model: Figures
    now: Figures
    rest: Figures
    reviewer: Reviewer


def certify(
    review: Review,
    checks: Checks | None = None,
    inside: NDArray[np.bool_] | None = None,
    scores: Recalibration | None = None,
    seed: int = 0,
    draws: int = DRAWS,
) -> Certificate:
    """Certify the faces ``inside`` (all) of a table; the same answers and the same seed give the same certificate.

    ``scores`` is `composition.recalibrated(review)`, for who has it.
    """
    checks = checks or Checks()
    within = np.ones(len(review.labels), np.bool_) if inside is None else inside
    sampled, known, rest, opened = (
        which & within for which in (review.sampled, review.known, review.rest, review.opened)
    )
    random = np.random.default_rng([seed, 1])
    errors = reviewer.error_rates(checks, draws, random)
    unseen = draw(review, scores or recalibrated(review), within, seed, draws)
    let_pass = _let_pass(review, known | opened, reviewer.missed_rates(checks, draws, random), random)

    seen = _sum(unseen, _counted(review, review.blind, sampled))
    swaps = reviewer.swaps(seen.kinds[:, : review.classes], errors, random)
    model = reviewer.corrected(seen, _labels(review, rest | sampled), swaps, random)
    model = _sum(model, _counted(review, review.open, known))
    left = _labels(review, rest & ~opened)
    there = reviewer.corrected(unseen, _labels(review, rest), swaps, random)
    there = _less(there, _counted(review, review.seen_open, opened), left)
    answered = _answered(review, review.blind, sampled)
    wrong = np.zeros((draws, review.classes + 1), np.int64)
    wrong[:, :-1] = np.minimum(random.poisson(swaps.share * swaps.to * answered.sum()), answered[:-1])
    now, shown_now = _now(review, model, there, wrong + let_pass, sampled, known | opened, left)

    cards = Cards(
        labels=_labels(review, sampled),
        kinds=np.bincount(truths(review.blind[sampled], review.classes), minlength=review.classes + 2),
        left=left,
    )
    of_rest = replace(cards, labels=np.minimum(cards.labels, left))  # A share of few faces says nothing either.
    return Certificate(
        cards=int(sampled.sum()),
        known=int((known | opened).sum()),
        model=figures.of(_without(model, let_pass), _labels(review, within)[None].astype(float), cards),
        now=figures.of(now, shown_now, cards),
        rest=figures.of(there, left[None].astype(float), of_rest),
        reviewer=_reviewer(checks, errors),
    )


def _reviewer(checks: Checks, errors: Floats) -> Reviewer:
    if not checks.measured:
        return Reviewer(checks=checks, error=None, interval=None)
    low, high = np.percentile(errors, (2.5, 97.5)).tolist()
    return Reviewer(checks=checks, error=float(errors.mean()), interval=(low, high))


def _labels(review: Review, which: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return the number of faces by label (classes + 1); the last are those without one."""
    labels = review.labels[which]
    return np.bincount(np.where(labels >= 0, labels, review.classes), minlength=review.classes + 1)


def _answered(review: Review, answers: Answers, which: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return the number of faces by the class of their answer (classes + 1); the last is always 0."""
    named = answers[which & (answers >= 0)]
    return np.bincount(named, minlength=review.classes + 1)


def _counted(review: Review, answers: Answers, which: NDArray[np.bool_]) -> Drawn:
    """Return what is known of faces, as one draw."""

    def by_label(told: NDArray[np.bool_]) -> Floats:
        return _labels(review, which & told)[None].astype(float)

    kinds = np.bincount(truths(answers[which], review.classes), minlength=review.classes + 2)
    return Drawn(
        right=by_label((answers == review.labels) & (answers >= 0)),
        no_face=by_label(answers == NOT_A_FACE),
        unsure=by_label(answers == UNSURE),
        kinds=kinds[None].astype(float),
    )


def _let_pass(
    review: Review, known: NDArray[np.bool_], missed: Floats, random: np.random.Generator
) -> NDArray[np.int64]:
    """Return draws (draws, classes + 1) of the wrong labels that were let pass in the open, by label.

    Of wrong labels a share is missed; so for those that were changed, missed / (1 - missed) were not.
    """
    answers = review.seen_open
    changed = _labels(review, known & (answers != review.labels) & (answers != UNSURE))
    confirmed = _labels(review, known & (answers == review.labels) & (answers != NOT_SEEN))
    passed = random.poisson(changed * (missed / (1 - missed))[:, None])
    passed[:, -1] = 0
    return np.minimum(passed, confirmed)


def _sum(one: Drawn, other: Drawn) -> Drawn:
    return Drawn(
        right=one.right + other.right,
        no_face=one.no_face + other.no_face,
        unsure=one.unsure + other.unsure,
        kinds=one.kinds + other.kinds,
    )


def _less(found: Drawn, known: Drawn, left: NDArray[np.int64]) -> Drawn:
    """Return what the ``left`` faces by label are when those that are known are taken off all of them."""
    right = np.clip(found.right - known.right, 0, left)
    kinds = np.maximum(found.kinds - known.kinds, 0)
    kinds[:, : right.shape[1] - 1] = np.maximum(kinds[:, : right.shape[1] - 1], right[:, :-1])
    return Drawn(
        right=right,
        no_face=np.clip(found.no_face - known.no_face, 0, left - right),
        unsure=np.clip(found.unsure - known.unsure, 0, left - right),
        kinds=kinds,
    )


def _without(found: Drawn, wrong: NDArray[np.int64]) -> Drawn:
    right = np.maximum(found.right - wrong, 0)
    return Drawn(right=right, no_face=found.no_face, unsure=found.unsure, kinds=found.kinds)


def _now(
    review: Review,
    model: Drawn,
    there: Drawn,
    wrong: NDArray[np.int64],
    sampled: NDArray[np.bool_],
    known: NDArray[np.bool_],
    left: NDArray[np.int64],
) -> tuple[Drawn, Floats]:
    """Return what the faces of the corrected table are, and how many it shows by label."""
    answers = np.where(sampled, review.blind, review.seen_open)
    answered = _answered(review, answers, sampled | known)
    unsure = _labels(review, (sampled | known) & (answers == UNSURE))
    kinds = model.kinds.copy()
    kinds[:, -2] = there.kinds[:, -2]
    found = Drawn(
        right=np.maximum(there.right + answered - wrong, 0),
        no_face=there.no_face,
        unsure=there.unsure + unsure,
        kinds=np.maximum(kinds, 0),
    )
    found.kinds[:, : review.classes] = np.maximum(found.kinds[:, : review.classes], found.right[:, : review.classes])
    return found, (left + answered + unsure)[None].astype(float)
