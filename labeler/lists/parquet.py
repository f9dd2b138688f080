"""Lists that are Parquet files: a row group's two or three columns at a time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow
import pyarrow.parquet

from labeler.errors import LabelerError, one_line
from labeler.lists.column import column_of
from labeler.lists.entry import DamagedError, Entry, Wanted
from labeler.tables.cells import layout_of, unescape

_ROWS_AT_ONCE = 1 << 12


def entries(path: Path, wanted: Wanted) -> Iterator[Entry]:
    """Yield each row; values that are no text are written as Arrow writes them.

    Raises:
        LabelerError: a column is missing, or holds no plain values.
        DamagedError: the file cannot be read.
    """
    number = 0
    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            columns = file.schema_arrow.names
            own = column_of(columns, wanted)
            ours = _is_ours(columns)
            read = list(dict.fromkeys((own, *wanted.keep)))
            for batch in file.iter_batches(_ROWS_AT_ONCE, columns=read):
                texts = {name: _texts(batch.column(name), name, wanted) for name in read}
                for values in zip(texts[own], *(texts[name] for name in wanted.keep), strict=True):
                    number += 1
                    name, *kept = (value or "" for value in values)
                    yield Entry(number, unescape(name) if ours else name, tuple(kept))
    except (pyarrow.ArrowException, OSError, UnicodeDecodeError) as exc:
        raise DamagedError(number + 1 if number else 0, one_line(exc)) from exc


def _texts(column: pyarrow.Array, name: str, wanted: Wanted) -> list[str | None]:
    kind = column.type.value_type if pyarrow.types.is_dictionary(column.type) else column.type
    if pyarrow.types.is_nested(kind) or pyarrow.types.is_binary(kind) or pyarrow.types.is_large_binary(kind):
        raise LabelerError(f"the column {name!r} of {wanted.shown} holds {kind}, and not names or plain values")
    found: list[str | None] = column.cast(pyarrow.string()).to_pylist()
    return found


def _is_ours(columns: list[str]) -> bool:
    try:
        layout_of(columns)
    except ValueError:
        return False
    return True
