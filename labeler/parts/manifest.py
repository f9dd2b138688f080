"""The manifest of a unit: its files in order, as Parquet."""

from __future__ import annotations

from typing import Any

import pyarrow
import pyarrow.parquet

from labeler.records import ListedName
from labeler.storage.store import Listed
from labeler.tables import arrays
from labeler.tables.cells import escape, unescape

_SCHEMA = pyarrow.schema(
    [
        ("file", pyarrow.string()),
        ("size", pyarrow.int64()),
        ("version", pyarrow.string()),
        ("kept", pyarrow.list_(pyarrow.string())),
    ]
)


def encode(files: Listed) -> bytes:
    """Return the content of a manifest, with what a list says of each file; file names are escaped as in tables."""
    kept = [list(name.kept) if isinstance(name, ListedName) else [] for name in files.names]
    columns: tuple[list[Any], ...] = (list(map(escape, files.names)), files.sizes, files.versions, kept)
    made = [arrays.array(values, field.type) for values, field in zip(columns, _SCHEMA, strict=True)]
    sink = pyarrow.BufferOutputStream()
    with pyarrow.parquet.ParquetWriter(sink, _SCHEMA, compression="zstd") as writer:
        writer.write_table(pyarrow.Table.from_arrays(made, schema=_SCHEMA))
    return bytes(sink.getvalue())


def names(content: bytes) -> list[str]:
    """Return the files of a manifest.

    Raises:
        ValueError: it is damaged.
    """
    try:
        with pyarrow.parquet.ParquetFile(pyarrow.BufferReader(content)) as file:
            found = file.read(["file", "kept"])
            values = zip(*(found[name].to_pylist() for name in ("file", "kept")), strict=True)
            return [ListedName.of(unescape(name), tuple(kept)) if kept else unescape(name) for name, kept in values]
    except (pyarrow.ArrowException, OSError, IndexError) as exc:
        raise ValueError(str(exc)) from exc
