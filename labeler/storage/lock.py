"""One process at a time: a file that is locked for as long as its process lives, and removed when it is let go."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

try:
    import fcntl
except ModuleNotFoundError:  # pragma: no cover - Windows
    fcntl = None  # type: ignore[assignment]


class Lock:
    """A lock that is held. A process that dies lets go of it; the empty file it may leave locks nobody out."""

    def __init__(self, path: Path) -> None:
        """Take the lock.

        Raises:
            BlockingIOError: another process holds it.
            OSError: the file cannot be made.
        """
        self._path = path
        self._file = _take(path)

    def release(self) -> None:
        """Let others take it; nothing happens when it was let go before."""
        if self._file is not None:
            with contextlib.suppress(OSError):
                self._path.unlink()  # Before it is unlocked: whoever has opened it since finds that it is gone.
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
        os.close(file)  # It was removed between the two, by the one that held it.
    return None


def _is_at(file: int, path: Path) -> bool:
    with contextlib.suppress(FileNotFoundError):
        return os.path.samestat(os.fstat(file), os.stat(path))
    return False
