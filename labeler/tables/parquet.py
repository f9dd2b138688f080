"""Tables as Parquet: typed columns, in row groups."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow
import pyarrow.parquet

from labeler.errors import one_line
from labeler.records import Row, columns, top_columns
from labeler.tables import arrays
from labeler.tables.cells import INTEGERS, by_column, layout_of, row_of, unescape
from labeler.tables.run_record import RunRecord

if TYPE_CHECKING:
    import pandas

ROWS_PER_GROUP = 1 << 16
"""Rows of one row group: what a conversion holds in memory, as Arrow does, some 150 bytes a row."""

_ROWS_PER_BATCH = 1 << 12
"""Rows that are converted at once: as Python objects they take ten times as much."""
_BATCHES_PER_GROUP = ROWS_PER_GROUP // _ROWS_PER_BATCH
_COLUMNS_OF_BATCHES = _BATCHES_PER_GROUP * 64
"""Upper limit on the columns of all batches of a row group, 34 MB: of many classes, a group has fewer rows."""

_ROWS_READ_AT_ONCE = 1 << 10
"""Few bytes of a file can stand for many rows."""

_NEVER_EMPTY = ("label", "version", "reason")
"""Columns in which an empty text means that there is none."""

_REPEATED = ("label", "status")
"""Columns of few values: Arrow keeps each of these once. Parquet would try the same with numbers, to no avail."""


_MAGIC = b"PAR1"
_SAID = "labeler_part"


class Parquet:
    """One file of row groups. It cannot grow: an unfinished table is JSON Lines."""

    appendable = None

    def columns(self, path: Path) -> tuple[str, ...]:
        """Return the names of the columns."""
        with _readable():
            return tuple(pyarrow.parquet.read_schema(path).names)

    def read(self, path: Path | pyarrow.NativeFile) -> Iterator[Row]:
        """Yield all rows; raise ValueError where one is damaged."""
        with _readable(), pyarrow.parquet.ParquetFile(path) as file:
            layout = layout_of(file.schema_arrow.names)
            for batch in file.iter_batches(_ROWS_READ_AT_ONCE):
                for values in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                    yield row_of(values, layout.schema, len(layout.keep), layout.top)

    def files(self, path: Path) -> Iterator[str]:
        """Yield the values of the first column; no other is read."""
        with suppress(ValueError), _readable(), pyarrow.parquet.ParquetFile(path) as file:
            for batch in file.iter_batches(columns=["file"]):
                yield from map(unescape, batch.column(0).to_pylist())

    def write(self, path: Path, rows: Iterable[Row], record: RunRecord) -> None:
        """Write a table, a row group at a time, and the run record into its metadata."""
        _write(path, rows, record, {})

    def frame(self, path: Path, types: Mapping[str, str]) -> pandas.DataFrame:
        """Return the values; a text that is absent is empty, as in a `Row`."""
        import pandas  # Deferred: it takes 0.8 s, and `classify` does without.

        texts = {name: "" for name, kind in types.items() if kind == "str"}
        return pandas.read_parquet(path).astype(dict.fromkeys(texts, object)).fillna(texts)


def part(rows: Iterable[Row], record: RunRecord, said: str) -> bytes:
    """Return a table with a text in its footer beside the run record, see `said`."""
    sink = pyarrow.BufferOutputStream()
    _write(sink, rows, record, {_SAID: said})
    return bytes(sink.getvalue())


def rows_of(content: bytes) -> Iterator[Row]:
    """Yield the rows of a table in memory; raise ValueError where one is damaged."""
    return Parquet().read(pyarrow.BufferReader(content))


def footer_bytes(end: bytes) -> int:
    """Return how many bytes at the end of a file hold its footer, from the last few of them.

    Raises:
        ValueError: it is no Parquet file.
    """
    if end[-4:] != _MAGIC:
        raise ValueError("it is no Parquet file")
    return int.from_bytes(end[-8:-4], "little") + 8


def said(end: bytes) -> str:
    """Return the text in the footer of a `part`, from the bytes at its end.

    Raises:
        ValueError: it is no such part.
    """
    with _readable():
        metadata = pyarrow.parquet.read_metadata(pyarrow.BufferReader(_MAGIC + end[-footer_bytes(end) :])).metadata
    if not metadata or _SAID.encode() not in metadata:
        raise ValueError("it is no part of a directory")
    return str(metadata[_SAID.encode()], "utf-8")


def _write(target: Any, rows: Iterable[Row], record: RunRecord, said: Mapping[str, str]) -> None:
    schema = _schema(record)
    schema = schema.with_metadata({**schema.metadata, **said})
    batches = _batches(iter(rows), record, schema)
    repeated = [*_REPEATED, "reason", *top_columns(record.top)[::2], *record.keep]
    with pyarrow.parquet.ParquetWriter(target, schema, use_dictionary=repeated) as writer:
        at_once = max(1, min(_BATCHES_PER_GROUP, _COLUMNS_OF_BATCHES // len(schema.names)))
        while group := list(islice(batches, at_once)):
            writer.write_table(pyarrow.Table.from_batches(group, schema), ROWS_PER_GROUP)


@contextmanager
def _readable() -> Iterator[None]:
    try:
        yield
    except (pyarrow.ArrowException, OSError) as exc:
        raise ValueError(one_line(exc)) from exc


def _batches(rows: Iterator[Row], record: RunRecord, schema: pyarrow.Schema) -> Iterator[pyarrow.RecordBatch]:
    never_empty = (*_NEVER_EMPTY, *top_columns(record.top)[::2], *record.keep)
    while some := list(islice(rows, _ROWS_PER_BATCH)):
        found = by_column(some, *record.layout)
        for place, name in enumerate(schema.names):
            if name in never_empty:
                found[place] = [value or None for value in found[place]]
        yield arrays.of_columns(found, schema)


def _schema(record: RunRecord) -> pyarrow.Schema:
    """Return the types of the columns and the metadata: the version of the schema, and how the table was made."""
    texts = record.layout.texts
    kinds = [(name, _type(name, texts)) for name in columns(*record.layout)]
    metadata = {"labeler_schema": str(record.schema_version), "labeler_run": json.dumps(asdict(record))}
    return pyarrow.schema(kinds, metadata=metadata)


def _type(name: str, texts: Collection[str]) -> pyarrow.DataType:
    if name in _REPEATED:
        return pyarrow.dictionary(pyarrow.int32(), pyarrow.string())
    if name in texts:
        return pyarrow.string()
    return pyarrow.int32() if name in INTEGERS else pyarrow.float64()
