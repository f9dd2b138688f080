"""The part of an unfinished table: a file that only grows, repaired where a kill has torn it."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

from labeler.errors import LabelerError
from labeler.records import Row
from labeler.storage.store import key
from labeler.tables.order import grouped
from labeler.tables.run_record import RunRecord
from labeler.tables.text import Appendable

SYNC_EVERY_S = 2.0
"""A power failure costs at most the rows of so many seconds; a killed process costs none that were written."""


class Part:
    """The rows that a table is to get; those of a file come together.

    All methods that open or write raise OSError when the disk is full, or gone.
    """

    def __init__(self, path: Path, form: Appendable, record: RunRecord, *, anew: bool) -> None:
        """Open a part to append to it: one that stands there, up to its last whole file, or an empty one."""
        self.path = path
        self.is_ascending = True
        """Whether the files come in order."""
        self._form = form
        self._layout = record.layout
        self._last, self._last_key = "", ""
        self._synced = 0.0
        self._file: IO[bytes] = path.open("ab", buffering=0)
        self._header = form.header(*self._layout)
        self.length = 0 if anew else self._sound_length()
        self._file.truncate(self.length)
        if not self.length:
            self._put(self._header)
        self.is_new = anew
        """Whether it was begun by this run and holds no row yet."""

    def append(self, rows: Sequence[Row]) -> None:
        """Append all rows of some files."""
        for row in rows:
            self._note(row.file)
        self._put(self._form.encode(rows, *self._layout))
        self.is_new = False
        if time.monotonic() - self._synced > SYNC_EVERY_S:
            self.sync()

    def groups(self) -> Iterator[list[Row]]:
        """Yield the rows that it holds now, whatever is appended meanwhile, in order of files.

        Raises:
            LabelerError: they are not what was written.
        """
        return grouped(self._rows(self.length), ascending=self.is_ascending)

    def sync(self) -> None:
        """Wait until all rows are on the disk."""
        os.fsync(self._file.fileno())
        self._synced = time.monotonic()

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def _rows(self, length: int) -> Iterator[Row]:
        end = len(self._header)
        with self.path.open("rb") as stream:
            for row, end in self._form.decode(stream):
                if end > length:
                    return
                yield row
                if end == length:
                    return
        if end != length:
            raise LabelerError(f"{self.path} is damaged after byte {end:,}; remove it to begin again")

    def _sound_length(self) -> int:
        """Return the length up to the last file, whose rows may not all be there."""
        with self.path.open("rb") as stream:
            length = previous = len(self._header) if stream.read(len(self._header)) == self._header else 0
            stream.seek(0)
            file: str | None = None
            for row, end in self._form.decode(stream):
                if row.file != file:
                    if file is not None:
                        self._note(file)
                    file, length = row.file, previous
                previous = end
        return length

    def _note(self, file: str) -> None:
        if file != self._last or not self._last_key:
            at = key(file)
            self.is_ascending = self.is_ascending and at > self._last_key
            self._last, self._last_key = file, at

    def _put(self, content: bytes) -> None:
        view = memoryview(content)
        while view:
            written = self._file.write(view)
            self.length += written
            view = view[written:]
