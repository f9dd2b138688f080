"""Read what the graph of an ONNX file says of its input, and how its outputs end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import onnx
from onnx import TensorProto

from labeler.adding.said import Channels, Layout, Said
from labeler.errors import LabelerError, ModelError, one_line
from labeler.inference import bundle, onnx_metadata
from labeler.inference.bundle import LARGEST_BLOCK, LARGEST_SIDE, SMALLEST_SIDE
from labeler.words import counted

OLDEST_OPSET = 7
"""Lower limit on the version of a graph's operators: the first that broadcasts as NumPy does."""

_KINDS = {TensorProto.FLOAT: "float32", TensorProto.FLOAT16: "float16", TensorProto.UINT8: "uint8"}

_PASSED = frozenset({"Identity", "Cast", "Flatten", "Reshape", "Squeeze", "DequantizeLinear", "QuantizeLinear"})
"""Operators behind a softmax that leave its values as they are."""


@dataclass(frozen=True, kw_only=True)
class Network:
    """A network in an ONNX file, and what its graph says of its input."""

    file: Path
    """The ONNX file; `path` is what the user calls it."""
    path: Path
    model: onnx.ModelProto
    opset: int
    input: str
    kind: str
    """The type of its input: float32, float16 or uint8."""
    batch: int | None
    """How many images it takes at once; None where that is free."""
    dims: tuple[int | None, ...]
    """The other three sides of its input; None where one is free."""

    def planes(self, layout: Layout) -> int | None:
        """Return how many channels it takes, read in a layout."""
        return self.dims[0] if layout is Layout.NCHW else self.dims[2]

    def sides(self, layout: Layout) -> tuple[int | None, int | None]:
        """Return height and width, read in a layout."""
        return self.dims[1:] if layout is Layout.NCHW else self.dims[:2]  # type: ignore[return-value]


def load(file: Path, given: Path | None = None) -> Network:
    """Read an ONNX file; ``given`` is what the user gave, where the file was made of it.

    Raises:
        LabelerError: it is a bundle already.
        ModelError: it is none, too large, has external data, or takes something else than images.
    """
    path = given or file
    bundle.sha256(file)  # It refuses what is too large before anything reads it.
    about = onnx_metadata.metadata(file)
    try:
        model = onnx.load(file, load_external_data=False)
        _check_names(model.graph)
    except Exception as exc:  # protobuf has exceptions of its own.
        raise ModelError(f"{path} is not an ONNX model that can be loaded: {one_line(exc)}") from exc
    graph = model.graph
    constants = {one.name for one in graph.initializer}
    inputs = [one for one in graph.input if one.name not in constants]
    if len(inputs) != 1:
        named = ", ".join(one_line(one.name) for one in inputs[:5]) or "none"
        raise ModelError(f"{path} takes {len(inputs)} inputs ({named}), not one image; export the image part alone")
    tensor = inputs[0].type.tensor_type
    if tensor.elem_type not in _KINDS or len(tensor.shape.dim) != 4:
        raise ModelError(
            f"{path} does not take images: its input {one_line(inputs[0].name)!r} is {_shown(tensor)}; expected "
            "float32, float16 or uint8 of [batch, channels, height, width] or [batch, height, width, channels]"
        )
    batch, *dims = (one.dim_value if one.HasField("dim_value") else None for one in tensor.shape.dim)
    if "class_names" in about and tensor.elem_type == TensorProto.UINT8:
        raise LabelerError(
            f"{path} is an ONNX network already, and a bundle: use it with --model {path} as it is; docs/bundle.md "
            "says what a bundle is"
        )
    return Network(
        file=file,
        path=path,
        model=model,
        opset=_opset(path, model),
        input=inputs[0].name,
        kind=_KINDS[tensor.elem_type],
        batch=_batch(path, batch),
        dims=tuple(None if one is not None and one < 0 else one for one in dims),
    )


def said(network: Network, others: Sequence[Said], *, pytorch: bool) -> Said:
    """Return what the shape of the input says, where ``others`` - the options and the files - may say the layout.

    Raises:
        ModelError: the shape says nothing, is no square image, or is another than the others say.
    """
    layout = _layout(network, others, pytorch=pytorch)
    planes, (height, width) = network.planes(layout), network.sides(layout)
    if planes not in (None, 1, 3):
        raise ModelError(
            f"{network.path} takes images of {counted(planes, 'channel')}; labeler gives 1 (gray) or 3 (RGB)"
        )
    for side in (height, width):
        check_side(network.path, side)
    if height is not None and width is not None and height != width:
        raise ModelError(f"{network.path} takes images of {height}x{width}; labeler gives square ones")
    side = height or width
    for other in others:
        _check_agrees(network.path, other, side, planes)
    return Said(side=side, layout=layout, channels=Channels.GRAY if planes == 1 else None)


