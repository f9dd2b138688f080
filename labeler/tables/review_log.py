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
    _is_named: bool = False
    """Whether the folder that names the file is on the disk, too."""
    _lock: Lock | None = None

    @classmethod
    def of(cls, table: Path) -> Log:
        """Return the log of a table."""
        return cls(path_of(table))

    @property
    def lock_path(self) -> Path:
        """Return the file that whoever writes holds."""
        return self.path.with_suffix(".lock")

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
        self._lock = _patiently(self.lock_path, self.path)
        try:
            yield
        finally:
            self._lock.release()
            self._lock = None

    def _read(self) -> Iterator[tuple[Event, bytes]]:
        """Yield the events with their lines; what is read now need not be checked by the next append."""
        try:
            with self.path.open("rb") as file:
                self._begin(os.fstat(file.fileno()))
                yield from self._events(file)
        except FileNotFoundError:
            return
        except OSError as exc:
            raise LabelerError(f"{self.path} cannot be read: {exc.strerror}") from exc

    def _begin(self, found: os.stat_result) -> None:
        """Forget what was read before, which may have been another file."""
        self._ids, self._checked, self._lines, self._file = set(), 0, 0, (found.st_dev, found.st_ino)
        self._is_named = False

    def _append(self, events: Iterable[Event]) -> int:
        opened = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0), 0o666)
        try:
            self._catch_up(opened)
            new = {event.id: event.line() for event in events if event.id not in self._ids}
            self._write(opened, b"".join(new.values()))
            self._ids.update(new)
            self._lines += len(new)
        finally:
            os.close(opened)
        if not self._is_named:
            atomic.sync_folder(self.path.parent)
            self._is_named = True
        return len(new)

    def _catch_up(self, opened: int) -> None:
        """Check what was written since the last append, and remove a last line that is cut off."""
        found = os.fstat(opened)
        if (found.st_dev, found.st_ino) != self._file or found.st_size < self._checked:
            self._begin(found)
        if found.st_size > self._checked:
            with open(opened, "rb", closefd=False) as file:
                file.seek(self._checked)
                for _ in self._events(file):
                    pass
        if found.st_size > self._checked:
            os.truncate(opened, self._checked)

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

    def _events(self, file: BinaryIO) -> Iterator[tuple[Event, bytes]]:
        """Yield the events of the whole lines that come now, each with its line, and note that they are sound."""
        while line := file.readline(LONGEST_LINE):
            if not line.endswith(b"\n") and len(line) < LONGEST_LINE:
                return
            try:
                event = Event.of(line)
            except ValueError as exc:
                raise LabelerError(
                    f"line {self._lines + 1} of {self.path} is damaged: {one_line(exc)}. Nothing was changed; "
                    "make a copy of the file, then correct or remove the line"
                ) from exc
            self._ids.add(event.id)
            self._checked += len(line)
            self._lines += 1
            yield event, line


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
