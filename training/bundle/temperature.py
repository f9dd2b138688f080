"""Temperature scaling (Guo et al., 2017): fit one temperature on the validation images, build it into the network."""

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
"""Limits of the temperature: a network that needs one beyond them has other faults than calibration."""

_FEWEST = 50
"""Lower limit on the images for a fit: from a few that are all right, every score would become 1."""

_SMALLEST = 1e-30
"""Lower limit on a probability, so that its logarithm is finite."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """The temperature, and the expected calibration error (see `labeler.evaluation.calibration`) before and after.

    Both errors are measured on the images of the fit, so the one after is slightly optimistic.
    """

    temperature: float
    ece_before: float
    ece: float
    n: int

    def __str__(self) -> str:
        """Describe it in one line for a person."""
        if self.temperature == 1:
            return f"not calibrated: calibration error {self.ece_before:.3f} on {self.n:,} photos"
        return (
            f"calibrated with temperature {self.temperature:.3f}: calibration error {self.ece_before:.3f} before, "
            f"{self.ece:.3f} after, on the {self.n:,} photos that it was fitted on (so slightly optimistic)"
        )


def fit(probabilities: Probabilities, truth: Places) -> Calibration:
    """Find the temperature with the lowest log loss; it is 1 when there are fewer than 50 images.

    ``truth`` holds the true class of each image, also when the network was trained on votes: a score is the probability
    that the prediction is right, not the share of votes for it, which is lower.
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
    after = calibration.calibration_error(with_temperature(probabilities, temperature), truth)
    return Calibration(temperature=temperature, ece_before=before, ece=after, n=len(truth))


def with_temperature(probabilities: Probabilities, temperature: float) -> NDArray[np.float64]:
    """Return softmax(log p / temperature), which equals dividing the logits by the temperature."""
    raised = probabilities.astype(np.float64) ** (1 / temperature)
    return np.asarray(raised / raised.sum(axis=1, keepdims=True))


def calibrated(network: keras.Model, temperature: float) -> keras.Model:
    """Return ``network`` with the temperature built in; both share their weights."""
    if temperature == 1:
        return network
    pixels = keras.layers.Input((INPUT_SIDE, INPUT_SIDE, 3))
    raised = keras.ops.power(network(pixels), 1 / temperature)
    shares = keras.ops.divide(raised, keras.ops.sum(raised, axis=-1, keepdims=True))
    return keras.Model(pixels, shares, name="calibrated")
