"""Decide by the same faces whether one model is better than another: a paired test."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labeler.certify.calibrate import calibration_error, losses
from labeler.certify.weighted import Mean
from labeler.evaluation import intervals
from labeler.evaluation.intervals import Interval, macro_f1

Floats = NDArray[np.floating]


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """How good one model's answers are; ``log_loss`` in nats a face."""

    accuracy: float
    macro_f1: float
    log_loss: float
    calibration_error: float

    @classmethod
    def of(cls, probabilities: Floats, truth: NDArray[np.integer], weights: Floats) -> Figures:
        """Return those of probabilities (n, classes) whose ``truth`` (n,) is known, weighted by ``weights`` (n,)."""
        labels, classes = probabilities.argmax(axis=1), probabilities.shape[1]
        confusion = np.zeros((classes, classes))
        np.add.at(confusion, (truth, labels), weights)
        return cls(
            accuracy=Mean.of((labels == truth).astype(float), weights).value,
            macro_f1=float(macro_f1(confusion)),
            log_loss=Mean.of(losses(probabilities, truth), weights).value,
            calibration_error=calibration_error(probabilities, truth, weights),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Paired:
    """Two models on the same faces: the gain in log loss and in accuracy, each with its standard error."""

    before: Figures
    after: Figures
    loss: Mean
    accuracy: Mean

    @property
    def fewer_right(self) -> bool:
        """Say whether fewer labels are right for certain."""
        return interval(self.accuracy)[1] < 0

    @property
    def is_better(self) -> bool:
        """Say whether the interval of the gain in log loss is above 0, and that of the accuracy not below it.

        The log loss decides: it uses what every face says, accuracy only the few whose label changes. On 400 faces it
        finds gains that leave the accuracy's interval around 0.
        """
        return interval(self.loss)[0] > 0 and not self.fewer_right

    def as_json(self) -> dict[str, Any]:
        """Return all of it for JSON."""
        names = Figures.__dataclass_fields__
        pairs = {name: [round(float(getattr(one, name)), 4) for one in (self.before, self.after)] for name in names}
        return {**pairs, "gain": {"log_loss": _told(self.loss), "accuracy": _told(self.accuracy)}}


def compare(before: Floats, after: Floats, truth: NDArray[np.integer], weights: Floats) -> Paired:
    """Compare the probabilities (n, classes) of two models of the same faces; neither may have learnt from them."""
    right = [(one.argmax(axis=1) == truth).astype(float) for one in (before, after)]
    gains, typical = right[1] - right[0], weights.mean()
    # Where few labels change, their variance within the sample is too small: half a face is added to each of the four
    # outcomes (Agresti and Min 2005, "Simple improved confidence intervals for comparing matched proportions").
    added = np.append(gains, [1, -1, 0, 0]), np.append(weights, typical * np.full(4, 0.5))
    return Paired(
        before=Figures.of(before, truth, weights),
        after=Figures.of(after, truth, weights),
        loss=Mean.of(losses(before, truth) - losses(after, truth), weights),
        accuracy=Mean(Mean.of(gains, weights).value, Mean.of(*added).error),
    )


def interval(gain: Mean) -> Interval:
    """Return the 95% interval of a gain."""
    return intervals.of_estimate(gain.value, gain.error, -math.inf, math.inf)


def _told(gain: Mean) -> dict[str, Any]:
    return {"value": round(gain.value, 4), "interval": [round(end, 4) for end in interval(gain)]}
