"""Listings of millions of files in columns: keys, and a sort that needs little memory whatever their number."""

from __future__ import annotations

import tempfile
import threading
import weakref
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

COLUMNS = pa.schema([("name", pa.string()), ("size", pa.int64()), ("version", pa.string())])
"""The columns of a listing; sizes in bytes."""

_RUN_ROWS = 50_000
"""Files that are sorted in memory, about 15 MB with what sorting needs."""

_BLOCK_ROWS = 2048
"""Files that are read back at once, from each of the chains that are merged."""

_CHAINS = 64
"""Upper limit on the chains that are merged at once."""


def keys(names: pa.Array) -> pa.Array:
    """Return `storage.store.key` of each name; bytes of UTF-8 are in the order of its characters."""
    parts = pc.split_pattern(names, "/", max_splits=1, reverse=True)
    ends = parts.offsets.to_numpy()
    has_folder = np.diff(ends) == 2
    flat = parts.values
    folders = pc.replace_substring(flat.take(pa.array(ends[:-1])), "/", "\0")
    heads = pc.if_else(
        pa.array(has_folder), pc.binary_join_element_wise(folders, pa.scalar("\0\0"), ""), pa.scalar("\0")
    )
    return pc.binary_join_element_wise(heads, flat.take(pa.array(ends[1:] - 1)), "")


class _Run(NamedTuple):
    """Files in order, written to the file: where their blocks begin there, and how long each is."""

    first: str
    last: str
    blocks: tuple[tuple[int, int], ...]


class Listing:
    """Files of which each has one place in the order of `key`: added in any order, then given out as often as asked.

    They wait in a nameless temporary file, which goes with the process however that ends.

    Raises:
        OSError: there is no room for them.
    """

    def __init__(self, pages: Iterable[pa.Table]) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the listing
        weakref.finalize(self, self._file.close)
        self._lock = threading.Lock()
        self._end = 0
        self._chains: list[list[_Run]] = []
        for run in map(_sorted, _runs(pages)):
            self._add(self._written([run]))
        while len(self._chains) > _CHAINS:
            some, self._chains = self._chains[:_CHAINS], self._chains[_CHAINS:]
            self._chains.append([self._written(self._merged(some))])
        self._file.flush()

    def __iter__(self) -> Iterator[pa.Table]:
        """Yield the files in order, some at a time. Several iterations may go on at the same time."""
        if len(self._chains) == 1:
            yield from self._read(self._chains[0])
        else:
            yield from self._merged(self._chains)

    def _add(self, run: _Run) -> None:
        """Put a run behind a chain that ends before it begins; stores list nearly in order, so that most have one."""
        fitting = (chain for chain in self._chains if chain[-1].last < run.first)
        chain = max(fitting, key=lambda chain: chain[-1].last, default=None)
        if chain is None:
            self._chains.append([run])
        else:
            chain.append(run)

    def _written(self, parts: Iterable[pa.Table]) -> _Run:
        blocks: list[tuple[int, int]] = []
        first = last = ""
        for part in parts:
            for batch in part.combine_chunks().to_batches(max_chunksize=_BLOCK_ROWS):
                ends = keys(batch["name"].take(pa.array([0, len(batch) - 1]))).to_pylist()
                first, last = first or ends[0], ends[1]
                content = batch.serialize()
                with self._lock:  # A merge reads meanwhile.
                    self._file.seek(self._end)
                    self._file.write(content)
                blocks.append((self._end, content.size))
                self._end += content.size
        return _Run(first, last, tuple(blocks))

    def _read(self, chain: Sequence[_Run]) -> Iterator[pa.Table]:
        for run in chain:
            for begin, size in run.blocks:
                with self._lock:
                    self._file.seek(begin)
                    content = self._file.read(size)
                yield pa.Table.from_batches([pa.ipc.read_record_batch(pa.py_buffer(content), COLUMNS)])

    def _merged(self, chains: Sequence[Sequence[_Run]]) -> Iterator[pa.Table]:
        """Yield the files of several chains in order: all that lie before the end of each chain's present block."""
        heads = [_Head(self._read(chain)) for chain in chains]
        while heads := [head for head in heads if head.fill()]:
            bound = min(head.last for head in heads)
            yield _sorted(pa.concat_tables([head.taken(bound) for head in heads]))


class _Head:
    """The next block of a chain."""

    def __init__(self, blocks: Iterator[pa.Table]) -> None:
        self._blocks = blocks
        self._block = COLUMNS.empty_table()
        self._keys = np.array([], dtype=object)
        self.last = ""

    def fill(self) -> bool:
        """Make sure that there is a file; return False at the end of the chain."""
        if not len(self._block):
            following = next(self._blocks, None)
            if following is None:
                return False
            self._block = following
            self._keys = keys(following["name"].combine_chunks()).to_numpy(zero_copy_only=False)
            self.last = self._keys[-1]
        return True

    def taken(self, bound: str) -> pa.Table:
        """Return, and forget, the files up to a key."""
        count = int(np.searchsorted(self._keys, bound, side="right"))
        taken, self._block, self._keys = self._block[:count], self._block[count:], self._keys[count:]
        return taken


def _runs(pages: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """Yield pages together, as many as are sorted in memory."""
    waiting: list[pa.Table] = []
    rows = 0
    for page in pages:
        if len(page):
            waiting.append(page)
            rows += len(page)
        if rows >= _RUN_ROWS:
            yield pa.concat_tables(waiting)
            waiting, rows = [], 0
    if waiting:
        yield pa.concat_tables(waiting)


def _sorted(files: pa.Table) -> pa.Table:
    """Return files in the order of their keys, each once."""
    files = files.combine_chunks()
    order = keys(files["name"].combine_chunks())
    if _ascending(order):
        return files
    places = pc.sort_indices(order)
    files, order = files.take(places), order.take(places)
    if not _ascending(order):  # A folder's marker, and an object that has its name.
        files = files.filter(pa.concat_arrays([pa.array([True]), pc.not_equal(order[1:], order[:-1])]))
    return files


def _ascending(order: pa.Array) -> bool:
    return len(order) < 2 or bool(pc.all(pc.less(order[:-1], order[1:])).as_py())
