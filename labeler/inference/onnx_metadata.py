"""Read the metadata of an ONNX file, and refuse external data, before ONNX Runtime loads the file.

Loading the network for this would cost the process that only hands out batches 0.1 s. The protobuf wire format
("Encoding" in the Protocol Buffers documentation): a message is a sequence of fields; a field is a key, made of the
field number and the wire type, and a value.
"""

from __future__ import annotations

import mmap
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from labeler.errors import ModelError, one_line

MAX_BYTES = 1 << 29
"""Upper limit on a model file: half a gigabyte is a hundred times what a network for 64x64 images needs."""

_MAX_METADATA = 1 << 24
"""Upper limit on all metadata together, in bytes: the names of 10,000 classes take 1% of it."""

_MAX_FIELDS = 10_000
"""Upper limit on the fields of a message, which bounds the time to parse a hostile file."""

MAX_GRAPH_FIELDS = 100_000
"""Upper limit on the fields of a graph: its nodes, weights and shapes, of which a large transformer has thousands."""

_GRAPH, _METADATA_PROPS, _KEY, _VALUE = 7, 14, 1, 2
"""Field numbers of ModelProto, and of StringStringEntryProto, in onnx.proto."""

_has_location = re.compile(rb"(?:\x0a|\x8a\x80*\x00)(?:\x08|\x88\x80*\x00)location").search
"""Finds the key that every tensor with external data has (onnx.proto, `TensorProto.external_data`): field 1, 8 bytes,
`location`. A search of all bytes, because tensors may be in graphs within graphs."""


def metadata(path: Path) -> dict[str, str]:
    """Return the metadata of an ONNX file.

    Raises:
        ModelError: it is not an ONNX file, is too large, or has external data.
    """
    found: dict[str, str] = {}
    size = 0
    with read(path) as content:
        for entry in (value for number, value in fields(content, without=_GRAPH) if number == _METADATA_PROPS):
            size += len(entry)
            if size > _MAX_METADATA:
                raise ValueError(f"it has more than {_MAX_METADATA:,} bytes of metadata")
            named = {number: value.decode() for number, value in fields(entry)}
            found[named[_KEY]] = named.get(_VALUE, "")
    return found


def check_self_contained(path: Path) -> None:
    """Check that the network has no external data: a model could name any file of this computer, and would read it.

    Raises:
        ModelError: it has external data, or it is too large.
    """
    with read(path):
        pass


def _refuse_other_files(content: mmap.mmap, path: Path) -> None:
    if content.find(b"location") >= 0 and _has_location(content):
        raise ModelError(
            f"{path} keeps a part of its network in other files (external data), which labeler does not open; "
            "save it as one file: onnx.save(onnx.load(FILE), FILE)"
        )


@contextmanager
def read(path: Path, *, is_checked: bool = False) -> Iterator[mmap.mmap]:
    """Yield the content of an ONNX file; of one that ``is_checked`` for external data, without searching all of it.

    Raises:
        ModelError: it is too large, has external data, or what the block raises says that it is not an ONNX file.
    """
    try:
        _refuse_huge(path.stat().st_size)
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            if not is_checked:
                _refuse_other_files(content, path)
            yield content
    except (OSError, ValueError, IndexError, KeyError) as exc:
        raise ModelError(f"{path} is not an ONNX model that can be loaded: {one_line(exc)}") from exc


def _refuse_huge(size: int) -> None:
    if size > MAX_BYTES:
        raise ValueError(f"it has {size:,} bytes; the limit is {MAX_BYTES:,}")


def fields(content: mmap.mmap | bytes, without: int = 0, most: int = _MAX_FIELDS) -> Iterator[tuple[int, bytes]]:
    """Yield number and content of each length-delimited field of a protobuf message; of field ``without`` no content.

    Raises:
        ValueError: it is not a protobuf message, or has too many fields.
        IndexError: it ends within a field.
    """
    at = 0
    for _ in range(most):
        if at >= len(content):
            return
        key, at = _varint(content, at)
        number, kind = key >> 3, key & 7
        if not 0 < number < 1 << 29:
            break
        if kind == 0:
            _, at = _varint(content, at)
        elif kind in (1, 5):
            at += 8 if kind == 1 else 4
        elif kind == 2:
            length, at = _varint(content, at)
            if at + length > len(content):
                raise ValueError("the file is cut short")
            yield number, content[at : at + length] if number != without else b""
            at += length
        else:
            break
    else:
        raise ValueError(f"it has more than {most:,} fields")
    raise ValueError("it is not a protobuf message")


def _varint(content: mmap.mmap | bytes, at: int) -> tuple[int, int]:
    """Decode the varint at an offset (7 bits a byte, little-endian); return it and the offset behind it."""
    number = shift = 0
    while shift < 64:
        byte = content[at]
        at += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number, at
        shift += 7
    raise ValueError("it is not a protobuf message")