def check_side(path: Path, side: int | None) -> None:
    """Check that images of a side can be given.

    Raises:
        ModelError: they cannot.
    """
    if side is not None and not SMALLEST_SIDE <= side <= LARGEST_SIDE:
        raise ModelError(f"{path} takes images of side {side}; labeler gives {SMALLEST_SIDE} to {LARGEST_SIDE} pixels")


def last_operator(model: onnx.ModelProto, output: str) -> str:
    """Return the operator that an output comes from, without those that only change its form."""
    made = {name: node for node in model.graph.node for name in node.output}
    while output in made:
        node = made[output]
        if node.op_type not in _PASSED or not node.input:
            return str(node.op_type)
        output = node.input[0]
    return ""


def weights(model: onnx.ModelProto) -> str:
    """Return the kind of a network's weights: int8, float16 or float32."""
    integers = {
        "QLinearConv",
        "QLinearMatMul",
        "MatMulInteger",
        "ConvInteger",
        "DequantizeLinear",
        "DynamicQuantizeLSTM",
    }
    if any(node.op_type in integers for node in model.graph.node):
        return bundle.INT8
    sizes = {TensorProto.FLOAT: 0, TensorProto.FLOAT16: 0}
    for one in model.graph.initializer:
        if one.data_type in sizes:
            sizes[one.data_type] += len(one.raw_data)
    return "float16" if sizes[TensorProto.FLOAT16] > sizes[TensorProto.FLOAT] else "float32"


def _check_names(graph: onnx.GraphProto) -> None:
    """Check that all names are texts; protobuf gives those that are not UTF-8 as bytes, and raises nothing.

    Raises:
        ValueError: one is none.
    """
    names = [one.name for one in (*graph.input, *graph.output, *graph.initializer)]
    names += [name for node in graph.node for name in (node.op_type, *node.input, *node.output)]
    if not all(isinstance(name, str) for name in names):
        raise ValueError("a name in it is no text in UTF-8")


def _layout(network: Network, others: Sequence[Said], *, pytorch: bool) -> Layout:
    wanted = next((one.layout for one in others if one.layout), None)
    sure = [one for one in Layout if network.planes(one) in (1, 3)]
    possible = sure or [one for one in Layout if network.planes(one) is None]
    if wanted:
        if wanted in sure or network.planes(wanted) is None:
            return wanted
        raise ModelError(f"{network.path} takes {_dims(network)}, which is not {wanted}; leave --layout out")
    if pytorch and Layout.NCHW in possible:
        return Layout.NCHW
    if len(possible) == 1:
        return possible[0]
    if possible:
        raise ModelError(f"{network.path} takes {_dims(network)}: give --layout nhwc or nchw")
    raise ModelError(f"{network.path} takes {_dims(network)}; labeler gives images of 1 (gray) or 3 (RGB) channels")


def _check_agrees(path: Path, other: Said, side: int | None, planes: int | None) -> None:
    if side is not None and other.side not in (None, side):
        raise ModelError(
            f"{path} takes images of {side}x{side}, but its files (or --side) say {other.side}; correct them, or "
            "export it again"
        )
    said_planes = other.channels and (1 if other.channels is Channels.GRAY else 3)
    if planes is not None and said_planes not in (None, planes):
        raise ModelError(
            f"{path} takes images of {counted(planes, 'channel')}, but its files (or --channels) say {other.channels}; "
            "correct them"
        )
    for name, numbers in (("mean", other.mean), ("std", other.std)):
        if planes is not None and numbers is not None and len(numbers) not in (1, planes):
            raise ModelError(
                f"{path} takes images of {counted(planes, 'channel')}, but its {name} has {len(numbers)} numbers"
            )


def _batch(path: Path, batch: int | None) -> int | None:
    if batch is None or batch < 0:
        return None
    if not 1 <= batch <= LARGEST_BLOCK:
        raise ModelError(f"{path} takes {batch} images at once; labeler gives 1 to {LARGEST_BLOCK}: export it again")
    return batch


def _opset(path: Path, model: onnx.ModelProto) -> int:
    opset = max((one.version for one in model.opset_import if one.domain in {"", "ai.onnx"}), default=0)
    if opset < OLDEST_OPSET:
        raise ModelError(f"{path} is of ONNX opset {opset}; export it with opset {OLDEST_OPSET} or later")
    return opset


def _dims(network: Network) -> str:
    return "[" + ", ".join("?" if one is None else str(one) for one in (network.batch, *network.dims)) + "]"


def _shown(tensor: onnx.TypeProto.Tensor) -> str:
    dims = (one.dim_value if one.HasField("dim_value") else "?" for one in tensor.shape.dim)
    known = {number: name.lower() for name, number in TensorProto.DataType.items()}
    return f"{known.get(tensor.elem_type, 'unknown')} [{', '.join(map(str, dims))}]"
