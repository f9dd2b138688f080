"""The log of a table's reviews: events, appended so that no acknowledged one is ever lost."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from labeler.errors import LabelerError, OutputError, one_line
from labeler.storage import atomic
from labeler.storage.lock import Lock
from labeler.tables.reviews import Event, Kind, path_of

LONGEST_LINE = 1 << 16
"""Upper limit in bytes on an event: the longest path has 4,096 bytes, which JSON writes with up to six each."""

PATIENCE_S = 10.0
"""Upper limit on the wait for another program that appends; it takes milliseconds, a server may stay for hours."""


@dataclass(slots=True)
class Log:
    """The events in one file, append only. Whoever writes holds its lock, ``TABLE.reviews.lock``."""

    path: Path
    _ids: set[str] = field(default_factory=set)
    _checked: int = 0
    """How many bytes, whole lines, are known to be sound; `_lines` how many lines."""
    _lines: int = 0
    _file: tuple[int, int] = (0, 0)
    _lock: Lock | None = None

    @classmethod
    def of(cls, table: Path) -> Log:
        """Return the log of a table."""
        return cls(path_of(table))

    def read(self) -> list[Event]:
        """Return all events in the order of the file; a last line that a kill has cut off is none.

        Raises:
            LabelerError: the file cannot be read, or a line is damaged.
        """
        return [event for event, _ in self._read()]

    def append(self, events: Iterable[Event]) -> int:
        """Append events, synced to the disk on return; those that the file has are left out. Return how many are new.

        Killed at any moment, or without space, it leaves a whole file and perhaps a last line cut off, which the next
        append removes. Sent again, the events that are missing are added.

        Raises:
            LabelerError: the file is damaged, or another program holds it.
            OutputError: it cannot be written.
        """
        with self.held():
            try:
                return self._append(events)
            except OSError as exc:
                raise OutputError(f"cannot write {self.path}: {exc.strerror or exc}") from exc

    def erase(self, files: Collection[str]) -> None:
        """Write the file anew without the events of some photos; a file that is left without any is removed.

        Raises:
            LabelerError: the file is damaged, or another program holds it.
            OutputError: it cannot be written.
        """
        with self.held():
            kept = [(event, line) for event, line in self._read() if event.file not in files]
            if any(event.kind is not Kind.UNDO for event, _ in kept):
                atomic.write(self.path, b"".join(line for _, line in kept).decode())
            else:
                self.path.unlink(missing_ok=True)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the lock inside the block, so that nobody else appends, merges or erases; it may be nested.

        Raises:
            LabelerError: another program holds it.
            OutputError: it cannot be taken.
        """
        if self._lock:
            yield
            return
        self._lock = _patiently(self.path.with_suffix(".lock"), self.path)
        try:
            yield
        finally:
            self._lock.release()
            self._lock = None

    def _read(self) -> list[tuple[Event, bytes]]:
        try:
            with self.path.open("rb") as file:
                return list(self._events(file, 0))
        except FileNotFoundError:
            return []
        except OSError as exc:
            raise LabelerError(f"{self.path} cannot be read: {exc.strerror}") from exc

    def _append(self, events: Iterable[Event]) -> int:
        opened = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0), 0o666)
        try:
            is_other = self._catch_up(opened)
            new = {event.id: event.line() for event in events if event.id not in self._ids}
            self._write(opened, b"".join(new.values()))
            self._ids.update(new)
            self._lines += len(new)
        finally:
            os.close(opened)
        if is_other:
            atomic.sync_folder(self.path.parent)
        return len(new)

    def _catch_up(self, opened: int) -> bool:
        """Check what was written since the last append, and remove a last line that is cut off; say if it is new."""
        found = os.fstat(opened)
        if is_other := (found.st_dev, found.st_ino) != self._file or found.st_size < self._checked:
            self._ids, self._checked, self._lines, self._file = set(), 0, 0, (found.st_dev, found.st_ino)
        if found.st_size > self._checked:
            with open(opened, "rb", closefd=False) as file:
                file.seek(self._checked)
                for event, line in self._events(file, self._lines):
                    self._ids.add(event.id)
                    self._checked += len(line)
                    self._lines += 1
        if found.st_size > self._checked:
            os.truncate(opened, self._checked)
        return is_other

    def _write(self, opened: int, content: bytes) -> None:
        """Write lines in one call, and sync them; what could not be written whole is taken back.

        Synced without new lines, too: who sends events again may have been killed before they were.
        """
        try:
            _write_whole(opened, content)
            os.fsync(opened)
        except OSError:
            with suppress(OSError):
                os.truncate(opened, self._checked)
            raise
        self._checked += len(content)

    def _events(self, file: BinaryIO, number: int) -> Iterator[tuple[Event, bytes]]:
        """Yield the events of whole lines, each with its line; ``number`` lines come before them."""
        while line := file.readline(LONGEST_LINE):
            number += 1
            if not line.endswith(b"\n") and len(line) < LONGEST_LINE:
                return
            try:
                yield Event.of(line), line
            except ValueError as exc:
                raise LabelerError(
                    f"line {number} of {self.path} is damaged: {one_line(exc)}. Nothing was changed; "
                    "make a copy of the file, then correct or remove the line"
                ) from exc


def _write_whole(opened: int, content: bytes) -> None:
    """Write in one call; what is written only in part, as on a full disk, is an error."""
    if os.write(opened, content) < len(content):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _patiently(lock: Path, path: Path) -> Lock:
    until = time.monotonic() + PATIENCE_S
    while True:
        try:
            return Lock(lock)
        except BlockingIOError as exc:
            if time.monotonic() > until:
                raise LabelerError(f"another program writes {path}: a review that is open? Close it first") from exc
            time.sleep(0.005)
        except OSError as exc:
            raise OutputError(f"cannot write {lock}: {exc.strerror or exc}") from exc
