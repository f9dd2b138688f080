"""Tables as Parquet: typed columns, written as a whole from rows. The only place that knows pyarrow."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

import pyarrow
import pyarrow.parquet

from labeler.records import SCHEMA_VERSION, Row
from labeler.records import columns as all_columns
from labeler.tables.cells import INTEGERS, STRINGS, cells, row_of, schema_of

ROWS_PER_GROUP = 1 << 16
"""Rows of one row group; what a conversion holds in memory."""

_ROWS_AT_ONCE = 1 << 10
"""Rows that are read at once: few bytes of a file can stand for many."""


def columns(path: Path) -> tuple[str, ...]:
    """Return the names of the columns; raise ValueError when it is no Parquet file."""
    with _readable():
        return tuple(pyarrow.parquet.read_schema(path).names)


def read(path: Path) -> Iterator[Row]:
    """Yield the rows; raise ValueError where one is damaged."""
    with _readable(), pyarrow.parquet.ParquetFile(path) as file:
        schema = schema_of(file.schema_arrow.names)
        for batch in file.iter_batches(_ROWS_AT_ONCE):
            for values in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                yield row_of(values, schema)


def write(path: Path, rows: Iterator[Row], class_names: Sequence[str], schema: int = SCHEMA_VERSION) -> None:
    """Write all rows, a row group at a time."""
    types = _types(class_names, schema)
    with pyarrow.parquet.ParquetWriter(path, types) as writer:
        while group := [cells(row, class_names, schema) for row in islice(rows, ROWS_PER_GROUP)]:
            writer.write_table(pyarrow.Table.from_pylist(group, types))


@contextmanager
def _readable() -> Iterator[None]:
    try:
        yield
    except (pyarrow.ArrowException, OSError) as exc:
        raise ValueError(exc) from exc


def _types(class_names: Sequence[str], schema: int) -> pyarrow.Schema:
    def kind(name: str) -> pyarrow.DataType:
        if name in STRINGS:
            return pyarrow.string()
        return pyarrow.int32() if name in INTEGERS else pyarrow.float64()

    fields = [(name, kind(name)) for name in all_columns(class_names, schema)]
    return pyarrow.schema(fields, metadata={"labeler_schema": str(schema)})
