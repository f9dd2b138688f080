"""Prepare images in NumPy as the files of a network describe it, and run the file as it was given.

What a bundle does in its graph is done here once more, in other words, to compare the two.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labeler.adding.graph import Network
from labeler.adding.said import Channels, Layout, Recipe
from labeler.errors import ModelError, one_line
from labeler.images.picture import Pixels
from labeler.inference import session

STAGES = ("cast", "gray", "order", "scale", "normalise", "layout")
"""The steps before a network, in their order."""

Floats = NDArray[np.floating[Any]]


def prepared(crops: Pixels, recipe: Recipe) -> dict[str, Floats]:
    """Return images (n, side, side, 3) uint8 RGB after each of `STAGES`, in float32."""
    after: dict[str, Floats] = {}
    images: Any = crops.astype(np.float32)
    after["cast"] = images
    if recipe.channels is Channels.GRAY:
        red, green, blue = np.split(images, 3, axis=3)
        images = red * np.float32(0.299) + green * np.float32(0.587) + blue * np.float32(0.114)
    after["gray"] = images
    images = after["order"] = images[..., ::-1] if recipe.channels is Channels.BGR else images
    images = after["scale"] = images * np.float32(recipe.scale)
    images = (images - np.array(recipe.mean, np.float32)) / np.array(recipe.std, np.float32)
    after["normalise"] = images
    after["layout"] = np.moveaxis(images, 3, 1) if recipe.layout is Layout.NCHW else images
    return after


def probabilities(answers: Floats, recipe: Recipe) -> Floats:
    """Return the class probabilities (n, classes) that a network's outputs (n, classes) or (n, 1) stand for."""
    found = answers.astype(np.float64)
    if found.shape[1] == 1:
        second = 1 / (1 + np.exp(-found)) if recipe.logits else found
        return np.hstack([1 - second, second])
    if not recipe.logits:
        return found
    powers = np.exp(found - found.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


class Original:
    """A network as it was given.

    Raises:
        ModelError: it cannot be loaded.
    """

    def __init__(self, network: Network) -> None:
        self._path = network.path
        self._session = session.load(network.file)
        self._kind = np.dtype(network.kind)
        self._batch = network.batch or 1
        self._input = self._session.get_inputs()[0].name
        self.outputs: Sequence[str] = [one.name for one in self._session.get_outputs()]

    def run(self, images: Floats) -> dict[str, Floats]:
        """Return its outputs for prepared images, each with a row for every image where its first axis is the batch.

        Raises:
            ModelError: it cannot be run.
        """
        given = np.rint(images) if self._kind == np.uint8 else images
        given = np.ascontiguousarray(given.astype(self._kind))
        try:
            runs = [self._once(given[at : at + self._batch]) for at in range(0, len(given), self._batch)]
        except Exception as exc:  # ONNX Runtime's exceptions have no common base.
            raise ModelError(f"{self._path} cannot be run on an image of {images.shape[1:]}: {one_line(exc)}") from exc
        return {
            name: np.concatenate([run[place] for run in runs])[: len(images)]
            for place, name in enumerate(self.outputs)
            if all(isinstance(run[place], np.ndarray) and run[place].ndim for run in runs)
        }

    def _once(self, images: Floats) -> list[Floats]:
        missing = self._batch - len(images)
        padded = np.concatenate([images, np.repeat(images[:1], missing, axis=0)]) if missing else images
        return list(self._session.run(None, {self._input: padded}))
