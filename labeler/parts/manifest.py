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
    sink = pyarrow.BufferOutputStream()
    with pyarrow.parquet.ParquetWriter(sink, _SCHEMA, compression="zstd") as writer:
        writer.write_batch(arrays.of_columns(columns, _SCHEMA))
    return bytes(sink.getvalue())


def names(content: bytes) -> list[str]:
    """Return the files of a manifest.

    Raises:
        ValueError: it is damaged.
    """
    try:
        with pyarrow.parquet.ParquetFile(pyarrow.BufferReader(content)) as file:
            found = file.read(["file", "kept"])
            files = list(map(unescape, found["file"].to_pylist()))
            if not any(len(chunk.flatten()) for chunk in found["kept"].chunks):
                return files
            kept = map(tuple, found["kept"].to_pylist())
            return [ListedName.of(name, values) for name, values in zip(files, kept, strict=True)]
    except (pyarrow.ArrowException, OSError, IndexError) as exc:
        raise ValueError(str(exc)) from exc
