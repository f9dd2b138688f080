"""What a network sees in pictures: what its last layer decides by, so that another can be fitted on it in seconds."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from labeler import native_output
from labeler.errors import ModelError, needs
from labeler.executors.cores import cores
from labeler.images.picture import Pixels
from labeler.inference.classifier import Classifier, load_keras
from labeler.inference.session import load
from labeler.records import INPUT_SIDE
from training.data.decode import Progress

Features = NDArray[np.float32]

_BLOCK = 64
"""Pictures per run of the network."""

_LINEAR = frozenset({"Gemm", "MatMul", "MatMulInteger", "QLinearMatMul", "QGemm"})
"""What a dense layer is in ONNX, and in ONNX Runtime's quantised networks."""


def seen(path: Path, pixels: Pixels, workers: int, progress: Progress) -> Features:
    """Return what a model's last layer is given (n, features) for pictures (n, 64, 64, 3), uint8 RGB.

    ``path`` is a bundle or a ``.keras`` file, whose classes do not matter; ``workers`` are threads, 0 for one per core.

    Raises:
        ModelError: it is no model for such pictures, or does not end in a dense layer.
        LabelerError: it is a ``.keras`` file and Keras is not installed.
    """
    look = _of_keras(path) if path.suffix == ".keras" else _of_onnx(path)
    blocks = [pixels[at : at + _BLOCK] for at in range(0, len(pixels), _BLOCK)]
    found: list[Features] = []
    with ThreadPoolExecutor(workers or cores()) as threads:  # ONNX Runtime lets other threads run.
        for block in threads.map(look, blocks):
            found.append(block.reshape(len(block), -1))
            progress(min(len(found) * _BLOCK, len(pixels)), len(pixels))
    return np.concatenate(found)


def _of_onnx(path: Path) -> Callable[[Pixels], Features]:
    Classifier(path)  # Says what is wrong with a file that is no bundle.
    model = onnx.load(path)
    dense = [node for node in model.graph.node if node.op_type in _LINEAR]  # In the order they are computed.
    if not dense:
        raise ModelError(f"{path} does not end in a dense layer, before which its features could be taken")
    name = dense[-1].input[0]
    del model.graph.output[:]
    model.graph.output.append(onnx.ValueInfoProto(name=name))
    session = load(path, content=model.SerializeToString())
    pictures = session.get_inputs()[0].name
    return lambda pixels: np.asarray(session.run(None, {pictures: pixels})[0], np.float32)


def _of_keras(path: Path) -> Callable[[Pixels], Features]:
    with needs("train", "keras", "tensorflow"), native_output.stderr():
        import keras  # Deferred: it takes seconds, and only a bare .keras file needs it.

        from training.networks import (
            mixed_precision,  # Also names the layers that a file of an unfinished training holds.
        )
    network = mixed_precision.plain(load_keras(path))
    wanted = (None, INPUT_SIDE, INPUT_SIDE, 3)
    dense: list[Any] = [layer for layer in network.layers if isinstance(layer, keras.layers.Dense)]
    if network.input_shape != wanted:
        raise ModelError(f"{path} takes {network.input_shape}; labeler gives {wanted}")
    if not dense:
        raise ModelError(f"{path} does not end in a dense layer, before which its features could be taken")
    cut = keras.Model(network.inputs[0], dense[-1].input)
    return lambda pixels: np.asarray(cut(pixels.astype(np.float32) / 255, training=False))
