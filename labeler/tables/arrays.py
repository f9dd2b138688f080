"""Convert columns to Arrow and back in memory, without pyarrow's own conversions.

`pyarrow.array`, `scalar`, `to_numpy`, `from_pylist` and others look for pandas first, to tell a Series from a list:
that takes 0.8 s and 40 MB, and swallows a Ctrl-C that comes meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from operator import itemgetter
from typing import Any

import numpy as np
import pyarrow
from numpy.typing import NDArray

_ENDS: dict[int, type[np.signedinteger[Any]]] = {
    pyarrow.string().id: np.int32,
    pyarrow.binary().id: np.int32,
    pyarrow.large_string().id: np.int64,
}
"""Kinds of text and bytes, and the numbers that say where one ends."""


def numbers(column: pyarrow.Array, absent: float) -> NDArray[Any]:
    """Return numbers, ``absent`` for nulls."""
    kind = _kind(column.type)
    is_valid, content = column.buffers()
    if not len(column):
        return np.zeros(0, kind)
    found = np.frombuffer(content, kind, len(column), column.offset * kind.itemsize)
    if not column.null_count:
        return found
    bits = np.unpackbits(np.frombuffer(is_valid, np.uint8), count=column.offset + len(column), bitorder="little")
    return np.where(bits[column.offset :], found, kind.type(absent))


def ends(column: pyarrow.Array) -> NDArray[Any]:
    """Return where in its content the first text of a column begins, and each one ends."""
    kind = np.dtype(_ENDS[column.type.id])
    if not len(column):
        return np.zeros(1, kind)
    return np.frombuffer(column.buffers()[1], kind, len(column) + 1, column.offset * kind.itemsize)


def array(values: Sequence[Any], kind: pyarrow.DataType) -> pyarrow.Array:
    """Return texts, bytes, numbers or truths, None as null; texts each kept once (a dictionary); lists, structs.

    Raises:
        ValueError: a value is of another kind.
        OverflowError: a number, or all texts together, are too large for it.
    """
    if pyarrow.types.is_dictionary(kind):
        return array(values, kind.value_type).dictionary_encode()
    if pyarrow.types.is_list(kind):
        places = array(np.cumsum([0, *map(len, values)]).tolist(), pyarrow.int32())
        return pyarrow.ListArray.from_arrays(places, array(list(chain.from_iterable(values)), kind.value_type), kind)
    if pyarrow.types.is_struct(kind):
        return pyarrow.StructArray.from_arrays(_arrays(_columns(values, kind), kind), fields=list(kind))
    bits = None
    if None in values:
        bits = _bits([value is not None for value in values])
        empty: object = (b"" if pyarrow.types.is_binary(kind) else "") if kind.id in _ENDS else 0
        values = [empty if value is None else value for value in values]
    return pyarrow.Array.from_buffers(kind, len(values), [bits, *map(pyarrow.py_buffer, _content(values, kind))])


def batch(rows: Sequence[Mapping[str, Any]], schema: pyarrow.Schema) -> pyarrow.RecordBatch:
    """Return rows, each of which has a value or None for every column, as columns."""
    return of_columns(_columns(rows, schema), schema)


def of_columns(columns: Sequence[Sequence[Any]], schema: pyarrow.Schema) -> pyarrow.RecordBatch:
    """Return columns of values as such, in the order of the schema."""
    return pyarrow.RecordBatch.from_arrays(_arrays(columns, schema), schema=schema)


def _columns(rows: Sequence[Any], fields: Iterable[pyarrow.Field]) -> list[list[Any]]:
    return [list(map(itemgetter(field.name), rows)) for field in fields]


def _arrays(columns: Sequence[Sequence[Any]], fields: Iterable[pyarrow.Field]) -> list[pyarrow.Array]:
    return [array(values, field.type) for values, field in zip(columns, fields, strict=True)]


def _kind(kind: pyarrow.DataType) -> np.dtype[Any]:
    return np.dtype({"float": "float32", "double": "float64"}.get(str(kind), str(kind)))


def _bits(truths: Sequence[Any]) -> pyarrow.Buffer:
    return pyarrow.py_buffer(np.packbits(np.array(truths, np.bool_), bitorder="little"))


def _content(values: Sequence[Any], kind: pyarrow.DataType) -> list[Any]:
    if pyarrow.types.is_boolean(kind):
        return [_bits(values)]
    if kind.id not in _ENDS:
        return [np.array(values, _kind(kind))]
    encoded = values if pyarrow.types.is_binary(kind) else [value.encode() for value in values]
    places = np.cumsum([0, *map(len, encoded)], dtype=np.int64)
    if places[-1] > np.iinfo(_ENDS[kind.id]).max:
        raise OverflowError("too much text for one column")
    return [places.astype(_ENDS[kind.id]), b"".join(encoded)]
