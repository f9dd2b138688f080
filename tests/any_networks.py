"""Small bundles of the kinds of networks that people bring: a convolutional one, a transformer, quantised ones."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, helper, numpy_helper

_CHANNELS = 8
_WIDTH = 16
"""Numbers in a token of the transformer."""

_PATCHES = 4
"""Patches of the transformer in a row; the side of the image is a multiple of it."""


def convolutional(path: Path, side: int = 64, classes: int = 3, **card: object) -> Path:
    """Write a bundle of two strided convolutions, mean pooling, one dense layer and softmax."""
    graph = _Graph(4)
    first = graph.conv(graph.planes(), 3, _CHANNELS, kernel=3, stride=2)
    second = graph.conv(graph.node("Relu", first), _CHANNELS, _CHANNELS, kernel=3, stride=2)
    pooled = graph.node("GlobalAveragePool", graph.node("Relu", second))
    return graph.written(path, graph.node("Flatten", pooled), _CHANNELS, side, classes, card, gain=10)


def transformer(path: Path, side: int = 64, classes: int = 3, **card: object) -> Path:
    """Write a bundle of a patch embedding, one block with attention and a dense layer, mean pooling and softmax."""
    graph = _Graph(2)
    patch = side // _PATCHES
    embedded = graph.conv(graph.planes(), 3, _WIDTH, kernel=patch, stride=patch, padding=0)
    flat = graph.node("Reshape", embedded, graph.constant([0, _WIDTH, -1], np.int64))
    tokens = graph.node("Transpose", flat, perm=[0, 2, 1])
    tokens = graph.node("Add", tokens, graph.constant(graph.random(1, _PATCHES**2, _WIDTH)))
    tokens = graph.node("Add", tokens, graph.attention(graph.normalised(tokens)))
    wide = graph.node("Relu", graph.dense(graph.normalised(tokens), _WIDTH, 2 * _WIDTH))
    tokens = graph.node("Add", tokens, graph.dense(wide, 2 * _WIDTH, _WIDTH))
    pooled = graph.node("ReduceMean", graph.normalised(tokens), axes=[1], keepdims=0)
    return graph.written(path, pooled, _WIDTH, side, classes, card, gain=4)


def quantised(path: Path, side: int = 64, classes: int = 3, *, dynamic: bool = False, **card: object) -> Path:
    """Write a bundle of the convolutional network's kind with 8-bit weights and activations.

    Where it is ``dynamic``, the scale of a layer's input is that of all images which are run together: what comes out
    depends on the batch.
    """
    graph = _Graph(7)
    first = graph.node("Relu", graph.quantised_conv(graph.planes(), 3, _CHANNELS))
    features = graph.node("Flatten", graph.node("AveragePool", first, kernel_shape=[4, 4], strides=[4, 4]))
    count = _CHANNELS * (side // 8) ** 2
    hidden = graph.dynamic_dense(features, count, _WIDTH) if dynamic else graph.quantised_dense(features, count, _WIDTH)
    return graph.written(path, graph.node("Relu", hidden), _WIDTH, side, classes, card, gain=4)


class _Graph:
    """The nodes and constants of a network, with random weights that are the same every time."""

    def __init__(self, seed: int) -> None:
        self._nodes: list[NodeProto] = []
        self._constants: list[TensorProto] = []
        self._chance = np.random.default_rng(seed)

    def node(self, operator: str, *inputs: str, outputs: int = 1, name: str = "", **attributes: object) -> str:
        """Add a node; return the name of its first output, which the others extend by `_1`, `_2`."""
        name = name or f"{operator.lower()}_{len(self._nodes)}"
        names = [name, *(f"{name}_{number}" for number in range(1, outputs))]
        self._nodes.append(helper.make_node(operator, inputs, names, **attributes))
        return name

    def constant(self, values: object, kind: type = np.float32) -> str:
        """Add a constant; return its name."""
        name = f"constant_{len(self._constants)}"
        self._constants.append(numpy_helper.from_array(np.array(values, kind), name))
        return name

    def random(self, *shape: int, summed: int = 1) -> NDArray[np.float32]:
        """Return random numbers, small enough for as many to be summed."""
        return self._chance.normal(0, 1 / np.sqrt(summed), shape).astype(np.float32)

    def planes(self) -> str:
        """Add what makes numbers from -2 to 2, channels first, of the pixels; return its name."""
        floats = self.node("Cast", "pixels", name="floats", to=TensorProto.FLOAT)
        scaled = self.node("Mul", floats, self.constant(4 / 255))
        return self.node("Transpose", self.node("Sub", scaled, self.constant(2)), perm=[0, 3, 1, 2])

    def conv(self, planes: str, before: int, after: int, *, kernel: int, stride: int, padding: int = 1) -> str:
        """Add a convolution."""
        weights = self.constant(self.random(after, before, kernel, kernel, summed=before * kernel**2))
        sizes = {"kernel_shape": [kernel] * 2, "strides": [stride] * 2, "pads": [padding] * 4}
        return self.node("Conv", planes, weights, self.constant(self.random(after, summed=100)), **sizes)

    def dense(self, given: str, before: int, after: int) -> str:
        """Add a dense layer."""
        product = self.node("MatMul", given, self.constant(self.random(before, after, summed=before)))
        return self.node("Add", product, self.constant(self.random(after, summed=100)))

    def normalised(self, tokens: str) -> str:
        """Add a layer normalisation."""
        ones, zeros = self.constant(np.ones(_WIDTH)), self.constant(np.zeros(_WIDTH))
        return self.node("LayerNormalization", tokens, ones, zeros, axis=-1)

    def attention(self, tokens: str) -> str:
        """Add an attention with one head."""
        query, key, value = (self.dense(tokens, _WIDTH, _WIDTH) for _ in range(3))
        scores = self.node("MatMul", query, self.node("Transpose", key, perm=[0, 2, 1]))
        shares = self.node("Softmax", self.node("Mul", scores, self.constant(_WIDTH**-0.5)), axis=-1)
        return self.node("MatMul", shares, value)

    def quantised_conv(self, planes: str, before: int, after: int) -> str:
        """Add a convolution of stride 2 whose weights and activations are 8-bit integers of a scale that is fixed."""
        weights = self.eighths(self.random(after, before, 3, 3, summed=before * 9))
        sizes = {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]}
        return self.rounded(self.node("Conv", self.rounded(planes), weights, **sizes))

    def quantised_dense(self, given: str, before: int, after: int) -> str:
        """Add a dense layer whose weights and activations are 8-bit integers of a scale that is fixed."""
        weights = self.eighths(self.random(before, after, summed=before))
        return self.rounded(self.node("MatMul", self.rounded(given), weights))

    def rounded(self, given: str) -> str:
        """Add a step to 8-bit integers and one back, of numbers from -8 to 8."""
        about = (self.constant(1 / 16), self.constant(128, np.uint8))
        return self.node("DequantizeLinear", self.node("QuantizeLinear", given, *about), *about)

    def eighths(self, weights: NDArray[np.float32]) -> str:
        """Add weights as 8-bit integers, and the step back."""
        scale = float(np.abs(weights).max() / 127)
        about = (self.constant(scale), self.constant(0, np.int8))
        return self.node("DequantizeLinear", self.constant(np.round(weights / scale), np.int8), *about)

    def dynamic_dense(self, given: str, before: int, after: int) -> str:
        """Add a dense layer whose input's scale is found when it is run."""
        weights = self.random(before, after, summed=before)
        scale = float(np.abs(weights).max() / 127)
        whole = self.node("DynamicQuantizeLinear", given, outputs=3)
        integers = self.constant(np.round(weights / scale), np.int8)
        product = self.node("MatMulInteger", whole, integers, f"{whole}_2", self.constant(0, np.int8))
        both = self.node("Mul", f"{whole}_1", self.constant(scale))
        return self.node("Mul", self.node("Cast", product, to=TensorProto.FLOAT), both)

    def written(
        self, path: Path, features: str, count: int, side: int, classes: int, card: dict[str, object], gain: float = 2
    ) -> Path:
        """Write the bundle, after one more dense layer and a softmax; return its path."""
        scaled = self.node("Mul", self.dense(features, count, classes), self.constant(gain))
        self.node("Softmax", scaled, name="probabilities", axis=-1)
        graph = helper.make_graph(
            self._nodes,
            "any",
            [helper.make_tensor_value_info("pixels", TensorProto.UINT8, ["batch", side, side, 3])],
            [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["batch", classes])],
            self._constants,
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        onnx.checker.check_model(model)
        about = {"class_names": [f"class {number}" for number in range(classes)], "input_size": side, **card}
        texts = {name: value if isinstance(value, str) else json.dumps(value) for name, value in about.items()}
        helper.set_model_props(model, texts)
        onnx.save(model, path)
        return path
