"""Tables as Parquet: typed columns, in row groups."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow
import pyarrow.parquet

from labeler.errors import one_line
from labeler.records import Row, columns
from labeler.tables import arrays
from labeler.tables.cells import INTEGERS, STRINGS, cells, row_of, schema_of, unescape
from labeler.tables.run_record import RunRecord

if TYPE_CHECKING:
    import pandas

ROWS_PER_GROUP = 1 << 16
"""Rows of one row group: what a conversion holds in memory, as Arrow does, some 150 bytes a row."""

_ROWS_PER_BATCH = 1 << 12
"""Rows that are converted at once: as Python objects they take ten times as much."""
_BATCHES_PER_GROUP = ROWS_PER_GROUP // _ROWS_PER_BATCH

_ROWS_READ_AT_ONCE = 1 << 10
"""Few bytes of a file can stand for many rows."""

_NEVER_EMPTY = ("label", "version", "reason")
"""Columns in which an empty text means that there is none."""

_REPEATED = ("label", "status")
"""Columns of few values: Arrow keeps each of these once."""


class Parquet:
    """One file of row groups. It cannot grow: an unfinished table is JSON Lines."""

    appendable = None

    def columns(self, path: Path) -> tuple[str, ...]:
        """Return the names of the columns."""
        with _readable():
            return tuple(pyarrow.parquet.read_schema(path).names)

    def read(self, path: Path) -> Iterator[Row]:
        """Yield all rows; raise ValueError where one is damaged."""
        with _readable(), pyarrow.parquet.ParquetFile(path) as file:
            schema = schema_of(file.schema_arrow.names)
            for batch in file.iter_batches(_ROWS_READ_AT_ONCE):
                for values in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                    yield row_of(values, schema)

    def files(self, path: Path) -> Iterator[str]:
        """Yield the values of the first column; no other is read."""
        with suppress(ValueError), _readable(), pyarrow.parquet.ParquetFile(path) as file:
            for batch in file.iter_batches(columns=["file"]):
                yield from map(unescape, batch.column(0).to_pylist())

    def write(self, path: Path, rows: Iterable[Row], record: RunRecord) -> None:
        """Write a table, a row group at a time, and the run record into its metadata."""
        schema = _schema(record)
        batches = _batches(iter(rows), record, schema)
        with pyarrow.parquet.ParquetWriter(path, schema) as writer:
            while group := list(islice(batches, _BATCHES_PER_GROUP)):
                writer.write_table(pyarrow.Table.from_batches(group, schema), ROWS_PER_GROUP)

    def frame(self, path: Path, types: Mapping[str, str]) -> pandas.DataFrame:
        """Return the values; a text that is absent is empty, as in a `Row`."""
        import pandas  # Deferred: it takes 0.8 s, and `classify` does without.

        texts = {name: "" for name, kind in types.items() if kind == "str"}
        return pandas.read_parquet(path).astype(dict.fromkeys(texts, object)).fillna(texts)


@contextmanager
def _readable() -> Iterator[None]:
    try:
        yield
    except (pyarrow.ArrowException, OSError) as exc:
        raise ValueError(one_line(exc)) from exc


def _batches(rows: Iterator[Row], record: RunRecord, schema: pyarrow.Schema) -> Iterator[pyarrow.RecordBatch]:
    while some := list(islice(rows, _ROWS_PER_BATCH)):
        found = [cells(row, record.class_names, record.schema_version) for row in some]
        for values in found:
            values.update({name: None for name in _NEVER_EMPTY if values.get(name) == ""})
        yield arrays.batch(found, schema)


def _schema(record: RunRecord) -> pyarrow.Schema:
    """Return the types of the columns and the metadata: the version of the schema, and how the table was made."""
    names = columns(record.class_names, record.schema_version)
    metadata = {"labeler_schema": str(record.schema_version), "labeler_run": json.dumps(asdict(record))}
    return pyarrow.schema([(name, _type(name)) for name in names], metadata=metadata)


def _type(name: str) -> pyarrow.DataType:
    if name in _REPEATED:
        return pyarrow.dictionary(pyarrow.int32(), pyarrow.string())
    if name in STRINGS:
        return pyarrow.string()
    return pyarrow.int32() if name in INTEGERS else pyarrow.float64()
