"""Tables as Parquet: typed columns, in row groups."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow
import pyarrow.parquet

from labeler.errors import one_line
from labeler.records import Row
from labeler.records import columns as all_columns
from labeler.tables.cells import INTEGERS, STRINGS, cells, row_of, schema_of, unescape
from labeler.tables.run_record import RunRecord

if TYPE_CHECKING:
    import pandas

ROWS_PER_GROUP = 1 << 16
"""Rows of one row group; what a conversion holds in memory."""

_ROWS_AT_ONCE = 1 << 10
"""Rows that are read at once: few bytes of a file can stand for many."""


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
            for batch in file.iter_batches(_ROWS_AT_ONCE):
                for values in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                    yield row_of(values, schema)

    def files(self, path: Path) -> Iterator[str]:
        """Yield the values of the first column; no other is read."""
        with suppress(ValueError), _readable(), pyarrow.parquet.ParquetFile(path) as file:
            for batch in file.iter_batches(columns=["file"]):
                yield from map(unescape, batch.column(0).to_pylist())

    def write(self, path: Path, rows: Iterable[Row], record: RunRecord) -> None:
        """Write a table, a row group at a time."""
        remaining = iter(rows)
        types = _types(record.class_names, record.schema_version)
        with pyarrow.parquet.ParquetWriter(path, types) as writer:
            while some := list(islice(remaining, ROWS_PER_GROUP)):
                group = [cells(row, record.class_names, record.schema_version) for row in some]
                writer.write_table(pyarrow.Table.from_pylist(group, types))

    def frame(self, path: Path, types: Mapping[str, str]) -> pandas.DataFrame:  # noqa: ARG002 - the file has types
        """Return the values."""
        import pandas  # Deferred: it takes 0.8 s, and `classify` does without.

        return pandas.read_parquet(path)


@contextmanager
def _readable() -> Iterator[None]:
    try:
        yield
    except (pyarrow.ArrowException, OSError) as exc:
        raise ValueError(f"({one_line(exc)})") from exc


def _types(class_names: Sequence[str], schema: int) -> pyarrow.Schema:
    def kind(name: str) -> pyarrow.DataType:
        if name in STRINGS:
            return pyarrow.string()
        return pyarrow.int32() if name in INTEGERS else pyarrow.float64()

    fields = [(name, kind(name)) for name in all_columns(class_names, schema)]
    return pyarrow.schema(fields, metadata={"labeler_schema": str(schema)})
