"""Parquet files that hold images as bytes: a struct ``{bytes, path}``, as `datasets` writes it, or a binary column."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import NamedTuple

import pyarrow as pa
from pyarrow import parquet

from labeler.member import Member, NoShardError, Shard
from labeler.storage.ranges import CHANGED
from labeler.storage.store import Content, FileError, Part, Store

COLUMNS = frozenset("image img jpg jpeg png webp bytes image_bytes photo picture".split())
"""Names, in lower case, of a binary column that is taken for images."""

_BUFFER = 1 << 22
"""Bytes of a row group that are read at a time: a whole one may have more than fits in memory."""

_ROWS = 32
"""Rows that are decoded at a time."""

_DIGITS = 6


class Rows:
    """The images of one file, best read in its order: each row group is decoded from its beginning to the row."""

    def __init__(self, store: Store, shard: Shard) -> None:
        self.shard = shard
        file = _opened(store, shard.name)
        if file.version != shard.version:
            raise FileError(CHANGED, file.version)
        self._file = file.parquet
        self._column = _image(self._file.schema_arrow)
        self._group = -1
        self._batches: Iterator[pa.RecordBatch] = iter(())
        self._batch: pa.Array = pa.nulls(0)
        self._first = 0
        """The number in its group of the batch's first row."""

    def read(self, group: int, row: int, limit: int) -> Content:
        """Return the image in a row of a row group.

        Raises:
            FileError: it cannot be read, or has more than ``limit`` bytes.
        """
        try:
            found = self._value(group, row)
        except FileError:
            raise
        except (OSError, pa.ArrowException) as exc:
            self._group = -1
            raise FileError(f"the shard is damaged: {exc}", self.shard.version) from exc
        if not found.is_valid:
            raise FileError("the row holds no image", self.shard.version)
        if (size := len(found.as_buffer())) > limit:
            raise FileError(f"{size:,} bytes; the limit is {limit:,}", self.shard.version, size)
        return Content(found.as_py(), self.shard.version)

    def _value(self, group: int, row: int) -> pa.Scalar:
        if group != self._group or row < self._first:
            self._batches = self._file.iter_batches(_ROWS, row_groups=[group], columns=[self._column.leaf])
            self._group, self._first, self._batch = group, 0, pa.nulls(0)
        while row >= self._first + len(self._batch):
            self._first += len(self._batch)
            column = next(self._batches).column(0)
            self._batch = column.flatten()[0] if self._column.path else column
        return self._batch[row - self._first]


class _Column(NamedTuple):
    """Where the images are."""

    leaf: str
    """The column of bytes; with a dot within a struct."""
    path: str
    """The column of file names; empty where there is none."""


def members(store: Store, name: str) -> Iterator[Member]:
    """Return the rows of a file, named by number and file name: ``000123-name.jpg``, or ``000123.jpg`` without one.

    So their order is that of the file, which can be read from its beginning to its end, and no name is there twice.

    Raises:
        FileError: it cannot be read.
        NoShardError: it holds no images.
    """
    file = _opened(store, name)
    return _rows(file.parquet, _image(file.parquet.schema_arrow), Shard(name, file.version))


def _rows(file: parquet.ParquetFile, column: _Column, shard: Shard) -> Iterator[Member]:
    digits = max(_DIGITS, len(str(file.metadata.num_rows)))
    number = 0
    for group in range(file.metadata.num_row_groups):
        paths = _paths(file, column, group) if column.path else iter(())
        for row in range(file.metadata.row_group(group).num_rows):
            own = (next(paths, None) or "").replace("\0", "").replace("\\", "/").rpartition("/")[2]
            ending = f"-{own}" if own else ".jpg"
            yield Member(f"{shard.name}/{number:0{digits}}{ending}", shard, (group, row), block=group)
            number += 1


def _paths(file: parquet.ParquetFile, column: _Column, group: int) -> Iterator[str | None]:
    try:
        for batch in file.iter_batches(1 << 12, row_groups=[group], columns=[column.path]):
            yield from batch.column(0).flatten()[0].to_pylist()
    except (OSError, pa.ArrowException, UnicodeDecodeError):  # The rows are read all the same, or say why not.
        return


def _image(schema: pa.Schema) -> _Column:
    for field in schema:
        parts = {part.name: part.type for part in field.type} if pa.types.is_struct(field.type) else {}
        if "bytes" in parts and _is_binary(parts["bytes"]):
            path = f"{field.name}.path" if "path" in parts and _is_text(parts["path"]) else ""
            return _Column(f"{field.name}.bytes", path)
    for field in schema:
        if field.name.lower() in COLUMNS and _is_binary(field.type):
            return _Column(field.name, "")
    raise NoShardError


def _is_binary(kind: pa.DataType) -> bool:
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_binary_view(kind))


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


class _Opened(NamedTuple):
    parquet: parquet.ParquetFile
    version: str


def _opened(store: Store, name: str) -> _Opened:
    file = _File(store, name)
    try:
        return _Opened(parquet.ParquetFile(file, buffer_size=_BUFFER, pre_buffer=False), file.version)
    except (OSError, pa.ArrowException) as exc:
        raise FileError(f"it is no Parquet file: {exc}", file.version) from exc


class _File(io.RawIOBase):
    """A file of a store, for pyarrow; each read is one request."""

    def __init__(self, store: Store, name: str) -> None:
        self._store, self._name = store, name
        self._offset = 0
        first = store.read_range(name, 0, 4)
        self.size, self.version = first.size, first.version

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._offset

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._offset, io.SEEK_END: self.size}[whence]
        self._offset = start + offset
        return self._offset

    def read(self, size: int = -1) -> bytes:
        size = min(self.size - self._offset, size if size >= 0 else self.size)
        if size <= 0:
            return b""
        found: Part = self._store.read_range(self._name, self._offset, size)
        if found.version != self.version:
            raise FileError(CHANGED, found.version)
        self._offset += len(found.data)
        return found.data
