"""Scores that are as often right as they say: one temperature for all (Guo et al., 2017), put into the network."""

from __future__ import annotations

import math
from dataclasses import dataclass

import keras
import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import logsumexp

from labeler.evaluation import calibration
from labeler.evaluation.calibration import Places, Probabilities
from labeler.records import INPUT_SIDE

_BOUNDS = (0.2, 5.0)
"""Beyond these it is no longer calibration that is missing."""

_FEWEST = 50
"""Pictures, at least, that a temperature is fitted on: a few that are all right would make every score a 1."""

_SMALLEST = 1e-30
"""What a probability of 0 counts as, so that its logarithm is finite."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """The temperature, and the calibration error (see `labeler.evaluation.calibration`) before and after.

    Both are measured on the very pictures that it was fitted on, so what comes after is slightly optimistic.
    """

    temperature: float
    ece_before: float
    ece: float
    n: int

    def __str__(self) -> str:
        """Say it in one line."""
        if self.temperature == 1:
            return f"not calibrated: calibration error {self.ece_before:.3f} on {self.n:,} pictures"
        return (
            f"calibrated with temperature {self.temperature:.3f}: calibration error {self.ece_before:.3f} before, "
            f"{self.ece:.3f} after, on the {self.n:,} pictures that it was fitted on (so slightly optimistic)"
        )


def fitted(probabilities: Probabilities, truth: Places) -> Calibration:
    """Find the temperature by which the true classes are likeliest; 1 where there are fewer than 50 pictures.

    The truth is the class that answers are judged by, also where the network learnt from votes: a score is the chance
    that the answer is right, and not the share of the votes that it would get, which is lower.
    """
    before = calibration.calibration_error(probabilities, truth)
    if len(truth) < _FEWEST:
        return Calibration(temperature=1.0, ece_before=before, ece=before, n=len(truth))
    logarithms = np.log(np.maximum(probabilities.astype(np.float64), _SMALLEST))
    of_truth = logarithms[np.arange(len(truth)), truth]

    def loss(log_temperature: float) -> float:
        scale = math.exp(-log_temperature)
        return float((logsumexp(scale * logarithms, axis=1) - scale * of_truth).mean())

    found = minimize_scalar(loss, bounds=tuple(map(math.log, _BOUNDS)), method="bounded")
    temperature = round(math.exp(found.x), 4)
    after = calibration.calibration_error(tempered(probabilities, temperature), truth)
    return Calibration(temperature=temperature, ece_before=before, ece=after, n=len(truth))


def tempered(probabilities: Probabilities, temperature: float) -> NDArray[np.float64]:
    """Return softmax(log p / temperature), which is what dividing the logits would give."""
    raised = probabilities.astype(np.float64) ** (1 / temperature)
    return np.asarray(raised / raised.sum(axis=1, keepdims=True))


def calibrated(network: keras.Model, temperature: float) -> keras.Model:
    """Return a network that gives what ``network`` gives, `tempered`; its weights are the same."""
    if temperature == 1:
        return network
    pixels = keras.layers.Input((INPUT_SIDE, INPUT_SIDE, 3))
    raised = keras.ops.power(network(pixels), 1 / temperature)
    shares = keras.ops.divide(raised, keras.ops.sum(raised, axis=-1, keepdims=True))
    return keras.Model(pixels, shares, name="calibrated")
