"""Embeddings: the input of a network's last dense layer, on which another classifier can be fitted in seconds."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labeler.errors import ModelError
from labeler.executors.cores import cores
from labeler.inference import bundle, keras_network, onnx_graph
from labeler.inference.classifier import Classifier
from labeler.inference.detector import Pixels
from labeler.inference.session import load

Embeddings = NDArray[np.float32]

Progress = Callable[[int, int], None]
"""Called with the number of images done and the total."""

_BLOCK = 64
"""Images of 64x64 pixels per run of the network, which bounds the memory of each thread; see `bundle.block_of`."""

_LINEAR = frozenset({"Gemm", "MatMul", "MatMulInteger", "QLinearMatMul", "QGemm"})
"""The operators of a dense layer in ONNX, and in networks that ONNX Runtime quantised."""


def embed(path: Path, pixels: Pixels, workers: int, progress: Progress) -> Embeddings:
    """Return the embeddings (n, features) of images (n, side, side, 3), uint8 RGB.

    ``path`` is a bundle or a ``.keras`` file; its classes do not matter. They are those of this very file: what goes
    with the probabilities of a table (`review`, `adapt`) takes the file that labelled it, what learns from the
    embeddings alone (`audit`) that in float32 (`bundle.float32`). ``workers`` is the number of threads, 0 for one per
    core.

    Raises:
        ModelError: the model takes other images, or does not end in a dense layer.
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
        ModelError: the model takes other images, or does not end in a dense layer.
        LabelerError: the model is a ``.keras`` file and Keras is not installed.
    """
    look = _of_keras(path) if path.suffix == ".keras" else _of_onnx(path)
    alone = path.suffix != ".keras" and onnx_graph.mixes_images(path)

    def embedded(pixels: Pixels) -> Embeddings:
        block = 1 if alone else bundle.block_of(_BLOCK, pixels.shape[1])
        found = [look(pixels[at : at + block]) for at in range(0, max(len(pixels), 1), block)]
        return np.concatenate(found).reshape(len(pixels), -1)

    return embedded


def layer(path: Path) -> str:
    """Return the name of the embedding in the graph of a bundle.

    Raises:
        ModelError: it does not end in a dense layer.
    """
    name = onnx_graph.last_input(path, _LINEAR)
    if not name:
        raise ModelError(f"{path} has no dense layer at its end, whose input would be the embedding")
    return name


def _of_onnx(path: Path) -> Callable[[Pixels], Embeddings]:
    Classifier(path)  # Raises a ModelError that says what is wrong with the file.
    name = layer(path)
    session = load(path, content=onnx_graph.with_output(path.read_bytes(), name))
    input_name = session.get_inputs()[0].name
    return lambda pixels: np.asarray(session.run([name], {input_name: pixels})[0], np.float32)


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
