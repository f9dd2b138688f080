"""Capture what native code writes to stderr: keep it off the terminal, and read the decoders' warnings in it.

File descriptor 2 is global to a process, so its state is kept here, and it is captured only in processes that labeler
started: its workers and its command line. Imported before TensorFlow; imports nothing heavy.
"""

from __future__ import annotations

import mmap
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import IO, TextIO

from labeler import streams

try:
    import fcntl
except ImportError:  # Windows.
    fcntl = None  # type: ignore[assignment]

_ear: mmap.mmap | None = None
"""The captured stderr as a memory map, zeros where nothing was written; None when it is not captured. Looking into
memory costs 0.1 microseconds an image, a system call five times as much."""

_EAR_BYTES = 1 << 16
"""Upper limit on captured bytes, so that no file can fill the memory with warnings."""


@contextmanager
def stderr() -> Iterator[None]:
    """Hold back what is written to stderr, by native code too; print it after all when the block fails.

    TensorFlow's libraries log while they are loaded, before any of its settings takes effect.
    """
    sys.stderr.flush()
    terminal = os.dup(2)
    with tempfile.TemporaryFile() as held_back:
        os.dup2(held_back.fileno(), 2)
        try:
            yield
        except Exception:
            held_back.seek(0)
            os.write(terminal, held_back.read())
            raise
        finally:
            sys.stderr.flush()
            os.dup2(terminal, 2)
            os.close(terminal)


@contextmanager
def decoders() -> Iterator[None]:
    """Capture native code's stderr for `heard`; `sys.stderr` still prints. For the command line's own process."""
    global _ear
    sys.stderr.flush()
    before, outer = sys.stderr, _ear
    with streams.messages(os.dup(2), before) as own:
        if _writes_to_2(before):
            sys.stderr = own
        _ear = ear = _listening()
        try:
            yield
        finally:
            sys.stderr, _ear = before, outer
            own.flush()
            os.dup2(own.fileno(), 2)
            if ear:
                ear.close()


def listen() -> None:
    """Capture native code's stderr for `heard`, from now on; `sys.stderr` becomes the null device. For a worker."""
    global _ear
    _ear = _listening()
    sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - as long as the process lives


def listens() -> bool:
    """Say whether native code's stderr is captured."""
    return _ear is not None


def heard() -> str:
    """Return what native code wrote to stderr since the last call; an empty text when it is not captured."""
    if _ear is None or not _ear[0]:
        return ""
    end = _ear.find(b"\0")
    said = _ear[: end if end > 0 else _EAR_BYTES]
    _ear[: len(said)] = bytes(len(said))
    os.lseek(2, 0, os.SEEK_SET)
    return said.decode("utf-8", "replace")


def _listening() -> mmap.mmap | None:
    """Redirect file descriptor 2 to a file in memory (memfd) and return its memory map; None where that fails."""
    try:
        with tempfile.TemporaryFile() if not hasattr(os, "memfd_create") else _memory() as file:
            os.ftruncate(file.fileno(), _EAR_BYTES)  # Fails if files may not be so large (ulimit -f).
            if hasattr(fcntl, "F_SEAL_GROW"):
                with suppress(OSError):  # A temporary file, which cannot be sealed.
                    fcntl.fcntl(file.fileno(), fcntl.F_ADD_SEALS, fcntl.F_SEAL_GROW)
            ear = mmap.mmap(file.fileno(), _EAR_BYTES)
            os.dup2(file.fileno(), 2)
            return ear
    except OSError:
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        return None


def _memory() -> IO[bytes]:
    return open(os.memfd_create("stderr", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING), "w+b", buffering=0)


def _writes_to_2(stream: TextIO) -> bool:
    try:
        return stream.fileno() == 2
    except (OSError, ValueError):  # In memory, or closed.
        return False
