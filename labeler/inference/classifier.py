"""Load and check a model bundle, and predict batches with it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labeler.errors import ModelError, one_line
from labeler.inference import bundle, keras_network
from labeler.inference.bundle import Card
from labeler.inference.session import is_out_of_memory, load
from labeler.records import INPUT_SIDE, Device

BLOCK_ON_CUDA = 256
"""Block size, in images per run of the network, on a GPU; on a CPU it is the bundle's."""

_TOLERANCE = 1e-3
"""Upper limit on the error of a sum of probabilities, which should be 1; half precision reaches half of it."""

Network = Callable[[NDArray[np.uint8]], NDArray[np.float32]]


class Classifier:
    """A loaded model.

    Raises:
        ModelError: the file is not a model, has no class names, or has other input or output shapes.
    """

    def __init__(self, path: Path, device: Device = Device.CPU) -> None:
        if path.suffix == ".keras":
            self.card, self._network = _load_keras_network(path)
        else:
            self.card, self._network = _load_onnx_network(path, device)
        self.block = BLOCK_ON_CUDA if device is Device.CUDA else self.card.block
        """Block size, in images per run: constant, so that no result depends on its batch; halved only when the
        device runs out of memory."""

    def predict(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return class probabilities (n, classes), float32, for face crops (n, 64, 64, 3), uint8 RGB.

        Raises:
            ModelError: the network fails, or its outputs are not probabilities.
        """
        found = np.empty((len(pixels), len(self.card.class_names)), np.float32)
        at = 0
        while at < len(pixels):
            block = pixels[at : at + self.block]
            try:
                found[at : at + len(block)] = self._network(_padded(block, self.block))[: len(block)]
            except Exception as exc:  # ONNX Runtime's exceptions have no common base.
                if self.block == 1 or not is_out_of_memory(exc):
                    raise ModelError(f"{self.card.path} cannot be run: {one_line(exc)}") from exc
                self.block //= 2
            else:
                at += len(block)
        self._check_probabilities(found)
        return found

    def _check_probabilities(self, found: NDArray[np.float32]) -> None:
        """Check the softmax output, so that every score is a probability; NaN and infinity fail here, too."""
        if not ((found >= 0).all() and (np.abs(found.sum(axis=1) - 1) <= _TOLERANCE).all()):
            raise ModelError(
                f"{self.card.path} outputs numbers that are not probabilities: they are not from 0 to 1, or their sum "
                "is not 1. End the network with a softmax"
            )


def _padded(pixels: NDArray[np.uint8], length: int) -> NDArray[np.uint8]:
    missing = length - len(pixels)
    return np.pad(pixels, ((0, missing), (0, 0), (0, 0), (0, 0))) if missing else pixels


def _load_onnx_network(path: Path, device: Device) -> tuple[Card, Network]:
    found = bundle.card(path)
    session = load(path, device)
    _check_shapes(path, session, found)
    name = session.get_inputs()[0].name
    return found, lambda pixels: _shaped(session.run(None, {name: pixels})[0], len(pixels), found)


def _load_keras_network(path: Path) -> tuple[Card, Network]:
    found = bundle.card(path)
    model = keras_network.load(path)
    expected = ((None, INPUT_SIDE, INPUT_SIDE, 3), (None, len(found.class_names)))
    shapes = getattr(model, "input_shape", None), getattr(model, "output_shape", None)
    if shapes != expected:
        raise ModelError(f"{path} maps {shapes[0]} to {shapes[1]}, not {expected[0]} to {expected[1]}")
    return found, lambda pixels: np.asarray(model(pixels.astype(np.float32) / 255, training=False))


def _shaped(answer: NDArray[np.float32], count: int, card: Card) -> NDArray[np.float32]:
    """Check the output shape, (``count``, classes); the shape declared in the file can be wrong."""
    if answer.shape != (count, len(card.class_names)):
        raise ValueError(f"its output is {answer.shape} for {count} images and {len(card.class_names)} classes")
    return answer


def _check_shapes(path: Path, session: Any, found: Card) -> None:
    inputs, outputs = session.get_inputs(), session.get_outputs()
    if len(inputs) != 1 or not outputs:
        raise ModelError(f"{path} is not a labeler bundle: it takes {len(inputs)} inputs, gives {len(outputs)} outputs")
    wanted = ("tensor(uint8)", [INPUT_SIDE, INPUT_SIDE, 3], "tensor(float)", [len(found.class_names)])
    actual = (inputs[0].type, inputs[0].shape[1:], outputs[0].type, outputs[0].shape[1:])
    if actual != wanted:
        raise ModelError(
            f"{path} is not a labeler bundle: it takes {actual[0]} {actual[1]} and gives {actual[2]} {actual[3]}; "
            f"expected {wanted[0]} {wanted[1]} and {wanted[2]} {wanted[3]}"
        )
