"""Keep the chatter of native code off the terminal, and hear what decoders say in it.

Where stderr leads is one thing for a whole process, so its state is kept here, and only processes that labeler started
are listened to: its workers and its command line. It is imported before TensorFlow, and imports nothing heavy.
"""

from __future__ import annotations

import array
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from labeler import streams

try:
    import fcntl
    import termios
except ImportError:  # Windows.
    fcntl = termios = None  # type: ignore[assignment]

_ear: int | None = None
"""Where what native code writes to stderr can be read; None when nobody listens."""

_waiting = array.array("i", [0])
"""How many bytes can be read, as the system has said last."""

_PIPE_BYTES = 1 << 16
"""What is read at once. A pipe holds no more by default, so that no file can fill the memory with warnings."""


@contextmanager
def stderr() -> Iterator[None]:
    """Hold back what is written to stderr, by native code too; show it after all when the block fails.

    TensorFlow's libraries log while they are loaded, before any of its settings is heard.
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
    """Keep what native code writes to stderr for `heard`. Python's stderr stays. For the command line's own process."""
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
            os.close(ear)


def listen() -> None:
    """Keep what native code writes to stderr for `heard`, from now on; Python's stderr leads nowhere. For a worker."""
    global _ear
    _ear = _listening()
    sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - as long as the process lives


def listens() -> bool:
    """Say whether what native code writes to stderr can be heard."""
    return _ear is not None


def heard() -> str:
    """Return what native code has written to stderr since it was last asked for; nothing when nobody listens."""
    if _ear is None or not fcntl:
        return ""
    fcntl.ioctl(_ear, termios.FIONREAD, _waiting)  # Half a microsecond a picture; trying to read takes one.
    return os.read(_ear, _PIPE_BYTES).decode("utf-8", "replace") if _waiting[0] else ""


def _listening() -> int:
    """Let a pipe take the place of stderr's descriptor; return its other end. Full, it takes nothing more."""
    if fcntl:
        ear, mouth = os.pipe()
        os.set_blocking(mouth, False)
    else:
        ear, mouth = (os.open(os.devnull, access) for access in (os.O_RDONLY, os.O_WRONLY))
    os.dup2(mouth, 2)
    os.close(mouth)
    return ear


def _writes_to_2(stream: TextIO) -> bool:
    try:
        return stream.fileno() == 2
    except (OSError, ValueError):  # A stream in memory, or a closed one.
        return False
