"""Files on the disks of this machine, below one folder."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from labeler.storage import atomic
from labeler.storage.presence import Presence
from labeler.storage.store import Content, FileError
from labeler.storage.walk import Walk

_READ = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0)


class Local:
    """The files below one folder. See `Store`."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.unreadable: dict[str, str] = {}
        self._prefix = os.path.join(address, "")
        self._presence = Presence()

    def locate(self, name: str) -> str:
        """See `Store.locate`."""
        return os.path.join(self.address, name) if name else self.address

    def walk(self, folders: Iterable[str], skips: Callable[[str], bool]) -> Iterator[str]:
        """See `Store.walk`, and for what symbolic links lead to `Walk`."""
        walk = Walk(self.locate, folders, skips, self._presence)
        self.unreadable = walk.unreadable
        return iter(walk)

    def read(self, name: str, limit: int) -> Content:
        """See `Store.read`."""
        path = self._prefix + name if not os.path.isabs(name) else name
        try:
            found = os.stat(path)
        except OSError as exc:
            raise FileError(exc.strerror or str(exc)) from exc
        except ValueError as exc:  # A name with a NUL byte.
            raise FileError(str(exc)) from exc
        version = version_of(found)  # Before it is read: what is written meanwhile is another version.
        _check(
            found, limit, version
        )  # Before it is opened: opening a FIFO would wait for ever, a device may do anything.
        try:
            return Content(_read(path, found.st_size, limit, version), version)
        except OSError as exc:
            raise FileError(exc.strerror or str(exc), version) from exc

    def version(self, name: str) -> str | None:
        """See `Store.version` and `version_of`."""
        try:
            return version_of(os.stat(self.locate(name)))
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (OSError, ValueError):
            return ""

    def write(self, name: str, content: bytes) -> None:
        """See `Store.write`. A power failure may cost what was written last."""
        path = Path(self.locate(name))
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic.placing(path, durable=False) as beside:
            beside.write_bytes(content)

    def expect(self, folder: str) -> None:
        """See `Store.expect`."""
        with suppress(OSError):
            self._presence.note(self.locate(folder), named=True)

    def confirm(self, files: Iterable[str]) -> None:
        """See `Store.confirm`."""
        for file in {os.path.dirname(file): file for file in files}.values():
            path = self.locate(file)
            self._presence.confirm(os.path.dirname(path), path)

    def confirm_all(self) -> None:
        """See `Store.confirm_all`."""
        self._presence.confirm_all()


def version_of(found: os.stat_result) -> str:
    """Return size and modification time, in nanoseconds, of a file: what says that its content changed.

    Not the time of its inode's change: it tells of new links, names and permissions as well.
    """
    return f"{found.st_size}-{found.st_mtime_ns}"


def _check(found: os.stat_result, limit: int, version: str) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise FileError("not a regular file", version)
    _refuse_long(found.st_size, limit, version)


def _refuse_long(size: int, limit: int, version: str) -> None:
    if size > limit:
        raise FileError(f"{size:,} bytes; the limit is {limit:,}", version, size)


def _read(path: str, size: int, limit: int, version: str) -> bytes:
    """Return a file's bytes, ``size`` if it is still the same; the plain system calls cost half of what `open` does."""
    descriptor = os.open(path, _READ)
    try:
        content = os.read(descriptor, size + 1)
        if len(content) == size:
            return content
        _check(os.fstat(descriptor), limit, version)  # It is another one by now, it grew, or came in pieces.
        with open(descriptor, "rb", buffering=0, closefd=False) as rest:
            content += rest.read(limit + 1 - len(content))
        _refuse_long(len(content), limit, version)
        return content
    finally:
        os.close(descriptor)
