"""Tables as Parquet: typed columns, written as a whole from rows. The only place that knows pyarrow."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

import pyarrow
import pyarrow.parquet

from labeler.formats import STRINGS, cells, row_of
from labeler.records import SCHEMA_VERSION, Row
from labeler.records import columns as all_columns

ROWS_PER_GROUP = 1 << 16
"""Rows of one row group; what a conversion holds in memory."""


def columns(path: Path) -> tuple[str, ...]:
    """Return the names of the columns; raise ValueError when it is no Parquet file."""
    try:
        return tuple(pyarrow.parquet.read_schema(path).names)
    except pyarrow.ArrowException as exc:
        raise ValueError(exc) from exc


def read(path: Path) -> Iterator[Row]:
    """Yield the rows."""
    with pyarrow.parquet.ParquetFile(path) as file:
        for batch in file.iter_batches(ROWS_PER_GROUP):
            yield from map(row_of, batch.to_pylist())


def write(path: Path, rows: Iterator[Row], class_names: Sequence[str]) -> None:
    """Write all rows, a row group at a time."""
    schema = _schema(class_names)
    with pyarrow.parquet.ParquetWriter(path, schema) as writer:
        while group := [cells(row, class_names) for row in islice(rows, ROWS_PER_GROUP)]:
            writer.write_table(pyarrow.Table.from_pylist(group, schema))


def _schema(class_names: Sequence[str]) -> pyarrow.Schema:
    def kind(name: str) -> pyarrow.DataType:
        if name in STRINGS:
            return pyarrow.string()
        return pyarrow.int32() if name == "face" else pyarrow.float64()

    fields = [(name, kind(name)) for name in all_columns(class_names)]
    return pyarrow.schema(fields, metadata={"labeler_schema": str(SCHEMA_VERSION)})
