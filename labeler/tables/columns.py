"""Read the columns of a table in batches, by pyarrow: 1 s for a million rows of CSV, where rows one by one take 7 s."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import count, islice
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.compute
import pyarrow.csv
import pyarrow.parquet

from labeler.executors.threads import one_ahead
from labeler.records import columns, top_columns
from labeler.tables import arrays, parts, reader
from labeler.tables.cells import INTEGERS, Layout, cells, inert
from labeler.tables.comma_separated import Dialect
from labeler.tables.text import LONGEST_RECORD

_BLOCK_BYTES = 1 << 20
"""Bytes of CSV that are parsed at once; some blocks are read ahead: larger ones cost memory and gain no time."""

_ROWS_AT_ONCE = 1 << 14
_LEFT_OUT = ("face_score",)
_REPEATED = ("label", "status")
_MOST_FURTHER = 4
"""Columns of the most probable classes that are read: two of them, each with its probability."""


class UnusualError(ValueError):
    """A table that pyarrow reads differently from `tables.reader`, or not at all; it may be damaged."""


def most_rows(table: Path) -> int:
    """Return an upper limit on the rows of a table: in text each takes a separator a column."""
    if parts.is_directory(table):
        return sum(map(most_rows, parts.files(table)))
    if table.suffix.lower() == ".parquet":
        with pyarrow.parquet.ParquetFile(table) as file:
            return int(file.metadata.num_rows)
    return table.stat().st_size // len(reader.columns(table)) + 1


def fast(table: Path) -> Iterator[pyarrow.RecordBatch]:
    """Yield batches of a table's columns by name; text is as in the table, file names still escaped.

    Raises:
        UnusualError: the format has no fast reader, or the file is empty or does not read as a table; use `slow`.
    """
    layout = reader.layout(table)
    names = _read_columns(layout)
    suffix = "/" if parts.is_directory(table) else table.suffix.lower()
    make = {".csv": _csv, ".parquet": _parquet, "/": _parts}.get(suffix)
    if not make:
        raise UnusualError("no format of columns")
    read = 0
    try:
        for batch in one_ahead(make(table, names, layout)):
            read += len(batch)
            yield batch
    except (pyarrow.ArrowException, OSError, UnicodeDecodeError) as exc:
        raise UnusualError(str(exc)) from exc
    if not read:
        raise UnusualError("no rows")


def slow(table: Path) -> Iterator[pyarrow.RecordBatch]:
    """Yield the same batches of a table of any format, from its rows; at least one.

    Raises:
        LabelerError: it is no table of ours, or damaged.
    """
    layout = reader.layout(table)
    kinds = pyarrow.schema([(name, _type(name, layout)) for name in _read_columns(layout)])
    rows = reader.read(table)
    for first in count():
        found = [cells(row, *layout._replace(keep=())) for row in islice(rows, _ROWS_AT_ONCE)]
        if first and not found:
            return
        yield arrays.batch(found, kinds)


def _read_columns(layout: Layout) -> list[str]:
    """Return the columns of a table that somebody asks for: none that was carried over from a list."""
    left_out = {*_LEFT_OUT, *top_columns(layout.top)[_MOST_FURTHER:]}
    return [name for name in columns(*layout._replace(keep=())) if name not in left_out]


def _type(name: str, layout: Layout) -> pyarrow.DataType:
    if name in _REPEATED or name in top_columns(layout.top)[::2]:
        return pyarrow.dictionary(pyarrow.int32(), pyarrow.string())
    if name in layout.texts:
        return pyarrow.string()
    return pyarrow.int32() if name in INTEGERS else pyarrow.float32()


def _csv(table: Path, names: list[str], layout: Layout) -> Iterator[pyarrow.RecordBatch]:
    """Yield batches of a CSV file; no cell is null but an empty number."""
    with table.open("rb") as stream:
        dialect = Dialect.of(stream.readline(LONGEST_RECORD))
        stream.seek(-1, os.SEEK_END)
        if stream.read(1) != b"\n":
            raise UnusualError("its last line has no end")
    inside = {inert(name): name for name in names}
    options: dict[str, Any] = {
        "read_options": pyarrow.csv.ReadOptions(block_size=_BLOCK_BYTES),
        "parse_options": pyarrow.csv.ParseOptions(delimiter=dialect.delimiter, newlines_in_values=True),
        "convert_options": pyarrow.csv.ConvertOptions(
            column_types={shown: _type(name, layout) for shown, name in inside.items()},
            include_columns=list(inside),
            null_values=[""],
            strings_can_be_null=False,
            decimal_point="." if dialect.decimal_point else ",",
        ),
    }
    with pyarrow.csv.open_csv(table, **options) as batches:
        for batch in batches:
            if len(batch):
                yield pyarrow.RecordBatch.from_arrays([_alive(column) for column in batch.columns], names)


def _alive(column: pyarrow.Array) -> pyarrow.Array:
    """Return the texts that `cells.inert` made these of."""
    if pyarrow.types.is_dictionary(column.type):
        return pyarrow.DictionaryArray.from_arrays(column.indices, _alive(column.dictionary))
    if pyarrow.types.is_string(column.type) and pyarrow.compute.any(pyarrow.compute.starts_with(column, "'")).as_py():
        return pyarrow.compute.replace_substring_regex(column, "^'", "")
    return column


def _parquet(table: Path, names: list[str], layout: Layout) -> Iterator[pyarrow.RecordBatch]:
    # Read ahead and in threads it takes 50 MB more, and hardly less time.
    with pyarrow.parquet.ParquetFile(table, pre_buffer=False) as file:
        for batch in file.iter_batches(_ROWS_AT_ONCE, columns=names, use_threads=False):
            found = [_as(batch.column(name), _type(name, layout)) for name in names]
            yield pyarrow.RecordBatch.from_arrays(found, names)


def _parts(table: Path, names: list[str], layout: Layout) -> Iterator[pyarrow.RecordBatch]:
    for one in parts.files(table):
        yield from _parquet(one, names, layout)


def _as(column: pyarrow.Array, kind: pyarrow.DataType) -> pyarrow.Array:
    if pyarrow.types.is_dictionary(kind):
        return column if pyarrow.types.is_dictionary(column.type) else column.cast(pyarrow.string()).dictionary_encode()
    return column if column.type == kind else column.cast(kind, safe=not pyarrow.types.is_floating(kind))
