"""Find a layer of a network in an ONNX file, and let the network return it, without the package `onnx`."""

from __future__ import annotations

from collections.abc import Sequence, Set
from pathlib import Path
from typing import NamedTuple

from labeler.inference.onnx_metadata import MAX_GRAPH_FIELDS, fields, read

PROBABILITIES, FACE = "probabilities", "face"
"""Names of a bundle's outputs: the probabilities of the classes, and the probability that there is a face at all."""

_DYNAMIC = b"DynamicQuantize"
"""How the operators begin that scale all images of a run by their largest number: `DynamicQuantizeLinear` of ONNX, and
`DynamicQuantizeMatMul` and `DynamicQuantizeLSTM` of ONNX Runtime."""

_SCALED = "DynamicQuantizeLinear"

_GRAPH, _NODE, _INPUT, _NODE_OUTPUT, _OP_TYPE, _OUTPUT, _NAME = 7, 1, 1, 2, 4, 12, 1
"""Field numbers in onnx.proto: ModelProto.graph; GraphProto.node; NodeProto.input, output and op_type;
GraphProto.output; ValueInfoProto.name."""


def of_classes(outputs: Sequence[str]) -> str:
    """Return which of a graph's outputs are the class probabilities: the one of that name, else the first."""
    return PROBABILITIES if PROBABILITIES in outputs else outputs[0]


def mixes_images(path: Path) -> bool:
    """Say whether the answer to an image depends on the others of its run: the network finds scales when it is run.

    The network must have no external data, which `session.load` checks.

    All bytes are searched, because nodes may be in graphs within graphs: 1 ms for 5 MB, 54 ms for 300 MB, of 900 ms to
    load them.

    Raises:
        ModelError: it cannot be read, or is too large.
    """
    with read(path, is_checked=True) as content:
        return content.find(_DYNAMIC) >= 0


class Taken(NamedTuple):
    """What a layer of a network is given: the name in the graph, and its operator; empty where there is none."""

    name: str
    operator: str
    is_output: bool = False
    """Whether the network returns it already."""


def last_input(path: Path, operators: Set[str]) -> Taken:
    """Return the first input of the last node with one of some operators on the way to the class probabilities.

    Where it is scaled to integers just before, by the largest number of a run, it is what they are made of.

    Raises:
        ModelError: it is not an ONNX file, is too large, or has external data.
    """
    nodes, outputs = _nodes(path)
    needed = {of_classes(outputs)} if outputs else set()
    for place in reversed(range(len(nodes))):  # ONNX demands a topological order.
        node = nodes[place]
        if needed.isdisjoint(node.outputs):
            continue
        if node.operator in operators and node.inputs:
            name = node.inputs[0]
            scaled = (one for one in nodes[:place] if name in one.outputs and one.operator == _SCALED)
            name = next((one.inputs[0] for one in scaled), name)
            return Taken(name, node.operator, name in outputs)
        needed.update(node.inputs)
    return Taken("", "")


def with_output(content: bytes, name: str) -> bytes:
    """Return a model that has one more output: a message that occurs again is merged into the first one."""
    value = _field(_NAME, name.encode())
    return content + _field(_GRAPH, _field(_OUTPUT, value))


class _Node(NamedTuple):
    inputs: list[str]
    outputs: list[str]
    operator: str


def _nodes(path: Path) -> tuple[list[_Node], list[str]]:
    """Return the nodes of a graph, and the names of its outputs."""
    nodes: list[_Node] = []
    outputs: list[str] = []
    with read(path) as content:
        for graph in (value for number, value in fields(content) if number == _GRAPH):
            for number, value in fields(graph, most=MAX_GRAPH_FIELDS):
                if number == _NODE:
                    nodes.append(_node(value))
                elif number == _OUTPUT:
                    outputs += [text for _, text in _texts(value, _NAME)]
    return nodes, outputs


def _node(message: bytes) -> _Node:
    texts = _texts(message, _INPUT, _NODE_OUTPUT, _OP_TYPE)
    inputs, outputs, operators = (
        [text for number, text in texts if number == wanted] for wanted in (_INPUT, _NODE_OUTPUT, _OP_TYPE)
    )
    return _Node(inputs, outputs, next(iter(operators), ""))


def _texts(message: bytes, *numbers: int) -> list[tuple[int, str]]:
    return [(number, value.decode()) for number, value in fields(message) if number in numbers]


def _field(number: int, value: bytes) -> bytes:
    """Encode a length-delimited field."""
    return bytes([number << 3 | 2]) + _varint(len(value)) + value


def _varint(number: int) -> bytes:
    found = bytearray()
    while number > 0x7F:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*found, number])
