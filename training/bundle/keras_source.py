"""Write the network of a Keras file, as it is, as a plain ONNX file, and say what the file tells about it."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import keras
import numpy as np
import onnx
import tf2onnx  # noqa: F401 - Keras imports it only for an export; a missing package must show before training

from labeler.errors import LabelerError, ModelError, one_line
from labeler.inference import keras_file, keras_network, session
from labeler.inference.bundle import LARGEST_SIDE, SMALLEST_SIDE
from labeler.storage import atomic

TOLERANCE = 1e-5
"""Upper limit on the difference between a number of the ONNX network and one of the Keras network, as a share of the
largest of these where that is above 1."""

_SAMPLES = 8
_PREPROCESSING = frozenset({"Rescaling", "Normalization", "Add", "Subtract", "Multiply", "Divide", "TrueDivide"})
"""Layers and operations that change the range of the pixels, where they stand before all weights."""


def write(source: Path, out: Path) -> dict[str, Any]:
    """Write the network of a ``.keras`` or ``.h5`` file to ``out``: float32 (batch, side, side, channels) in.

    Returns ``class_names`` where the file has them, ``side``, ``channels`` (1 or 3), and ``rescales``: whether the
    network begins with a scaling of its own.

    Raises:
        ModelError: the file cannot be loaded, is no classifier of square images, or cannot be converted.
        LabelerError: the two networks differ; then no file is left.
        OutputError: the file cannot be written.
    """
    network = keras_network.plain(keras_network.load(source))
    side, channels = _image(source, network)
    check_outputs(source, network)
    rescales = _rescales(network)
    samples = np.random.default_rng(0).random((_SAMPLES, side, side, channels), np.float32) * (255 if rescales else 1)
    expected = network.predict_on_batch(samples)
    if not np.isfinite(expected).all():
        raise ModelError(f"{source} gives values that are no numbers (NaN): its weights are damaged; train it anew")
    pixels = keras.layers.Input((side, side, channels), dtype="float32", name="pixels")
    with atomic.replacing(out) as beside:
        export(source, keras.Model(pixels, network(pixels, training=False)), beside)
        _check(source, beside, samples, expected)
    return {**_names(source), "side": side, "channels": channels, "rescales": rescales}


def export(source: object, network: keras.Model, path: Path) -> None:
    """Write ``network`` to an ONNX file; ``source`` is what an error names.

    Raises:
        ModelError: an operation of the network cannot be converted.
        OSError: the file cannot be written.
    """
    network(np.zeros((1, *network.input_shape[1:]), network.inputs[0].dtype))  # Keras exports only after a call.
    for layer in _operations(network):
        if isinstance(layer, keras.layers.Normalization):  # TensorFlow's tensors would become inputs of the graph.
            layer.mean, layer.variance = np.asarray(layer.mean), np.asarray(layer.variance)
    try:
        with _silent():
            network.export(path, format="onnx", verbose=False)
    except OSError:
        raise
    except Exception as exc:  # tf2onnx raises almost anything.
        raise ModelError(f"{source} cannot be converted to ONNX: {one_line(exc)}") from exc
    nodes = onnx.load(path).graph.node
    unknown = sorted({node.op_type for node in nodes if not onnx.defs.has(node.op_type, node.domain)})
    if unknown:  # tf2onnx only logs them. StatefulPartitionedCall is a grouped convolution.
        raise ModelError(
            f"{source} cannot be converted to ONNX: tf2onnx does not know {one_line(', '.join(unknown))}; export it to "
            "ONNX another way, and give the .onnx file"
        )


def check_outputs(source: Path, network: keras.Model) -> int:
    """Return the number of classes.

    Raises:
        ModelError: the network has several outputs, or one that is no classification.
    """
    outputs = getattr(network, "outputs", None) or []
    if len(outputs) != 1:
        raise ModelError(f"{source} has {len(outputs)} outputs; save a network with the one of the classes")
    _, *shape = outputs[0].shape
    if len(shape) != 1 or shape[0] is None or shape[0] < 2:
        shown = tuple(outputs[0].shape)
        raise ModelError(f"{source} is no classification: it gives {shown}, not (None, classes) with 2 classes or more")
    return int(shape[0])


@contextmanager
def _silent() -> Iterator[None]:
    """Hold back what tf2onnx logs: whether the file is right is checked."""
    logger = logging.getLogger("tf2onnx")
    level = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # Keras uses names that NumPy deprecated.
            yield
    finally:
        logger.setLevel(level)


def _image(source: Path, network: keras.Model) -> tuple[int, int]:
    """Return the side and the channels of the images."""
    inputs = getattr(network, "inputs", None) or []
    if len(inputs) != 1:
        found = f"has {len(inputs)} inputs" if inputs else "does not say what it takes"
        raise ModelError(f"{source} {found}; save a network with one input, (None, side, side, 1 or 3)")
    shape = tuple(inputs[0].shape)
    takes = f"{source} takes {shape}"
    if len(shape) != 4 or shape[3] not in (1, 3):
        raise ModelError(f"{takes}, not images, gray or RGB, channels last: (None, side, side, 1 or 3)")
    _, height, width, channels = shape
    if height is None or width is None:
        raise ModelError(f"{takes}, so images of any side: save it with an Input of the side that it was trained with")
    if height != width:
        raise ModelError(f"{takes}, images that are not square; put a Resizing layer before it")
    if not SMALLEST_SIDE <= height <= LARGEST_SIDE:
        raise ModelError(
            f"{takes}, a side outside {SMALLEST_SIDE} to {LARGEST_SIDE} pixels; put a Resizing layer before it"
        )
    return height, channels


def _names(source: Path) -> dict[str, Any]:
    names = keras_file.note(source).get("class_names") if source.suffix == ".keras" else None
    return {"class_names": names} if names else {}


def _rescales(network: keras.Model) -> bool:
    for operation in _operations(network):
        if type(operation).__name__ in _PREPROCESSING:
            return True
        if getattr(operation, "weights", None):
            return False
    return False


def _operations(network: keras.Model) -> Iterator[Any]:
    """Yield the operations of a network in their order, those of the networks inside it too."""
    for operation in getattr(network, "operations", network.layers):
        if isinstance(operation, keras.Model):
            yield from _operations(operation)
        else:
            yield operation


def _check(source: Path, path: Path, samples: np.ndarray[Any, Any], expected: np.ndarray[Any, Any]) -> None:
    running = session.load(path)
    (found,) = running.run(None, {running.get_inputs()[0].name: samples})
    difference = float(np.max(np.abs(found - expected))) / max(1.0, float(np.max(np.abs(expected))))
    if not difference <= TOLERANCE:
        raise LabelerError(
            f"{source}: the ONNX network differs from the Keras network by up to {difference:.2g} (at most "
            f"{TOLERANCE:g} is allowed); it was not written. Please report this with the versions of keras, tf2onnx "
            "and onnxruntime"
        )
