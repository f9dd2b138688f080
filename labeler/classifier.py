"""A model bundle, loaded and checked: it predicts a batch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labeler import bundles, models, quiet
from labeler.bundles import Card
from labeler.errors import ModelError, needs
from labeler.records import INPUT_SIDE, Device

BLOCK_ON_CUDA = 256
"""Pictures per run of the network on a graphics processor; on others the bundle knows."""

Network = Callable[[NDArray[np.uint8]], NDArray[np.float32]]


class Classifier:
    """A loaded model.

    Raises:
        ModelError: the file is no model, does not carry its class names, or has another input or output.
    """

    def __init__(self, path: Path, device: Device = Device.CPU) -> None:
        if path.suffix == ".keras":
            self.card, self._network = _load_keras_network(path)
        else:
            self.card, self._network = _load_onnx_network(path, device)
        self.block = BLOCK_ON_CUDA if device is Device.CUDA else self.card.block
        """Pictures per run: always the same, so that no result depends on the batch it came in, until the device's
        memory does not suffice; then halved."""

    def predict(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return class probabilities (n, classes) for face crops (n, 64, 64, 3), uint8 RGB."""
        found = np.empty((len(pixels), len(self.card.class_names)), np.float32)
        at = 0
        while at < len(pixels):
            block = pixels[at : at + self.block]
            try:
                found[at : at + len(block)] = self._network(_padded(block, self.block))[: len(block)]
            except Exception as exc:  # ONNX Runtime's exceptions have no common base.
                if self.block == 1 or not models.is_out_of_memory(exc):
                    raise
                self.block //= 2
            else:
                at += len(block)
        return found


def load_keras(path: Path) -> Any:
    """Return the Keras model of a ``.keras`` file, loaded in safe mode and not compiled.

    Raises:
        LabelerError: Keras is not installed.
        ModelError: it cannot be loaded.
    """
    with needs("train", "keras", "tensorflow"), quiet.stderr():
        import keras  # Deferred: it takes seconds, and only a bare .keras file needs it.
    try:
        return keras.saving.load_model(path, compile=False, safe_mode=True)
    except Exception as exc:  # Keras raises whatever its deserialisers meet.
        raise ModelError(f"{path} is not a Keras model that can be loaded: {models.first_line(exc)}") from exc


def _padded(pixels: NDArray[np.uint8], length: int) -> NDArray[np.uint8]:
    missing = length - len(pixels)
    return np.pad(pixels, ((0, missing), (0, 0), (0, 0), (0, 0))) if missing else pixels


def _load_onnx_network(path: Path, device: Device) -> tuple[Card, Network]:
    session = models.load(path, device)
    found = bundles.card(path)
    _check_shapes(path, session, found)
    name = session.get_inputs()[0].name
    return found, lambda pixels: session.run(None, {name: pixels})[0]


def _load_keras_network(path: Path) -> tuple[Card, Network]:
    found = bundles.card(path)
    model = load_keras(path)
    expected = ((None, INPUT_SIDE, INPUT_SIDE, 3), (None, len(found.class_names)))
    if (model.input_shape, model.output_shape) != expected:
        raise ModelError(f"{path} maps {model.input_shape} to {model.output_shape}, not {expected[0]} to {expected[1]}")
    return found, lambda pixels: np.asarray(model(pixels.astype(np.float32) / 255, training=False))


def _check_shapes(path: Path, session: Any, found: Card) -> None:
    inputs, outputs = session.get_inputs(), session.get_outputs()
    wanted = ("tensor(uint8)", [INPUT_SIDE, INPUT_SIDE, 3], [len(found.class_names)])
    actual = (inputs[0].type, inputs[0].shape[1:], outputs[0].shape[1:])
    if len(inputs) != 1 or actual != wanted:
        raise ModelError(
            f"{path} is not a labeler bundle: it takes {actual[0]} {actual[1]} and gives {actual[2]}; "
            f"expected {wanted[0]} {wanted[1]} and {wanted[2]}"
        )
