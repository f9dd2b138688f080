"""An advisory lock (flock) for one process at a time: it ends with its process, and its file is removed on release."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

try:
    import fcntl
except ModuleNotFoundError:  # pragma: no cover - Windows
    fcntl = None  # type: ignore[assignment]


class Lock:
    """A held lock. The system releases it when its process dies; the empty file that may remain locks nobody out."""

    def __init__(self, path: Path) -> None:
        """Take the lock.

        Raises:
            BlockingIOError: another process holds it.
            OSError: the file cannot be created.
        """
        self._path = path
        self._file = _take(path)

    def release(self) -> None:
        """Release the lock; do nothing if it was released before."""
        if self._file is not None:
            with contextlib.suppress(OSError):
                self._path.unlink()  # Before the unlock: whoever opened it since finds its inode gone.
            os.close(self._file)
            self._file = None


def _take(path: Path) -> int | None:
    while fcntl:
        file = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_at(file, path):
                return file
        except BaseException:
            os.close(file)
            raise
        os.close(file)  # Its holder removed it between `open` and `flock`: try again.
    return None


def _is_at(file: int, path: Path) -> bool:
    with contextlib.suppress(FileNotFoundError):
        return os.path.samestat(os.fstat(file), os.stat(path))
    return False
