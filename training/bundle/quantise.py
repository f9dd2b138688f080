"""Make a bundle with weights of 8-bit integers of one in float32, by static post-training quantisation."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Literal

import onnx

from labeler._version import __version__
from labeler.errors import ModelError
from labeler.images.picture import Pixels
from labeler.inference import bundle
from labeler.inference.classifier import Classifier
from labeler.storage import atomic

Method = Literal["MinMax", "Entropy", "Percentile"]
"""How the range of each activation is found. The last two keep the activations of all images in memory."""

_PREPARED = ("onnx.quant.pre_process", "onnxruntime.quant")
"""Metadata by which ONNX Runtime's own pre-processing says that it is done; exported graphs are folded already."""

_POOLS = frozenset({"GlobalAveragePool", "ReduceMean", "Flatten", "MatMul", "Gemm"})
_SQUASHES = frozenset({"Softmax", "Sigmoid", "HardSigmoid"})
_LINEAR = frozenset({"Conv", "MatMul", "Gemm"})


def quantise(source: Path, out: Path, pixels: Pixels, method: Method = "MinMax") -> None:
    """Write the bundle ``out`` of ``source``, a convolutional network in float32, for processors.

    ``pixels`` (n, 64, 64, 3) uint8 RGB are images as in use, some hundred, by which the ranges of the activations are
    found. QuantizeLinear and DequantizeLinear (QDQ) surround the operators; activations are uint8, weights int8 with
    one scale for each output channel. What decides little of the time and much of the answer stays in float32: all
    before the first convolution (gray, standardising), all from the last pooling on (the embedding, the dense layers,
    the softmax), and the sigmoid of the output `face`.

    Weights have a reduced range of 7 bits, -64 to 64, "to reduce the risk of integer saturation on CPUs that typically
    lack the VNNI dot-product instruction" (ONNX Runtime, `quantize_static`, reduce_range; its guide to quantisation:
    https://onnxruntime.ai/docs/performance/model-optimizations/quantization.html). There, two products of uint8 and
    int8 are added in 16 bits with saturation: 255 * 64 * 2 = 32,640 is below 32,768, so that every processor gives
    the same sum.

    Inputs, outputs and metadata are those of ``source``; `weights` becomes `int8`, `block` the usual one, which is
    faster here than single images, and `speed`, which was another's, goes.

    Raises:
        ModelError: the source is no bundle, has no convolution, or is quantised already.
        OutputError: it cannot be written.
    """
    if bundle.card(source).weights == bundle.INT8 or source.suffix != ".onnx":
        raise ModelError(f"{source} is no .onnx bundle in float32, of which one with 8-bit integers could be made")
    # Deferred: `session`, which the classifier needs, has to be imported first, so that ONNX Runtime writes no files.
    from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static

    model = onnx.load(source)
    metadata = {one.key: one.value for one in model.metadata_props}
    _name_nodes(model.graph)
    kept = {node.name for node in model.graph.node} - _quantised(source, model.graph)
    onnx.helper.set_model_props(model, dict([_PREPARED]))
    with atomic.replacing(out) as beside:
        quantize_static(
            model,
            beside,
            _Images(model.graph.input[0].name, pixels),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            reduce_range=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            nodes_to_exclude=sorted(kept),
            calibrate_method=CalibrationMethod[method],
        )
        made = onnx.load(beside)
        about = {"weights": bundle.INT8, "block": str(bundle.BLOCK), "created_with": f"labeler {__version__}"}
        onnx.helper.set_model_props(made, {key: value for key, value in metadata.items() if key != "speed"} | about)
        onnx.checker.check_model(made)
        onnx.save(made, beside)
        Classifier(beside).answer(pixels[:1])  # Raises a ModelError where it gives no probabilities.


class _Images:
    """A calibration data reader of ONNX Runtime: one image at a time, as histograms need blocks of one size."""

    def __init__(self, name: str, pixels: Pixels) -> None:
        self._left: Iterator[dict[str, Pixels]] = ({name: pixels[at : at + 1]} for at in range(len(pixels)))

    def get_next(self) -> dict[str, Pixels] | None:
        """Return the inputs of the next run; None after the last."""
        return next(self._left, None)


def _name_nodes(graph: onnx.GraphProto) -> None:
    """Give every node a name of its own, by which it can be left out."""
    for place, node in enumerate(graph.node):
        node.name = f"{place}_{node.op_type}"


def _quantised(source: Path, graph: onnx.GraphProto) -> set[str]:
    """Return the names of the nodes between the first convolution and the last pooling, without what ends an output.

    A convolution to one channel, such as the one to gray, is not yet the first.
    """
    channels = {one.name: one.dims[0] for one in graph.initializer if one.dims}
    convolutions = [node for node in graph.node if node.op_type == "Conv"]
    first = next((node for node in convolutions if channels.get(node.input[1], 0) > 1), None)
    if first is None:
        raise ModelError(f"{source} has no convolution to quantise")
    places = {node.name for node in convolutions}
    pools = [node.name for node in graph.node if node.op_type in _POOLS]
    last = [name for name in pools if places.isdisjoint(_from(graph, {name}))]
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
