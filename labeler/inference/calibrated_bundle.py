"""Build a temperature, offsets, and a linear function of the embedding into the graph of a bundle, after its
probabilities."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from labeler.errors import ModelError, OutputError, one_line
from labeler.inference import bundle, embeddings, onnx_graph
from labeler.storage import atomic

_PREFIX = "recalibrated_"

_SMALLEST = 1e-30
"""Lower limit on a probability, so that its logarithm is finite."""

_OLDEST_OPSET = 11
"""Lower limit on the version of a graph's operators: the first with Round."""


def write(
    source: Path,
    out: Path,
    scale: float,
    offsets: Sequence[float],
    step: float,
    about: Mapping[str, Any],
    kernel: NDArray[np.floating] | None = None,
    ratios: Sequence[float] = (),
) -> None:
    """Write a bundle whose probabilities are softmax(``scale`` * log p + ``offsets``), p being those of ``source``.

    With ``ratios``, p are these for another prior (`prior.ratios`). ``kernel`` (features, classes) is multiplied by the
    embedding (`embeddings.layer`), and the product is added to these logits. p is rounded to multiples of ``step`` and
    at least one, as in a table, so that the bundle says what a table does whose scores were recalibrated. ``about`` is
    metadata that is added or replaced; the `recalibration` in it keeps as ``earlier`` the one that the source has built
    in, which stays before the new one. The card loses its prior: the new probabilities assume another one, which nobody
    knows.

    Raises:
        ModelError: the source is no bundle, or of an ONNX version (opset) before 11, which cannot round.
        OutputError: it cannot be written.
    """
    earlier = bundle.card(source).recalibration
    if source.suffix != ".onnx":
        raise ModelError(f"{source} is no .onnx bundle: make one of it with labeler models add")
    model = onnx.load(source)
    opset = max((one.version for one in model.opset_import if one.domain in {"", "ai.onnx"}), default=0)
    if opset < _OLDEST_OPSET:
        raise ModelError(
            f"{source} cannot be recalibrated: its operators are of ONNX opset {opset}; export it with opset "
            f"{_OLDEST_OPSET} or later"
        )
    graph = model.graph
    given = onnx_graph.of_classes([one.name for one in graph.output])
    raw = unused(graph, given)
    for node in graph.node:
        node.output[:] = [raw if name == given else name for name in node.output]
        node.input[:] = [raw if name == given else name for name in node.input]
    prefix = unused(graph, _PREFIX)
    if ratios:
        raw = _with_ratios(graph, raw, prefix, ratios)
    constants = {
        "steps": np.array(1 / step, np.float32),
        "one": np.array(1, np.float32),
        "scale": np.array(scale, np.float32),
        "offsets": np.array(offsets, np.float32),
    }
    chain = [
        ("Mul", [raw, prefix + "steps"], "counted"),
        ("Round", [prefix + "counted"], "rounded"),
        ("Max", [prefix + "rounded", prefix + "one"], "floored"),
        ("Log", [prefix + "floored"], "logarithms"),
        ("Mul", [prefix + "logarithms", prefix + "scale"], "scaled"),
        ("Add", [prefix + "scaled", prefix + "offsets"], "logits"),
    ]
    _append(graph, prefix, constants, chain)
    logits = prefix + "logits"
    if kernel is not None:
        graph.initializer.append(numpy_helper.from_array(kernel.astype(np.float32), prefix + "kernel"))
        embedding = append_embedding(graph, embeddings.layer(source), prefix, kernel.shape[0])
        graph.node.append(helper.make_node("MatMul", [embedding, prefix + "kernel"], [prefix + "product"]))
        graph.node.append(helper.make_node("Add", [logits, prefix + "product"], [prefix + "adapted"]))
        logits = prefix + "adapted"
    graph.node.append(helper.make_node("Softmax", [logits], [given], axis=-1))
    props = {one.key: one.value for one in model.metadata_props if one.key != "prior"}
    if earlier and "recalibration" in about:
        about = {**about, "recalibration": {**about["recalibration"], "earlier": earlier}}
    helper.set_model_props(model, props | bundle.as_metadata(about))
    _save(model, source, out)


def append_embedding(graph: onnx.GraphProto, layer: embeddings.Layer, prefix: str, features: int) -> str:
    """Append what makes the embedding (n, features) of what a layer is given; return its name.

    Of a quantised network, that is one of integers.
    """
    name = prefix + "floats"
    graph.node.append(helper.make_node("Cast", [layer.name], [name], to=onnx.TensorProto.FLOAT))
    if layer.pooled:
        graph.node.append(helper.make_node("GlobalAveragePool", [name], [prefix + "means"]))
        name = prefix + "means"
    graph.initializer.append(numpy_helper.from_array(np.array([-1, features], np.int64), prefix + "shape"))
    graph.node.append(helper.make_node("Reshape", [name, prefix + "shape"], [prefix + "embedding"]))
    return prefix + "embedding"


def _save(model: onnx.ModelProto, source: Path, out: Path) -> None:
    """Check a model that was made of ``source``, and write it."""
    try:
        onnx.checker.check_model(model)
    except onnx.checker.ValidationError as exc:
        raise ModelError(f"{source} cannot be recalibrated: {one_line(exc)}") from exc
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise OutputError(f"cannot write {out}: {exc.strerror or exc}") from exc
    with atomic.replacing(out) as beside:
        onnx.save(model, beside)


def _with_ratios(graph: onnx.GraphProto, raw: str, prefix: str, ratios: Sequence[float]) -> str:
    """Multiply the probabilities ``raw`` by ratios and normalise them; return the name of what they become.

    Softmax normalises the sums of the logarithms.
    """
    constants = {"least": np.array(_SMALLEST, np.float32), "ratios": np.log(ratios).astype(np.float32)}
    chain = [
        ("Max", [raw, prefix + "least"], "positive"),
        ("Log", [prefix + "positive"], "information"),
        ("Add", [prefix + "information", prefix + "ratios"], "weighted"),
    ]
    _append(graph, prefix, constants, chain)
    graph.node.append(helper.make_node("Softmax", [prefix + "weighted"], [prefix + "shares"], axis=-1))
    return prefix + "shares"


def _append(
    graph: onnx.GraphProto,
    prefix: str,
    constants: Mapping[str, NDArray[np.float32]],
    nodes: Sequence[tuple[str, list[str], str]],
) -> None:
    """Append constants, and nodes of an operator, its inputs and its output; constants and outputs get the prefix."""
    graph.initializer.extend(numpy_helper.from_array(value, prefix + name) for name, value in constants.items())
    graph.node.extend(helper.make_node(operator, inputs, [prefix + name]) for operator, inputs, name in nodes)


def unused(graph: onnx.GraphProto, name: str) -> str:
    """Return a beginning of names, ``name`` or a longer one, that no name in the graph has."""
    taken = {one.name for one in (*graph.initializer, *graph.input)}
    taken |= {output for node in graph.node for output in node.output}
    while any(one.startswith(name) for one in taken):
        name = f"raw_{name}"
    return name
