"""Fit a softmax regression to the features of a network, as strongly regularised as the validation images want it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from labeler.certify.calibrate import losses
from training.adapt import head
from training.adapt.head import Head

Floats = NDArray[np.floating]

STRENGTHS = (100.0, 30.0, 10.0, 3.0, 1.0, 0.3, 0.1, 0.03)
"""Penalties on the squared kernel over embeddings whose variances sum to 1, the strongest first."""

_WORSE = 2
"""A weaker penalty is not tried once so many of them gave a higher validation loss than the best."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """A strength that was tried, with its log loss and accuracy on the validation images."""

    strength: float
    loss: float
    accuracy: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Chosen:
    """The head with the lowest validation loss, and all that were tried."""

    head: Head
    strength: float
    tried: tuple[Tried, ...]

    def as_json(self) -> dict[str, Any]:
        """Return the strengths for JSON."""
        every = [{"strength": one.strength, "val_loss": one.loss, "val_accuracy": one.accuracy} for one in self.tried]
        return {"strength": self.strength, "tried": every}


def choose(features: Floats, targets: Floats, shown: Floats, truth: NDArray[np.integer]) -> Chosen:
    """Fit heads to ``features`` (n, features) and ``targets`` (n, classes), whose rows sum to the images' weights.

    That with the lowest log loss on ``shown`` (m, features), whose classes are ``truth`` (m,), is chosen.
    """
    best, found, tried, worse = np.inf, None, list[Tried](), 0
    for strength in STRENGTHS:
        with threadpool_limits(1):  # See `audit.out_of_fold`.
            fitted = head.fit(np.ones_like(targets), features, targets, strength)
        probabilities = predict(fitted, shown)
        loss = float(losses(probabilities, truth).mean())
        tried.append(
            Tried(strength=strength, loss=loss, accuracy=float((probabilities.argmax(axis=1) == truth).mean()))
        )
        if loss < best:
            best, found, worse = loss, (fitted, strength), 0
        else:
            worse += 1
        if worse == _WORSE:
            break
    assert found  # The first loss is finite.
    return Chosen(head=found[0], strength=found[1], tried=tuple(tried))


def predict(fitted: Head, features: Floats) -> NDArray[np.float64]:
    """Return the probabilities (n, classes) of images by a head alone."""
    return fitted(np.ones((len(features), fitted.kernel.shape[1])), features)
