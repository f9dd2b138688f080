"""Files on the disks of this machine, below one folder."""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path

from labeler.batches import BATCH_S
from labeler.storage import atomic, transfer
from labeler.storage.presence import Presence
from labeler.storage.store import Content, FileError, Listed, Part
from labeler.storage.walk import Walk

_READ = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0)

_LISTED_AT_ONCE = 1000

_NOT_REGULAR = "not a regular file"


class Local:
    """The files below one folder. See `Store`."""

    batch_s = BATCH_S

    def __init__(self, address: str) -> None:
        self.address = address
        self.unreadable: dict[str, str] = {}
        self._prefix = os.path.join(address, "")
        self._presence = Presence()
        self._open: _Open | None = None

    def __reduce__(self) -> tuple[type[Local], tuple[str]]:
        return Local, (self.address,)

    def again(self) -> Local:
        """See `Store.again`: it walks the disk anew."""
        return Local(self.address)

    def locate(self, name: str) -> str:
        """See `Store.locate`."""
        return os.path.join(self.address, name) if name else self.address

    def walk(self, folders: Iterable[str], skips: Callable[[str], bool]) -> Iterator[str]:
        """See `Store.walk`, and for what symbolic links lead to `Walk`."""
        walk = Walk(self.locate, folders, skips, self._presence)
        self.unreadable = walk.unreadable
        return iter(walk)

    def listed(self, folders: Iterable[str], skips: Callable[[str], bool]) -> Iterator[Listed]:
        """See `Store.listed`. A file that goes meanwhile is left out."""
        names = iter(self.walk(folders, skips))
        while some := list(islice(names, _LISTED_AT_ONCE)):
            found = Listed([], [], [])
            for name in some:
                with suppress(OSError, ValueError):
                    stands = os.stat(self._prefix + name)
                    found.append(name, stands.st_size, version_of(stands))
            yield found

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

    def read_range(self, name: str, start: int, length: int) -> Part:
        """See `Store.read_range`. The last file stays open: parts of one are read after one another."""
        try:
            file = self._open
            if file is None or file.name != name:
                self._open = file = _Open(name, self.locate(name))
            return file.read(start, length)
        except (OSError, ValueError) as exc:
            raise FileError(getattr(exc, "strerror", "") or str(exc)) from exc

    def ahead(self, names: Iterable[str], limit: int) -> None:
        """See `Store.ahead`: the system reads ahead by itself, and threads would cost more than they save."""

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

    def write_new(self, name: str, content: bytes) -> bool:
        """See `Store.write_new`. Written beside, then linked: a link never replaces a file.

        Where the file system has no links, two that write at the same moment may both succeed; the last one stays.
        """
        path = self.locate(name)
        folder, own = os.path.split(path)
        os.makedirs(folder, exist_ok=True)
        beside = os.path.join(folder, f".{own}.{os.getpid()}-{secrets.token_hex(4)}.part")
        try:
            with open(beside, "xb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            transfer.rename(beside, path)
        except FileExistsError:
            return False
        finally:
            transfer.discard(beside)
        atomic.sync_folder(folder)
        return True

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
        raise FileError(_NOT_REGULAR, version)
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


class _Open:
    """A regular file that stays open until this object goes. By `os.pread`, several threads can read it at a time."""

    def __init__(self, name: str, path: str) -> None:
        self.name = name
        self._descriptor = -1
        if not stat.S_ISREG(os.stat(path).st_mode):  # Before it is opened, as in `Local.read`.
            raise FileError(_NOT_REGULAR)
        self._descriptor = os.open(path, _READ)

    def __del__(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)

    def read(self, start: int, length: int) -> Part:
        found = os.fstat(self._descriptor)
        content = _READ_AT(self._descriptor, length, start)
        while len(content) < min(length, found.st_size - start):  # Linux reads at most 2 GiB at a time.
            some = _READ_AT(self._descriptor, length - len(content), start + len(content))
            if not some:
                break
            content += some
        return Part(content, version_of(found), found.st_size)


def _seek_and_read(descriptor: int, length: int, start: int) -> bytes:
    os.lseek(descriptor, start, os.SEEK_SET)
    return os.read(descriptor, length)


_READ_AT: Callable[[int, int, int], bytes] = getattr(os, "pread", _seek_and_read)
"""Read at a place; Windows has no `os.pread`."""
