"""Keep the chatter of native code off the terminal. It is imported before TensorFlow, and imports nothing heavy."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from labeler import streams


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
    """Send what native code writes to stderr nowhere: rows say what is wrong with a picture. Python's stderr stays."""
    sys.stderr.flush()
    before = sys.stderr
    with streams.messages(os.dup(2), before) as own:
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        if _writes_to_2(before):
            sys.stderr = own
        try:
            yield
        finally:
            sys.stderr = before
            own.flush()
            os.dup2(own.fileno(), 2)


def _writes_to_2(stream: TextIO) -> bool:
    try:
        return stream.fileno() == 2
    except (OSError, ValueError):  # A stream in memory, or a closed one.
        return False
