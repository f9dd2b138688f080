"""Replace the last layer of a network in the graph of a bundle by another one; all before it stays as it is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from labeler._version import __version__
from labeler.certify.recalibration import SMALLEST
from labeler.errors import ModelError, one_line
from labeler.inference import bundle, embeddings, onnx_graph
from labeler.inference.calibrated_bundle import append_embedding, unused
from labeler.storage import atomic

_PREFIX = "head_"

_OF_THE_OLD_HEAD = frozenset("temperature recalibration adapted face_threshold prior validation speed".split())
"""Metadata that is not true of another head."""

_CLASS_AXIS = 1
"""Of the softmax; operators before opset 11 count no axis from the end."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class NewHead:
    """Logits: ``scale`` * (embedding @ ``kernel`` + ``bias`` + the logarithms of old probabilities)."""

    kernel: NDArray[np.floating]
    """(features, classes)."""
    bias: NDArray[np.floating]
    scale: float = 1.0
    places: Sequence[int] = ()
    """Which of the old classes each class is; empty for a head that takes nothing of the old one."""


def with_head(source: Path, out: Path, new: NewHead, card: Mapping[str, Any]) -> None:
    """Write a bundle whose probabilities are the softmax of a new head's logits, without other outputs.

    ``card`` is metadata that is added or replaced.

    Raises:
        ModelError: the network gives no features, or the graph cannot be cut there.
        OutputError: it cannot be written.
    """
    layer = embeddings.layer(source)
    model = onnx.load(source)
    graph = model.graph
    old = onnx_graph.of_classes([one.name for one in graph.output])
    _cut(graph, {layer.name, old} if new.places else {layer.name})
    prefix, name = unused(graph, _PREFIX), unused(graph, onnx_graph.PROBABILITIES)
    embedding = append_embedding(graph, layer, prefix, new.kernel.shape[0])
    _constant(graph, prefix + "kernel", new.scale * new.kernel)
    _constant(graph, prefix + "bias", new.scale * new.bias)
    graph.node.extend(
        [
            helper.make_node("MatMul", [embedding, prefix + "kernel"], [prefix + "product"]),
            helper.make_node("Add", [prefix + "product", prefix + "bias"], [prefix + "logits"]),
        ]
    )
    logits = _with_old(graph, prefix, old, new) if new.places else prefix + "logits"
    graph.node.append(helper.make_node("Softmax", [logits], [name], axis=_CLASS_AXIS))
    graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", len(new.bias)]))
    props = {one.key: one.value for one in model.metadata_props if one.key not in _OF_THE_OLD_HEAD}
    props |= bundle.as_metadata(card)
    helper.set_model_props(model, props | {"created_with": f"labeler {__version__}"})
    try:
        onnx.checker.check_model(model)
    except onnx.checker.ValidationError as exc:
        raise ModelError(f"the last layer of {source} cannot be replaced: {one_line(exc)}") from exc
    with atomic.replacing(out) as beside:
        onnx.save(model, beside)


def _with_old(graph: onnx.GraphProto, prefix: str, old: str, new: NewHead) -> str:
    """Add the logarithms of the old probabilities to the logits; return the name of the sum."""
    graph.initializer.append(numpy_helper.from_array(np.array(new.places, np.int64), prefix + "places"))
    _constant(graph, prefix + "least", np.array(SMALLEST))
    _constant(graph, prefix + "scale", np.array(new.scale))
    for operator, inputs, output, about in (
        ("Gather", [old, prefix + "places"], "kept", {"axis": _CLASS_AXIS}),
        ("Max", [prefix + "kept", prefix + "least"], "positive", {}),
        ("Log", [prefix + "positive"], "logarithms", {}),
        ("Mul", [prefix + "logarithms", prefix + "scale"], "scaled", {}),
        ("Add", [prefix + "scaled", prefix + "logits"], "sum", {}),
    ):
        graph.node.append(helper.make_node(operator, inputs, [prefix + output], **about))
    return prefix + "sum"


def _constant(graph: onnx.GraphProto, name: str, values: NDArray[np.floating]) -> None:
    graph.initializer.append(numpy_helper.from_array(values.astype(np.float32), name))


def _cut(graph: onnx.GraphProto, names: Set[str]) -> None:
    """Keep nothing but what values of a graph need."""
    needed, kept = set(names), list[onnx.NodeProto]()
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
