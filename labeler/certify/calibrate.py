"""Decide by cross-validation how far a blind sample may recalibrate the scores of its table, and whether it should."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from labeler.certify.recalibration import STRENGTH, Recalibration, fit, logarithms
from labeler.certify.weighted import Mean

Floats = NDArray[np.float64]

STRENGTHS = (4.0, 16.0)
"""Multiples of the penalty `recalibration.STRENGTH` among which cross-validation chooses.

With 1 among them, 30 cards made the log loss of FER-2013's `valid`, where the scores are right already, worse by more
than 0.01 in 11% of simulated sessions; so in 1%. A stronger one brings nothing more.
"""

FOLDS = 10
FEWEST = 20
"""Lower limit on the faces of a fit."""

SURE = 1.0
"""Standard errors by which the gain in log loss has to be above 0; with less, nothing is changed."""

BINS = 10
"""Bins of the calibration error, of equal numbers of faces: those of equal width are nearly empty in a small sample."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Calibration:
    """A recalibration, or None where it would not help, with what cross-validation says of it.

    ``held_out`` (faces, classes) are the probabilities of each face by a fit that did not see it; all figures are of
    these. Losses are in nats for each face of the table, ``gain`` is their difference with its standard error.
    """

    recalibration: Recalibration | None
    faces: int
    loss_before: float
    loss_after: float
    gain_error: float
    error_before: float
    error_after: float
    strength: float
    held_out: Floats

    @property
    def gain(self) -> float:
        """Return by how much the log loss falls."""
        return self.loss_before - self.loss_after


def calibrate(
    probabilities: NDArray[np.floating], truth: NDArray[np.integer], weights: NDArray[np.floating]
) -> Calibration | None:
    """Fit temperature and offsets to a sample, in the order of its cards; None with fewer than `FEWEST` faces.

    ``truth`` names a class for each face. ``weights`` say how many faces of the table each stands for
    (`cells.weights`). The strength of the penalty is the one with the lowest cross-validated log loss; the strongest
    of equal ones.
    """
    if len(truth) < FEWEST:
        return None
    before = losses(probabilities, truth)
    tried = [(_held_out(probabilities, truth, weights, strength), strength) for strength in reversed(STRENGTHS)]
    after, strength = min(tried, key=lambda one: Mean.of(losses(one[0], truth), weights).value)
    gain = Mean.of(before - losses(after, truth), weights)
    loss = Mean.of(before, weights).value
    helps = gain.value > SURE * gain.error
    return Calibration(
        recalibration=_fitted(probabilities, truth, weights, strength) if helps else None,
        faces=len(truth),
        loss_before=loss,
        loss_after=loss - gain.value,
        gain_error=gain.error,
        error_before=calibration_error(probabilities, truth, weights),
        error_after=calibration_error(after, truth, weights),
        strength=strength,
        held_out=after,
    )


def calibration_error(
    probabilities: NDArray[np.floating], truth: NDArray[np.integer], weights: NDArray[np.floating]
) -> float:
    """Return the weighted mean distance between score and accuracy over bins of equal numbers of faces."""
    scores, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == truth
    ranked = np.argsort(scores, kind="stable")
    apart = (weights * (scores - right))[ranked]
    return float(sum(abs(part.sum()) for part in np.array_split(apart, BINS)) / weights.sum())


def _held_out(
    probabilities: NDArray[np.floating], truth: NDArray[np.integer], weights: NDArray[np.floating], strength: float
) -> Floats:
    """Return the probabilities of each face by a fit to the other folds."""
    found = np.empty(probabilities.shape)
    fold = np.arange(len(truth)) % FOLDS
    for one in range(FOLDS):
        fitted = _fitted(probabilities[fold != one], truth[fold != one], weights[fold != one], strength)
        found[fold == one] = fitted(probabilities[fold == one])
    return found


def _fitted(
    probabilities: NDArray[np.floating], truth: NDArray[np.integer], weights: NDArray[np.floating], strength: float
) -> Recalibration:
    return fit(probabilities, truth, weights, (strength * STRENGTH[0], strength * STRENGTH[1]))


def losses(probabilities: NDArray[np.floating], truth: NDArray[np.integer]) -> Floats:
    """Return the log loss of each face, in nats; a probability of 0 counts as the smallest one of a table."""
    return np.asarray(-logarithms(probabilities)[np.arange(len(truth)), truth])
