"""Embeddings: the input of a network's last dense layer, on which another classifier can be fitted in seconds.

Of a network that ends in a convolution to the classes and a mean, they are the means of that convolution's input.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from labeler.errors import ModelError
from labeler.executors.cores import cores
from labeler.inference import bundle, keras_file, keras_network, onnx_graph
from labeler.inference.classifier import Classifier
from labeler.inference.detector import Pixels
from labeler.inference.session import load
from labeler.records import INPUT_SIDE, View

Embeddings = NDArray[np.float32]

Progress = Callable[[int, int], None]
"""Called with the number of images done and the total."""

_BLOCK = 64
"""Images of 64x64 pixels per run of the network, which bounds the memory of each thread; see `bundle.block_of`."""

_LINEAR = frozenset(
    "Gemm MatMul MatMulInteger QLinearMatMul QGemm FusedGemm FusedMatMul MatMulIntegerToFloat DynamicQuantizeMatMul "
    "MatMulNBits".split()
)
"""The operators of a dense layer in ONNX, and in networks that ONNX Runtime quantised or fused."""

_CONVOLUTIONS = frozenset({"Conv", "ConvInteger", "QLinearConv", "FusedConv"})
"""The operators of the last layer of a network that has a convolution to the classes, and takes means at its end."""

_MOST_FEATURES = 16_384
"""Upper limit on features: what is fitted on them has one weight a feature and class."""


class Layer(NamedTuple):
    """Where in the graph of a bundle the embedding is."""

    name: str
    pooled: bool
    """Whether it is planes (n, features, rows, columns), of each of which the mean is taken."""
    is_output: bool
    """Whether the network returns it already."""


def embed(path: Path, pixels: Pixels, workers: int, progress: Progress) -> Embeddings:
    """Return the embeddings (n, features) of images (n, side, side, 3), uint8 RGB.

    ``path`` is a bundle or a ``.keras`` file; its classes do not matter. They are those of this very file: what goes
    with the probabilities of a table (`review`, `adapt`) takes the file that labelled it, what learns from the
    embeddings alone (`audit`) that in float32 (`bundle.float32`). ``workers`` is the number of threads, 0 for one per
    core.

    Raises:
        ModelError: the model takes other images, or gives no features.
        LabelerError: the model is a ``.keras`` file and Keras is not installed.
    """
    look = network(path)
    blocks = [pixels[at : at + _BLOCK] for at in range(0, len(pixels), _BLOCK)]
    found: list[Embeddings] = []
    with ThreadPoolExecutor(workers or cores()) as threads:  # ONNX Runtime releases the GIL.
        for block in threads.map(look, blocks):
            found.append(block)
            progress(min(len(found) * _BLOCK, len(pixels)), len(pixels))
    return np.concatenate(found)


def network(path: Path) -> Callable[[Pixels], Embeddings]:
    """Return what computes the embeddings (n, features) of images (n, side, side, 3) in this thread; see `embed`.

    Raises:
        ModelError: the model takes other images, or gives no features.
        LabelerError: the model is a ``.keras`` file and Keras is not installed.
    """
    if path.suffix == ".keras":
        look, block = _of_keras(path), 0
    else:
        look, block = _of_onnx(path)

    def embedded(pixels: Pixels) -> Embeddings:
        size = block or bundle.block_of(_BLOCK, pixels.shape[1])
        found = [look(pixels[at : at + size]) for at in range(0, max(len(pixels), 1), size)]
        return np.concatenate(found).reshape(len(pixels), -1)

    return embedded


def layer(path: Path) -> Layer:
    """Return where the embedding is in the graph of a bundle.

    Raises:
        ModelError: it ends in no dense layer or convolution.
    """
    name, operator, is_output = onnx_graph.last_input(path, _LINEAR | _CONVOLUTIONS)
    if not name:
        raise ModelError(f"{path} gives no features: it has no dense layer at its end, whose input they would be")
    return Layer(name, operator in _CONVOLUTIONS, is_output)


def view(path: Path) -> View:
    """Return what the network is shown of an image.

    Raises:
        ModelError: it gives no features.
    """
    if path.suffix == ".keras":
        side = keras_file.note(path).get("input_size", INPUT_SIDE)
        return View(side if isinstance(side, int) else INPUT_SIDE)
    layer(path)
    return bundle.card(path, hashed=False).view


def _of_onnx(path: Path) -> tuple[Callable[[Pixels], Embeddings], int]:
    """Return what embeds a block of images, and how many it takes at once; 0 for any number."""
    card = Classifier(path, hashed=False).card  # Raises a ModelError that says what is wrong with the file.
    name, pooled, is_output = layer(path)
    session = load(path, content=b"" if is_output else onnx_graph.with_output(path.read_bytes(), name))
    given = session.get_inputs()[0]
    fixed = given.shape[0] if isinstance(given.shape[0], int) else 0

    def look(pixels: Pixels) -> Embeddings:
        padded = np.pad(pixels, ((0, max(fixed - len(pixels), 0)), (0, 0), (0, 0), (0, 0))) if fixed else pixels
        found = np.asarray(session.run([name], {given.name: padded})[0], np.float32)
        if pooled:
            found = found.mean(axis=(2, 3))
        return found.reshape(len(padded), -1)[: len(pixels)]

    _check_features(path, look, np.zeros((2, card.input_size, card.input_size, 3), np.uint8))
    return look, fixed or int(onnx_graph.mixes_images(path))


def _check_features(path: Path, look: Callable[[Pixels], Embeddings], pixels: Pixels) -> None:
    """Refuse a layer whose input is none of the image's: a constant, or with images along another axis."""
    try:
        counts = {look(pixels[:number]).shape[1] for number in (1, 2)}
    except ValueError:  # It cannot be divided by the number of images.
        counts = set()
    if len(counts) != 1:
        raise ModelError(f"{path} gives no features: what its last dense layer is given is not of each image")
    if not 1 <= max(counts) <= _MOST_FEATURES:
        raise ModelError(
            f"{path} gives no features: its last dense layer is given {max(counts):,} numbers of an image; the limit "
            f"is {_MOST_FEATURES:,}"
        )


def _of_keras(path: Path) -> Callable[[Pixels], Embeddings]:
    network = keras_network.plain(keras_network.load(path))
    import keras  # Deferred: it takes seconds, and only a bare .keras file needs it.

    taken = network.input_shape
    dense: list[Any] = [layer for layer in network.layers if isinstance(layer, keras.layers.Dense)]
    if len(taken) != 4 or taken[1] != taken[2] or taken[3] != 3:
        raise ModelError(f"{path} takes {taken}, not square RGB images: make a bundle of it with labeler models add")
    if not dense:
        raise ModelError(f"{path} has no dense layer at its end, whose input would be the embedding")
    cut = keras.Model(network.inputs[0], dense[-1].input)
    return lambda pixels: np.asarray(cut(pixels.astype(np.float32) / 255, training=False))
