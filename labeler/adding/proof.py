"""Compare a bundle with the network that it was made of, and find the step in which the two differ."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx

from labeler.adding import reference
from labeler.adding.graph import Network, weights
from labeler.adding.preprocessing import PREFIX
from labeler.adding.said import Recipe
from labeler.errors import ModelError, one_line
from labeler.images.picture import Pixels
from labeler.inference import onnx_graph, session
from labeler.inference.calibrated_bundle import unused
from labeler.inference.classifier import Classifier

TOLERANCE = 1e-4
"""Upper limit on the difference between a probability of the bundle and one of the original network."""

TOLERANCE_IN_HALF_PRECISION = 1e-2
"""The same for a network in float16, whose numbers have three digits: ONNX Runtime leaves out roundings where it can,
and others in a bundle than in the original (a ViT with random weights: 0.005)."""

_PLACES = 8
"""Upper limit on the places of a block that are tried."""

_TOLERANCE_OF_A_STEP = 1e-5
"""Upper limit on the difference after a step, as a share of the largest number there."""


def holds(path: Path, network: Network, expected: reference.Floats, crops: Pixels, batch: int | None) -> bool:
    """Say whether a bundle can be used as it is written: its answers are right, and independent of each other.

    That is: no answer of a block depends, by a single bit, on the other images or on its place. With ``batch`` None it
    has to take any number of images.
    """
    try:
        classifier = Classifier(path)
        alone = np.concatenate([classifier.predict(crops[at : at + 1]) for at in range(len(crops))])
        if not _largest(alone - expected) <= tolerance(network):
            return False
        if batch is None and not _largest(_at_once(path, crops) - expected) <= tolerance(network):
            return False
        return _same_in_blocks(classifier, crops, alone)
    except ModelError:  # The next way may do; if it is the last, `check` says why not.
        return False


def tolerance(network: Network) -> float:
    """Return the upper limit on the difference that a network allows."""
    half = "float16" in (network.kind, weights(network.model))
    return TOLERANCE_IN_HALF_PRECISION if half else TOLERANCE


def check(path: Path, network: Network, recipe: Recipe, expected: reference.Floats, crops: Pixels) -> float:
    """Compare a bundle with its original, and return how far apart they are.

    Raises:
        ModelError: they differ by more than `tolerance`; it says which step does.
    """
    apart = _largest(Classifier(path).predict(crops) - expected)
    allowed = tolerance(network)
    if not apart <= allowed:
        step = differing(path, network, recipe, crops)
        raise ModelError(
            f"the bundle differs from {network.path} by up to {apart:.2g} (at most {allowed:g} is allowed), first in "
            f"the step {step!r}; it was not written. Please report this"
        )
    return apart


def differing(path: Path, network: Network, recipe: Recipe, crops: Pixels) -> str:
    """Return the first of `reference.STAGES` after which a bundle's graph has other numbers; else 'network'.

    Raises:
        ModelError: the graph cannot be run.
    """
    wanted = reference.prepared(crops, recipe)
    prefix, tensor = unused(network.model.graph, PREFIX), ""
    known = {name for node in onnx.load(path).graph.node for name in node.output}
    for stage in reference.STAGES:
        if f"{prefix}{stage}" in known:  # Else the step does nothing.
            tensor = f"{prefix}{stage}"
        found = _after(path, tensor, crops[:1])
        allowed = _TOLERANCE_OF_A_STEP * max(1.0, float(np.max(np.abs(wanted[stage][:1]))))
        if found.shape != wanted[stage][:1].shape or np.max(np.abs(found - wanted[stage][:1])) > allowed:
            return stage
    return "network"


def _same_in_blocks(classifier: Classifier, crops: Pixels, alone: reference.Floats) -> bool:
    """Say whether images get the very same answers ``alone`` and at the places of a full block, among others."""
    block = classifier.block
    order = np.arange(block) % len(crops)
    for shift in range(min(block, _PLACES)):
        rolled = np.roll(order, shift)
        if not np.array_equal(classifier.predict(crops[rolled]), alone[rolled]):
            return False
    return True


def _largest(differences: reference.Floats) -> float:
    return float(np.max(np.abs(differences)))


def _at_once(path: Path, crops: Pixels) -> reference.Floats:
    """Return the probabilities for images that are given to the network together, whatever its block."""
    loaded = session.load(path)
    try:
        (found,) = loaded.run([onnx_graph.PROBABILITIES], {loaded.get_inputs()[0].name: crops})
    except Exception as exc:  # ONNX Runtime's exceptions have no common base.
        raise ModelError(f"{path} cannot be run: {one_line(exc)}") from exc
    return np.asarray(found)


def _after(path: Path, tensor: str, crops: Pixels) -> reference.Floats:
    loaded = session.load(path, content=onnx_graph.with_output(path.read_bytes(), tensor))
    given = loaded.get_inputs()[0]
    batch = given.shape[0] if isinstance(given.shape[0], int) else 1
    try:
        (found,) = loaded.run([tensor], {given.name: np.repeat(crops, batch, axis=0)})
    except Exception as exc:  # ONNX Runtime's exceptions have no common base.
        raise ModelError(f"{path} cannot be run: {one_line(exc)}") from exc
    return np.asarray(found)[:1]
