"""The content of a list: opened as often as it is needed, also where it came from stdin, which is read once."""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path
from typing import IO

from labeler.errors import LabelerError, one_line
from labeler.lists import text
from labeler.lists.entry import DamagedError, Entry, Wanted, checked

_TEXTS: dict[str, Callable[[IO[bytes], Wanted], Iterator[Entry]]] = {
    ".csv": text.comma_separated,
    ".tsv": text.comma_separated,
    ".jsonl": text.json_lines,
    ".ndjson": text.json_lines,
}
_PARQUET = (".parquet", ".pq")
_NO_LISTS = (".json", ".xlsx", ".xls", ".ods", ".gz", ".zip", ".zst")


class Content:
    """The entries of a list, in its own order; each iteration reads it anew."""

    def __init__(self, wanted: Wanted) -> None:
        """Open the list; stdin is copied to a nameless temporary file.

        Raises:
            LabelerError: it does not exist, or it is no list.
        """
        self.wanted = wanted
        suffix = os.path.splitext(wanted.path)[1].lower()
        if suffix in _NO_LISTS:
            raise LabelerError(f"{wanted.path} is no list: give text, .csv, .tsv, .jsonl or .parquet")
        self._spool = _copied() if wanted.path == "-" else None
        self._is_parquet = suffix in _PARQUET
        self._form = _TEXTS.get(suffix) or self._of_stdin()
        if self._form is text.plain and not self._is_parquet and (wanted.column or wanted.keep):
            raise LabelerError(f"{wanted.path} is text, with a name a line; --column and --keep need .csv, .jsonl, ...")
        try:
            with self._opened():
                pass
        except OSError as exc:
            raise LabelerError(f"the list {wanted.path} cannot be read: {exc.strerror}") from exc

    def __iter__(self) -> Iterator[Entry]:
        """Yield the entries.

        Raises:
            LabelerError: the list is damaged; it says in which line.
        """
        try:
            for entry in self._entries():
                yield checked(entry, self.wanted.keep)
        except DamagedError as exc:
            raise self.error(exc.number, exc.reason) from exc
        except OSError as exc:
            raise LabelerError(f"the list {self.wanted.path} cannot be read: {exc.strerror}") from exc

    def error(self, number: int, reason: str) -> LabelerError:
        """Return the error about a line."""
        place = f", {'row' if self._is_parquet else 'line'} {number:,}" if number else ""
        return LabelerError(f"{self.wanted.shown}{place}: {one_line(reason)}")

    @cached_property
    def sha256(self) -> str:
        """The SHA-256 of its bytes."""
        with self._opened() as stream:
            digest = hashlib.sha256()
            while some := stream.read(1 << 20):
                digest.update(some)
            return digest.hexdigest()

    def _entries(self) -> Iterator[Entry]:
        if self._is_parquet:
            from labeler.lists import parquet  # Deferred: it takes as long as starting Python, and few lists need it.

            yield from parquet.entries(Path(self.wanted.path), self.wanted)
            return
        with self._opened() as stream:
            yield from self._form(stream, self.wanted)

    def _of_stdin(self) -> Callable[[IO[bytes], Wanted], Iterator[Entry]]:
        """Return the format of a list without a known suffix: text, or on stdin, where columns are named, others."""
        if self._spool is None or not (self.wanted.column or self.wanted.keep):
            return text.plain
        with self._opened() as stream:
            return text.json_lines if stream.read(1) == b"{" else text.comma_separated

    def _opened(self) -> IO[bytes]:
        if self._spool is not None:
            return io.BufferedReader(_Reading(self._spool))
        return open(self.wanted.path, "rb")


class _Reading(io.RawIOBase):
    """One reading of a file that several read at the same time."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self._at = file, 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        some = os.pread(self._file.fileno(), len(buffer), self._at)
        buffer[: len(some)] = some
        self._at += len(some)
        return len(some)


def _copied() -> IO[bytes]:
    spool = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the list
    shutil.copyfileobj(sys.stdin.buffer, spool)
    spool.flush()
    return spool
