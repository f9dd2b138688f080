"""Fit one temperature and one offset for each class to few labelled faces, shrunk towards no change."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

STRENGTH = (4.0, 2.0)
"""Penalty on the squared logarithm of the temperature and on each squared offset: prior deviations of 0.5 and 0.7."""

SMALLEST = 1e-6
"""Lower limit on a probability, so that its logarithm is finite: the last decimal of a table."""

_STEPS = 50
"""Upper limit on Newton's steps; it needs about six."""

_CLOSE = 1e-8
"""Gain of a step below which the fit has arrived, in nats over all faces."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recalibration:
    """The scale (1 / temperature) and the offsets of log probabilities, and the covariance of their uncertainty.

    ``covariance`` (1 + classes square) is that of (log scale, offsets), by Laplace's approximation.
    """

    log_scale: float
    offsets: Floats
    covariance: Floats

    @property
    def temperature(self) -> float:
        """Return the temperature that the log probabilities are divided by."""
        return float(np.exp(-self.log_scale))

    def __call__(self, probabilities: NDArray[np.floating]) -> Floats:
        """Return the probabilities (n, classes) after temperature and offsets."""
        return softmax(np.exp(self.log_scale) * logarithms(probabilities) + self.offsets)

    def draws(self, count: int, random: np.random.Generator) -> Floats:
        """Return ``count`` draws of (log scale, offsets)."""
        middle = np.concatenate([[self.log_scale], self.offsets])
        return np.asarray(random.multivariate_normal(middle, self.covariance, count, method="cholesky"), np.float64)


def fit(
    probabilities: NDArray[np.floating],
    truth: NDArray[np.integer],
    weights: NDArray[np.floating],
    strength: tuple[float, float] = STRENGTH,
) -> Recalibration:
    """Find temperature and offsets by penalised maximum likelihood with Newton's method.

    ``weights`` are those of a sample: how many faces of the table each labelled face stands for. They are scaled so
    that they sum to their effective number (Kish 1965): unequal ones say less than as many equal ones.
    """
    logs, classes = logarithms(probabilities), probabilities.shape[1]
    penalty = np.concatenate([[strength[0]], np.full(classes, strength[1])])
    weight = weights * (weights.sum() / np.square(weights).sum()) if len(weights) else np.zeros(0)
    truths = np.eye(classes)[truth]
    found = np.zeros(1 + classes)
    loss, shares = _loss(found, logs, truths, weight, penalty)
    for _ in range(_STEPS):
        gradient, hessian = _derivatives(found, logs, shares - truths, shares, weight, penalty)
        step, before = np.linalg.solve(hessian, gradient), loss
        for _ in range(_STEPS):
            loss, shares = _loss(found - step, logs, truths, weight, penalty)
            if loss <= before:
                break
            step = step / 2
        else:
            break
        found = found - step
        if before - loss < _CLOSE:
            break
    _, hessian = _derivatives(found, logs, shares - truths, shares, weight, penalty)
    return Recalibration(
        log_scale=float(found[0]), offsets=found[1:], covariance=np.asarray(np.linalg.inv(hessian), np.float64)
    )


def apply(parameters: Floats, logs: Floats) -> Floats:
    """Return the probabilities (draws, n, classes) of many (log scale, offsets), all for the same faces."""
    return softmax(np.exp(parameters[:, :1, None]) * logs + parameters[:, None, 1:])


def logarithms(probabilities: NDArray[np.floating]) -> Floats:
    """Return the logarithms of probabilities, finite also for 0."""
    return np.log(np.maximum(probabilities.astype(np.float64), SMALLEST))


def _loss(parameters: Floats, logs: Floats, truths: Floats, weight: Floats, penalty: Floats) -> tuple[float, Floats]:
    shares = softmax(np.exp(parameters[0]) * logs + parameters[1:])
    of_truth = np.maximum((shares * truths).sum(axis=1), np.finfo(float).tiny)
    return float(-(weight * np.log(of_truth)).sum() + 0.5 * (penalty * parameters**2).sum()), shares


def _derivatives(
    parameters: Floats, logs: Floats, wrong: Floats, shares: Floats, weight: Floats, penalty: Floats
) -> tuple[Floats, Floats]:
    """Return the gradient and Fisher's information, which is the Hessian without the part that vanishes at the fit."""
    scaled = np.exp(parameters[0]) * logs
    weighted = weight[:, None] * shares
    centred = scaled - (shares * scaled).sum(axis=1, keepdims=True)
    gradient = np.concatenate([[(weight[:, None] * wrong * scaled).sum()], (weight[:, None] * wrong).sum(axis=0)])
    hessian = np.diag(penalty + np.concatenate([[0.0], weighted.sum(axis=0)]))
    hessian[0, 0] += (weighted * centred**2).sum()
    hessian[0, 1:] = hessian[1:, 0] = (weighted * centred).sum(axis=0)
    hessian[1:, 1:] -= weighted.T @ shares
    return gradient + penalty * parameters, hessian


def softmax(logits: Floats) -> Floats:
    """Return the probabilities (..., classes) of logits."""
    shares = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(shares / shares.sum(axis=-1, keepdims=True))
