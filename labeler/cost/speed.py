"""Measure how many faces networks label in a second on one core, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from statistics import median

import numpy as np

from labeler.cost.clock import Clock
from labeler.inference.classifier import Classifier
from labeler.inference.detector import Pixels

_ROUNDS = 9
"""Runs of each network, of which the median counts. They alternate, so that whatever slows the machine slows all."""

_RUN_S = 0.1
"""Target for the duration of a run, of at least one block of images."""

_MOST = 4096
"""Upper limit on the images of a run."""


def side_by_side(networks: Sequence[tuple[Classifier, Pixels]]) -> list[float]:
    """Return the faces a second of each network, given with crops (n, side, side, 3) uint8 RGB to label.

    The network alone is measured, in this thread and without waiting for a free core: no reading, no faces to find.

    Raises:
        ModelError: a network fails.
    """
    with closing(Clock()) as clock:
        runs = [(classifier, _of_length(classifier, crops, clock)) for classifier, crops in networks]
        seconds: list[list[float]] = [[] for _ in runs]
        for _ in range(_ROUNDS):
            for (classifier, crops), found in zip(runs, seconds, strict=True):
                found.append(_seconds(classifier, crops, clock))
    return [len(crops) / median(found) for (_, crops), found in zip(runs, seconds, strict=True)]


def _of_length(classifier: Classifier, crops: Pixels, clock: Clock) -> Pixels:
    """Return as many crops, in whole blocks, as take about `_RUN_S`; the first block only warms the network up."""
    block = crops[np.arange(classifier.block) % len(crops)]
    took = [_seconds(classifier, block, clock) for _ in range(3)]
    blocks = max(1, min(round(_RUN_S / max(min(took), 1e-6)), _MOST // len(block)))
    return crops[np.arange(blocks * len(block)) % len(crops)]


def _seconds(classifier: Classifier, crops: Pixels, clock: Clock) -> float:
    began = clock()
    classifier.answer(crops)
    return clock() - began
