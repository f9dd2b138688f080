"""Replace the last layer of a network in the graph of a bundle by another one; all before it stays as it is."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from labeler._version import __version__
from labeler.errors import ModelError, one_line
from labeler.inference import embeddings, onnx_graph
from labeler.inference.calibrated_bundle import append_embedding, unused
from labeler.storage import atomic

_PREFIX = "head_"

_OF_THE_OLD_HEAD = frozenset("temperature recalibration adapted face_threshold prior validation speed".split())
"""Metadata that is not true of another head."""

_CLASS_AXIS = 1
"""Of the softmax; operators before opset 11 count no axis from the end."""


def with_head(
    source: Path, out: Path, kernel: NDArray[np.floating], bias: NDArray[np.floating], card: Mapping[str, Any]
) -> None:
    """Write a bundle whose probabilities are softmax(embedding @ ``kernel`` + ``bias``), without other outputs.

    ``kernel`` is (features, classes), ``bias`` (classes,). ``card`` is metadata that is added or replaced.

    Raises:
        ModelError: the network gives no features, or the graph cannot be cut there.
        OutputError: it cannot be written.
    """
    layer = embeddings.layer(source)
    model = onnx.load(source)
    graph = model.graph
    _cut(graph, layer.name)
    prefix, name = unused(graph, _PREFIX), unused(graph, onnx_graph.PROBABILITIES)
    embedding = append_embedding(graph, layer, prefix, kernel.shape[0])
    for end, values in (("kernel", kernel), ("bias", bias)):
        graph.initializer.append(numpy_helper.from_array(values.astype(np.float32), prefix + end))
    graph.node.extend(
        [
            helper.make_node("MatMul", [embedding, prefix + "kernel"], [prefix + "product"]),
            helper.make_node("Add", [prefix + "product", prefix + "bias"], [prefix + "logits"]),
            helper.make_node("Softmax", [prefix + "logits"], [name], axis=_CLASS_AXIS),
        ]
    )
    graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", len(bias)]))
    props = {one.key: one.value for one in model.metadata_props if one.key not in _OF_THE_OLD_HEAD}
    props |= {key: value if isinstance(value, str) else json.dumps(value) for key, value in card.items()}
    helper.set_model_props(model, props | {"created_with": f"labeler {__version__}"})
    try:
        onnx.checker.check_model(model)
    except onnx.checker.ValidationError as exc:
        raise ModelError(f"the last layer of {source} cannot be replaced: {one_line(exc)}") from exc
    with atomic.replacing(out) as beside:
        onnx.save(model, beside)


def _cut(graph: onnx.GraphProto, name: str) -> None:
    """Keep nothing but what a value of a graph needs."""
    needed, kept = {name}, []
    for node in reversed(graph.node):
        if not needed.isdisjoint(node.output):
            needed.update(_inputs(node))
            kept.append(node)
    weights = [one for one in graph.initializer if one.name in needed]
    for field, values in ((graph.node, kept[::-1]), (graph.initializer, weights)):
        del field[:]
        field.extend(values)
    del graph.output[:], graph.value_info[:]


def _inputs(node: onnx.NodeProto) -> Iterator[str]:
    """Yield what a node is given, and what the graphs within it take from outside."""
    yield from node.input
    for attribute in node.attribute:
        for graph in (attribute.g, *attribute.graphs):
            for inner in graph.node:
                yield from _inputs(inner)
            yield from (one.name for one in graph.output)
