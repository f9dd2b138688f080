"""The standard streams: always open and able to print any name; a failure of stderr never ends a command."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from typing import TextIO

from labeler.errors import NoReader, OutputError


def settle() -> None:
    """Open the standard streams that are closed, and replace stdout and stderr by streams with defined failures.

    The next file that is opened would get the descriptor of a closed stream, and native code would print into it.
    Characters that the encoding lacks are printed as escapes.
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
    """Return a text stream with the encoding of another stream; it drops what cannot be written."""
    return _text(_Messages(descriptor, "w", closefd=closefd), like)


class _Messages(io.FileIO):
    """The stream of messages: a full disk or a closed pipe is no reason to stop."""

    def write(self, content: bytes) -> int:  # type: ignore[override]
        """Write bytes, or drop them when that fails."""
        try:
            return super().write(content)
        except OSError:
            return len(content)


class _Results(io.FileIO):
    """The stream of results: the first failure is an error, and later writes are dropped."""

    _failed = False

    def write(self, content: bytes) -> int:  # type: ignore[override]
        """Write bytes.

        Raises:
            NoReader: the reader has closed the pipe.
            OutputError: the bytes cannot be written.
        """
        if self._failed:  # The buffer is written again, at the latest when Python exits.
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
