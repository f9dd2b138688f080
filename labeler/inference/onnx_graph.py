"""Find a layer of a network in an ONNX file, and let the network return it, without the package `onnx`."""

from __future__ import annotations

from collections.abc import Set
from pathlib import Path

from labeler.inference.onnx_metadata import fields, read

_GRAPH, _NODE, _INPUT, _OP_TYPE, _OUTPUT, _NAME = 7, 1, 1, 4, 12, 1
"""Field numbers in onnx.proto: ModelProto.graph; GraphProto.node; NodeProto.input and op_type; GraphProto.output;
ValueInfoProto.name."""


def last_input(path: Path, operators: Set[str]) -> str:
    """Return the name of the first input of the last node with one of some operators; empty where there is none.

    Raises:
        ModelError: it is not an ONNX file, is too large, or has external data.
    """
    found = ""
    with read(path) as content:
        for graph in (value for number, value in fields(content) if number == _GRAPH):
            for node in (value for number, value in fields(graph) if number == _NODE):
                texts = [(number, value.decode()) for number, value in fields(node) if number in (_INPUT, _OP_TYPE)]
                if operators & {text for number, text in texts if number == _OP_TYPE}:
                    found = next((text for number, text in texts if number == _INPUT), "")
    return found


def with_output(content: bytes, name: str) -> bytes:
    """Return a model that has one more output: a message that occurs again is merged into the first one."""
    value = _field(_NAME, name.encode())
    return content + _field(_GRAPH, _field(_OUTPUT, value))


def _field(number: int, value: bytes) -> bytes:
    """Encode a length-delimited field."""
    return bytes([number << 3 | 2]) + _varint(len(value)) + value


def _varint(number: int) -> bytes:
    found = bytearray()
    while number > 0x7F:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*found, number])
