"""Make a bundle with weights of 8-bit integers of one in float32, by static post-training quantisation."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
import onnx
from numpy.typing import NDArray

from labeler._version import __version__
from labeler.errors import ModelError, one_line
from labeler.inference import bundle
from labeler.inference.classifier import Classifier
from labeler.storage import atomic
from labeler.watched import Watched, unwatched

Pixels = NDArray[np.uint8]

Method = Literal["MinMax", "Entropy", "Percentile"]
"""How the range of each activation is found. The last two keep the activations of all images in memory."""

_PREPARED = ("onnx.quant.pre_process", "onnxruntime.quant")
"""Metadata by which ONNX Runtime's own pre-processing says that it is done, and `_folded` here."""

_POOLS = frozenset({"GlobalAveragePool", "ReduceMean", "Flatten", "MatMul", "Gemm"})
_SQUASHES = frozenset({"Softmax", "Sigmoid", "HardSigmoid"})
_LINEAR = frozenset({"Conv", "MatMul", "Gemm"})
_INTEGERS = frozenset({"QuantizeLinear", "DynamicQuantizeLinear", "ConvInteger", "MatMulInteger", "QLinearConv"})

_OF_FLOAT32 = frozenset({"speed", "block"})
"""Metadata that are not kept."""

_OLDEST_OPSET = 13
"""Lower limit on the version of a graph's operators: the first with a scale for each output channel."""


def check(source: Path) -> None:
    """Check by a model's card that one with 8-bit integers can be made of it.

    Raises:
        ModelError: it is no bundle, or quantised already.
    """
    if source.suffix != ".onnx" or bundle.card(source).weights == bundle.INT8:
        raise ModelError(f"{source} is no .onnx bundle in float32, of which one with 8-bit integers could be made")


def quantise(source: Path, out: Path, pixels: Pixels, method: Method = "MinMax", watched: Watched = unwatched) -> None:
    """Write the bundle ``out`` of ``source``, a network in float32, for processors.

    ``pixels`` (n, side, side, 3) uint8 RGB are images as in use, some hundred, by which the ranges of the activations
    are found. QuantizeLinear and DequantizeLinear (QDQ) surround the operators; activations are uint8, weights int8
    with one scale for each output channel. What decides little of the time and much of the answer stays in float32. Of
    a convolutional network that is all before the first convolution (gray, standardising), all from the last pooling on
    (the embedding, the dense layers, the softmax), and the sigmoid of the output `face`. Of a transformer, or a network
    of dense layers, only the products with weights become those of integers, without that of the last layer: the
    products of attention, normalisations and all between stay.

    Weights have a reduced range of 7 bits, -64 to 64, "to reduce the risk of integer saturation on CPUs that typically
    lack the VNNI dot-product instruction" (ONNX Runtime, `quantize_static`, reduce_range; its guide to quantisation:
    https://onnxruntime.ai/docs/performance/model-optimizations/quantization.html). There, two products of uint8 and
    int8 are added in 16 bits with saturation: 255 * 64 * 2 = 32,640 is below 32,768, so that every processor gives
    the same sum.

    Inputs, outputs and metadata are those of ``source``; `weights` becomes `int8`, and `speed` and `block`, which were
    another's, go: the usual block is faster here than single images.

    Raises:
        ModelError: the source is no bundle, has no layer to quantise, is quantised already, or fails in ONNX Runtime.
        OutputError: it cannot be written.
    """
    check(source)
    model = _modern(source, onnx.load(source))
    if not _INTEGERS.isdisjoint(node.op_type for node in model.graph.node):
        raise ModelError(f"{source} has operators of 8-bit integers already; quantise the network in float32")
    metadata = {one.key: one.value for one in model.metadata_props}
    model = _folded(source, model)
    _name_nodes(model.graph)
    kept = {node.name for node in model.graph.node} - _chosen(source, model.graph)
    onnx.helper.set_model_props(model, dict([_PREPARED]))
    with atomic.replacing(out) as beside:
        images = _Images(model.graph.input[0].name, pixels, watched)
        _quantise(source, model, beside, images, kept, method)
        made = onnx.load(beside)
        about = {"weights": bundle.INT8, "created_with": f"labeler {__version__}"}
        onnx.helper.set_model_props(
            made, {key: text for key, text in metadata.items() if key not in _OF_FLOAT32} | about
        )
        onnx.checker.check_model(made)
        onnx.save(made, beside)
        Classifier(beside).answer(pixels[:1])  # Raises a ModelError where it gives no probabilities.


def describe(path: Path, about: Mapping[str, Any]) -> None:
    """Add or change metadata of a bundle; None takes it away.

    Raises:
        OutputError: the file cannot be written.
    """
    model = onnx.load(path)
    props = {one.key: one.value for one in model.metadata_props if about.get(one.key, "") is not None}
    props |= bundle.as_metadata({key: value for key, value in about.items() if value is not None})
    onnx.helper.set_model_props(model, props)
    with atomic.replacing(path) as beside:
        onnx.save(model, beside)


class _Images:
    """A calibration data reader of ONNX Runtime: one image at a time, as histograms need blocks of one size."""

    def __init__(self, name: str, pixels: Pixels, watched: Watched) -> None:
        places = watched(range(len(pixels)), "calibrating", len(pixels))
        self._left: Iterator[dict[str, Pixels]] = ({name: pixels[at : at + 1]} for at in places)

    def get_next(self) -> dict[str, Pixels] | None:
        """Return the inputs of the next run; None after the last."""
        return next(self._left, None)


