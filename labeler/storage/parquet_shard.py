"""Parquet files that hold images as bytes: a struct ``{bytes, path}``, as `datasets` writes it, or a binary column."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import pyarrow as pa
from pyarrow import parquet

from labeler.member import Member, NoShardError, Shard
from labeler.storage.address import is_remote
from labeler.storage.ranges import CHANGED, Ranges
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
        self._source = _File(store, shard)
        self._file = _opened(self._source)
        self._column = _image(self._file.schema_arrow)
        self._group = -1
        self._batches: Iterator[pa.RecordBatch] = iter(())
        self._batch: pa.Array = pa.nulls(0)
        self._first = 0
        """The number in its group of the batch's first row."""

    def expect(self, groups: Iterable[int]) -> None:
        """Announce the row groups that will be read next, in this order, to ask for them now."""
        self._source.expect(_chunk(self._file.metadata, group, self._column.leaf) for group in groups)

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
            self._batch = column.flatten()[0] if pa.types.is_struct(column.type) else column
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
    first = store.read_range(name, 0, 4)
    shard = Shard(name, first.version, first.size)
    source = _File(store, shard)
    file = _opened(source)
    column = _image(file.schema_arrow)
    if column.path and is_remote(store.address):
        source.expect(_chunk(file.metadata, group, column.path) for group in range(file.metadata.num_row_groups))
    return _rows(file, column, shard)


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


def _chunk(metadata: parquet.FileMetaData, group: int, leaf: str) -> tuple[int, int]:
    """Return the first byte and the number of bytes of a column in a row group."""
    found = metadata.row_group(group)
    columns = map(found.column, range(found.num_columns))
    column = next(column for column in columns if column.path_in_schema == leaf)
    first = column.dictionary_page_offset if column.has_dictionary_page else None
    return min(column.data_page_offset, first or column.data_page_offset), column.total_compressed_size


def _opened(file: _File) -> parquet.ParquetFile:
    try:
        return parquet.ParquetFile(file, buffer_size=_BUFFER, pre_buffer=False)
    except (OSError, pa.ArrowException) as exc:
        raise FileError(f"it is no Parquet file: {exc}", file.shard.version) from exc


class _File(io.RawIOBase):
    """A file of a store, for pyarrow; each read is one request, or none of what was asked for ahead."""

    def __init__(self, store: Store, shard: Shard) -> None:
        self.shard = shard
        self._store = store
        self._offset = 0
        self._ranges = Ranges(store)
        self._pieces: dict[int, Member] = {}
        """What was asked for ahead, by its first byte: a piece has as many bytes as pyarrow reads at a time."""
        self._piece = (0, b"")
        """First byte and bytes of the piece that is read now."""

    def expect(self, chunks: Iterable[tuple[int, int]]) -> None:
        """Announce the bytes that will be read next, in this order: each first byte, and how many."""
        self._pieces.clear()
        self._ranges.expect(self._cut(chunks))

    def _cut(self, chunks: Iterable[tuple[int, int]]) -> Iterator[Member]:
        for start, length in chunks:
            for first in range(start, start + length, _BUFFER):
                piece = Member(str(first), self.shard, (first, min(_BUFFER, start + length - first)))
                self._pieces[first] = piece
                yield piece

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._offset

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._offset, io.SEEK_END: self.shard.size}[whence]
        self._offset = start + offset
        return self._offset

    def read(self, size: int = -1) -> bytes:
        size = min(self.shard.size - self._offset, size if size >= 0 else self.shard.size)
        found = bytearray()
        while len(found) < size:
            some = self._ahead(size - len(found)) or self._got(size - len(found))
            if not some:
                break
            found += some
            self._offset += len(some)
        return bytes(found)

    def _ahead(self, most: int) -> bytes:
        """Return bytes that were asked for ahead, at most so many; none where those at this place were not."""
        if piece := self._pieces.pop(self._offset, None):
            self._piece = self._offset, self._checked(self._ranges.read(piece))
        start, content = self._piece
        return content[self._offset - start :][:most] if start <= self._offset else b""

    def _got(self, size: int) -> bytes:
        return self._checked(self._store.read_range(self.shard.name, self._offset, size))

    def _checked(self, found: Part) -> bytes:
        if found.version != self.shard.version:
            raise FileError(CHANGED, found.version)
        return found.data
