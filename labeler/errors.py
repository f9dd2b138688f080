"""The expected errors, each with the exit code of the command that it stops."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager


class LabelerError(Exception):
    """An expected error, shown as one line. The base class: wrong use of a command or an option."""

    exit_code = 2
    kind = "usage"
    """Its name in the output of `--json`."""


class NoPicturesError(LabelerError):
    """No photo was found in the inputs."""

    exit_code = 3
    kind = "no_pictures"


class ModelError(LabelerError):
    """The model is missing, damaged, or has no class names."""

    exit_code = 4
    kind = "model"


class OutputError(LabelerError):
    """The output cannot be written, for example because the disk is full."""

    exit_code = 5
    kind = "output"


class InputGoneError(LabelerError):
    """An input folder went away while it was read, for example because its disk was unplugged."""

    exit_code = 6


class Interrupted(LabelerError):  # noqa: N818 - the user's wish, not an error
    """The user stopped the run; it can be continued."""

    exit_code = 130
    kind = "interrupted"


class NoReader(LabelerError):  # noqa: N818 - no error, as when `head` has read enough
    """The reader of stdout has closed the pipe. The exit code is that of shells, 128 + SIGPIPE."""

    exit_code = 141
    kind = "no_reader"


def printable(text: str) -> str:
    """Escape line breaks and control characters, so that a text is one line and a terminal obeys none of it."""
    if text.isprintable():
        return text
    return "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in text)


def one_line(foreign: object) -> str:
    """Return the first line of a foreign exception or text, at most 300 characters, `printable`."""
    return printable(str(foreign).strip().partition("\n")[0][:300])


@contextmanager
def needs(extra: str, *modules: str) -> Iterator[None]:
    """Turn a failed import of one of ``modules`` inside the block into an error that names the extra to install.

    Raises:
        LabelerError: one of ``modules`` is not installed.
    """
    try:
        yield
    except ModuleNotFoundError as exc:
        missing = (exc.name or "").partition(".")[0]
        if missing not in modules:
            raise
        command = f"{sys.executable} -m pip install 'labeler[{extra}]'"
        raise LabelerError(f"this needs {missing}, which is not installed. Install it with: {command}") from exc
