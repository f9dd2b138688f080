"""Put what belongs to a network into its graph: the steps before it, and the softmax behind it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from labeler.adding.graph import Network
from labeler.adding.said import Channels, Layout, Recipe
from labeler.inference.calibrated_bundle import unused
from labeler.inference.onnx_graph import PROBABILITIES

PREFIX = "labeler_"
"""The beginning of the names of what is added."""

_KINDS = {"float32": TensorProto.FLOAT, "float16": TensorProto.FLOAT16, "uint8": TensorProto.UINT8}

_GRAY = (0.299, 0.587, 0.114)
"""The weights of red, green and blue in gray (ITU-R BT.601), as Pillow, OpenCV and TensorFlow have them."""


class Nodes:
    """Nodes that are put into a graph, one behind the other."""

    def __init__(self, prefix: str, start: str) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self.last = start
        self._prefix = prefix

    def add(self, operator: str, *constants: NDArray[np.generic], **attributes: object) -> None:
        """Append a node that takes the last tensor, and constants."""
        name = f"{self._prefix}{len(self.nodes)}"
        named = [numpy_helper.from_array(one, f"{name}_{place}") for place, one in enumerate(constants)]
        self.constants += named
        self.nodes.append(helper.make_node(operator, [self.last, *(one.name for one in named)], [name], **attributes))
        self.last = name

    def end(self, stage: str) -> None:
        """Name the last tensor after the step that ends here, unless that step did nothing."""
        if self.nodes[-1].output[0] == f"{self._prefix}{len(self.nodes) - 1}":
            self.nodes[-1].output[0] = self.last = f"{self._prefix}{stage}"

    def pair(self, *, logits: bool) -> None:
        """Make two classes of the probability, or the logit, of the second."""
        if logits:
            self.add("Sigmoid")
        second, one = self.last, f"{self._prefix}one"
        self.constants.append(numpy_helper.from_array(np.array(1, np.float32), one))
        self.nodes.append(helper.make_node("Sub", [one, second], [f"{self._prefix}first"]))
        self.nodes.append(helper.make_node("Concat", [f"{self._prefix}first", second], [f"{self._prefix}pair"], axis=1))
        self.last = f"{self._prefix}pair"


def before(network: Network, recipe: Recipe, prefix: str) -> Nodes:
    """Return the steps from uint8 RGB [batch, side, side, 3] to what a network takes.

    The tensor after a step has its name, one of `reference.STAGES`, behind the prefix.
    """
    chain = Nodes(prefix, f"{prefix}pixels")
    chain.add("Cast", to=TensorProto.FLOAT)
    chain.end("cast")
    if recipe.channels is Channels.GRAY:  # No MatMul: how it adds up three numbers could depend on the batch.
        chain.add("Mul", np.array(_GRAY, np.float32))
        _sum_of_channels(chain, network.opset)
    chain.end("gray")
    if recipe.channels is Channels.BGR:
        chain.add("Gather", np.array([2, 1, 0], np.int64), axis=3)
    chain.end("order")
    if recipe.scale != 1:
        chain.add("Mul", np.array(recipe.scale, np.float32))
    chain.end("scale")
    if any(recipe.mean):
        chain.add("Sub", np.array(recipe.mean, np.float32))
    if set(recipe.std) != {1.0}:
        chain.add("Div", np.array(recipe.std, np.float32))
    chain.end("normalise")
    if recipe.layout is Layout.NCHW:
        chain.add("Transpose", perm=[0, 3, 1, 2])
    chain.end("layout")
    if network.kind == "uint8":
        if network.opset >= 11:
            chain.add("Round")
        chain.add("Cast", to=_KINDS[network.kind])
    elif network.kind == "float16":
        chain.add("Cast", to=_KINDS[network.kind])
    return chain


def bundled(network: Network, recipe: Recipe, output: str, outputs: int, *, batch: int | None) -> onnx.ModelProto:
    """Return a bundle's graph: the steps before, the network, and the softmax behind its ``output`` (batch, outputs).

    ``batch`` is how many images it takes at once; with None, a network of a fixed batch is made to take any.
    """
    model = onnx.ModelProto()
    model.CopyFrom(network.model)
    graph = model.graph
    prefix = unused(graph, PREFIX)
    chain = before(network, recipe, prefix)
    if batch is None and network.batch is not None:
        _free_batch(graph)
    _rename(graph.node, network.input, chain.last)
    _rename(graph.node, PROBABILITIES, f"{prefix}given")
    behind = Nodes(f"{prefix}answer_", f"{prefix}given" if output == PROBABILITIES else output)
    behind.add("Cast", to=TensorProto.FLOAT)
    if outputs == 1:
        behind.pair(logits=recipe.logits)
    elif recipe.logits:
        behind.add("Softmax", axis=1)
    behind.nodes[-1].output[0] = PROBABILITIES
    nodes = [*chain.nodes, *graph.node, *behind.nodes]
    del graph.node[:], graph.value_info[:], graph.output[:]
    graph.node.extend(nodes)
    graph.initializer.extend([*chain.constants, *behind.constants])
    constants = [one for one in graph.input if one.name != network.input]
    del graph.input[:]
    side, size = recipe.side, batch or "batch"
    shapes = [size, side, side, 3], [size, len(recipe.class_names)]
    graph.input.extend([helper.make_tensor_value_info(f"{prefix}pixels", TensorProto.UINT8, shapes[0]), *constants])
    graph.output.append(helper.make_tensor_value_info(PROBABILITIES, TensorProto.FLOAT, shapes[1]))
    return model


def _sum_of_channels(chain: Nodes, opset: int) -> None:
    if opset >= 13:
        chain.add("ReduceSum", np.array([3], np.int64), keepdims=1)
    else:
        chain.add("ReduceSum", axes=[3], keepdims=1)


def _rename(nodes: Sequence[onnx.NodeProto], before: str, after: str) -> None:
    """Give a tensor another name, also where a graph within the graph uses it."""
    for node in nodes:
        node.input[:] = [after if name == before else name for name in node.input]
        node.output[:] = [after if name == before else name for name in node.output]
        for attribute in node.attribute:
            for graph in (attribute.g, *attribute.graphs):
                _rename(graph.node, before, after)


def _free_batch(graph: onnx.GraphProto) -> None:
    """Let every Reshape to a fixed batch take any; whether that was right is found out by running it."""
    constants = {
        one.name: numpy_helper.to_array(one) for one in graph.initializer if one.data_type == TensorProto.INT64
    }
    for node in graph.node:
        if node.op_type == "Constant" and node.attribute[0].name in ("value", "value_ints"):
            value = helper.get_attribute_value(node.attribute[0])
            constants[node.output[0]] = np.array(value) if isinstance(value, list) else numpy_helper.to_array(value)
    freed: dict[str, str] = {}
    added: list[onnx.TensorProto] = []
    weights = {one.name for one in graph.initializer}
    for node in graph.node:
        shape = constants.get(node.input[1]) if node.op_type == "Reshape" else None
        if shape is None or node.input[0] in weights:
            continue
        name = node.input[1]
        if name not in freed:
            freed[name] = f"{unused(graph, PREFIX)}shape_{len(freed)}"
            added.append(_freed(shape, freed[name]))
        node.input[1] = freed[name]
    graph.initializer.extend(added)


def _freed(shape: NDArray[Any], name: str) -> onnx.TensorProto:
    """Return the shape of a Reshape with its first side free: what is left over, or the batch as it comes."""
    sides = shape.astype(np.int64)
    if sides.size and sides.flat[0] > 0:
        sides.flat[0] = 0 if (sides < 0).any() else -1
    return numpy_helper.from_array(sides, name)
