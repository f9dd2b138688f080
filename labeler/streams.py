"""The standard streams: always open, able to print any name, and of stderr no failure ever ends a command."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from typing import TextIO

from labeler.errors import NoReader, OutputError


def settle() -> None:
    """Open the standard streams that are closed, and replace stdout and stderr by ones that fail as they should.

    A descriptor that is closed would be given to the next file that is opened, and what native code prints would go
    into it. Characters that an encoding does not have are printed as escapes.
    """
    for descriptor in range(3):
        _open_if_closed(descriptor)
    for stream in (sys.stdout, sys.stderr):
        if stream:
            with contextlib.suppress(OSError, ValueError):
                stream.flush()
    sys.stdout = _text(_Results(1, "w", closefd=False), sys.stdout)
    sys.stderr = messages(2, sys.stderr, closefd=False)


def messages(descriptor: int, like: TextIO | None, *, closefd: bool = True) -> TextIO:
    """Return a text stream that drops what cannot be written, with the encoding of another stream."""
    return _text(_Messages(descriptor, "w", closefd=closefd), like)


class _Messages(io.FileIO):
    """What a person reads on the way: a full disk or a reader that has gone is no reason to stop."""

    def write(self, content: bytes) -> int:  # type: ignore[override]
        """Write bytes, or drop them."""
        try:
            return super().write(content)
        except OSError:
            return len(content)


class _Results(io.FileIO):
    """What was asked for: the first failure to write it is an error, and what comes after is dropped."""

    _failed = False

    def write(self, content: bytes) -> int:  # type: ignore[override]
        """Write bytes.

        Raises:
            NoReader: the pipe is closed at its other end.
            OutputError: they cannot be written.
        """
        if self._failed:  # The stream tries again what is in its buffer, at the latest when Python ends.
            return len(content)
        try:
            return super().write(content)
        except BrokenPipeError:
            self._failed = True
            raise NoReader("nobody reads the output any more") from None
        except OSError as exc:
            self._failed = True
            raise OutputError(f"cannot write to stdout: {exc.strerror or exc}") from exc


def _text(raw: io.FileIO, like: TextIO | None) -> TextIO:
    encoding = getattr(like, "encoding", None) or "utf-8"
    return io.TextIOWrapper(io.BufferedWriter(raw), encoding, "backslashreplace", line_buffering=True)


def _open_if_closed(descriptor: int) -> None:
    try:
        os.fstat(descriptor)
    except OSError:
        opened = os.open(os.devnull, os.O_RDWR)
        if opened == descriptor:
            os.set_inheritable(descriptor, True)
        else:
            os.dup2(opened, descriptor)
            os.close(opened)
