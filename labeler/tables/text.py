"""What the formats share that are text: records with an end of line, read and written a few at a time."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import IO, Protocol

from labeler.records import SCHEMA_VERSION, Row, columns
from labeler.tables.run_record import RunRecord

LONGEST_RECORD = 1 << 24
"""Bytes; a row with 10,000 classes has 500,000. What goes on for longer without an end of line is no table."""

_ROWS_AT_ONCE = 1 << 12
"""Rows that are encoded at once, a megabyte: with more of them neither time nor system calls are saved."""
_CELLS_AT_ONCE = _ROWS_AT_ONCE * 64
"""Upper limit on their cells: of a thousand classes, a row of JSON Lines has 50 kB."""


class Appendable(Protocol):
    """A format that grows at its end and can be read up to the place where a kill tore it."""

    def header(
        self, class_names: Sequence[str], schema: int = SCHEMA_VERSION, keep: Sequence[str] = (), top: int = 0, /
    ) -> bytes:
        """Return what stands before the first row."""

    def encode(
        self,
        rows: Iterable[Row],
        class_names: Sequence[str],
        schema: int = SCHEMA_VERSION,
        keep: Sequence[str] = (),
        top: int = 0,
    ) -> bytes:
        """Return the bytes of some rows."""

    def decode(self, stream: IO[bytes]) -> Iterator[tuple[Row, int]]:
        """Yield each sound row and the offset of its end; stop before the first torn one."""


def read(path: Path, decode: Callable[[IO[bytes]], Iterator[tuple[Row, int]]], header: int) -> Iterator[Row]:
    """Yield all rows of a table whose header has so many bytes; raise ValueError where it is damaged."""
    with path.open("rb") as stream:
        end = 0
        for row, end in decode(stream):  # noqa: B007 - used after the loop
            yield row
        size = os.fstat(stream.fileno()).st_size
    if end != size and (end or size > header):
        raise ValueError(f"after byte {end:,}")


def write(path: Path, form: Appendable, rows: Iterable[Row], record: RunRecord) -> None:
    """Write a table, some thousand rows at a time."""
    remaining, layout = iter(rows), record.layout
    at_once = max(1, min(_ROWS_AT_ONCE, _CELLS_AT_ONCE // len(columns(*layout))))
    with path.open("wb") as stream:
        stream.write(form.header(*layout))
        while some := list(islice(remaining, at_once)):
            stream.write(form.encode(some, *layout))


def lines(stream: IO[bytes]) -> Iterator[bytes]:
    """Yield the lines that have an end, as long as none is longer than a record may be."""
    for line in iter(partial(stream.readline, LONGEST_RECORD), b""):
        if not line.endswith(b"\n"):
            return
        yield line