def _quantise(
    source: Path, model: onnx.ModelProto, out: Path, images: _Images, kept: Collection[str], method: Method
) -> None:
    # Deferred: `session`, which the classifier needs, has to be imported first, so that ONNX Runtime writes no files.
    from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static

    logging.disable(logging.WARNING)  # It warns of what nobody here can change.
    try:
        quantize_static(
            model,
            out,
            images,
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            reduce_range=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            nodes_to_exclude=sorted(kept),
            calibrate_method=CalibrationMethod[method],
        )
    except Exception as exc:  # ONNX Runtime's exceptions have no common base.
        raise ModelError(f"{source} cannot be quantised by ONNX Runtime: {one_line(exc)}") from exc
    finally:
        logging.disable(logging.NOTSET)


def _modern(source: Path, model: onnx.ModelProto) -> onnx.ModelProto:
    """Return the model with operators of a version that knows a scale for each channel; its metadata stay."""
    opset = max((one.version for one in model.opset_import if one.domain in {"", "ai.onnx"}), default=0)
    if opset >= _OLDEST_OPSET:
        return model
    try:
        newer = onnx.version_converter.convert_version(model, _OLDEST_OPSET)
    except Exception as exc:  # The converter's exceptions have no common base.
        raise ModelError(
            f"{source} cannot be quantised: its operators are of ONNX opset {opset}; export it with opset "
            f"{_OLDEST_OPSET} or later"
        ) from exc
    onnx.helper.set_model_props(newer, {one.key: one.value for one in model.metadata_props})
    return newer


def _folded(source: Path, model: onnx.ModelProto) -> onnx.ModelProto:
    """Return the graph with all constants computed, as initializers, and what can be part of a convolution in it.

    ONNX Runtime quantises weights and biases that are initializers alone, and torch.onnx writes others; what stays
    between two layers in float32, such as a padding, costs more than their integers gain.
    """
    import onnxruntime  # Deferred: see `_quantise`.

    with tempfile.TemporaryDirectory(prefix="labeler-") as folder:
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
        options.optimized_model_filepath = str(Path(folder) / "model.onnx")
        options.log_severity_level = 4
        try:
            onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        except Exception as exc:  # ONNX Runtime's exceptions have no common base.
            raise ModelError(f"{source} is not an ONNX model that can be loaded: {one_line(exc)}") from exc
        return onnx.load(options.optimized_model_filepath)


def _name_nodes(graph: onnx.GraphProto) -> None:
    """Give every node a name of its own, by which it can be left out."""
    for place, node in enumerate(graph.node):
        node.name = f"{place}_{node.op_type}"


def _chosen(source: Path, graph: onnx.GraphProto) -> set[str]:
    """Return the names of the nodes to quantise; see `quantise`."""
    shapes = {one.name: one.dims for one in graph.initializer if one.dims}
    first = next((node for node in graph.node if node.op_type == "Conv" and _is_layer(node, shapes)), None)
    if first is not None and not any(_is_attention(node, shapes) for node in graph.node):
        return _convolutional(graph, first)
    layers = {node.name for node in graph.node if _is_layer(node, shapes)}
    chosen = {name for name in layers if (_from(graph, {name}) - {name}) & layers}
    if not chosen:
        raise ModelError(f"{source} has nothing to quantise: no convolution, and no dense layer before the last one")
    return chosen


def _is_layer(node: onnx.NodeProto, shapes: Mapping[str, Collection[int]]) -> bool:
    """Say whether a node multiplies by weights; a convolution to one channel, such as the one to gray, does not count.

    ``shapes`` are those of the constants.
    """
    if node.op_type not in _LINEAR or node.input[1] not in shapes:
        return False
    return next(iter(shapes[node.input[1]])) > 1


def _is_attention(node: onnx.NodeProto, shapes: Mapping[str, Collection[int]]) -> bool:
    """Say whether a node multiplies one activation by another, as the attention of a transformer does."""
    return node.op_type == "MatMul" and shapes.keys().isdisjoint(node.input)


def _convolutional(graph: onnx.GraphProto, first: onnx.NodeProto) -> set[str]:
    """Return the names of the nodes from the first convolution to the last pooling, without what ends an output."""
    convolutions = {node.name for node in graph.node if node.op_type == "Conv"}
    pools = [node.name for node in graph.node if node.op_type in _POOLS]
    last = [name for name in pools if convolutions.isdisjoint(_from(graph, {name}))]
    return _from(graph, {first.name}) - _from(graph, last) - _ends(graph)


def _from(graph: onnx.GraphProto, names: Collection[str]) -> set[str]:
    """Return the names of some nodes and of all that need what they compute."""
    found: set[str] = set()
    computed: set[str] = set()
    for node in graph.node:  # ONNX demands a topological order.
        if node.name in names or not computed.isdisjoint(node.input):
            found.add(node.name)
            computed.update(node.output)
    return found


def _ends(graph: onnx.GraphProto) -> set[str]:
    """Return the names of the nodes from the softmax or sigmoid of each output on."""
    makers = {name: node for node in graph.node for name in node.output}
    found: set[str] = set()
    for output in graph.output:
        node = makers.get(output.name)
        while node is not None and node.op_type not in _LINEAR:
            found.add(node.name)
            node = None if node.op_type in _SQUASHES else makers.get(node.input[0])
    return found
