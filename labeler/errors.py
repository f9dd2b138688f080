"""The errors a user can meet, each with the exit code of the command it stops."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager


class LabelerError(Exception):
    """Stop the run with one clear line. The base of all: a wrong use of a command or an option."""

    exit_code = 2
    kind = "usage"
    """The word for it in what `--json` prints."""


class NoPicturesError(LabelerError):
    """Nothing to do: no picture was found where the user pointed."""

    exit_code = 3
    kind = "no_pictures"


class ModelError(LabelerError):
    """The model is missing, broken, or does not say what its classes are."""

    exit_code = 4
    kind = "model"


class OutputError(LabelerError):
    """What was asked for cannot be written, for example because the disk is full."""

    exit_code = 5
    kind = "output"


class InputGoneError(LabelerError):
    """A folder of pictures went away while it was read, for example because its disk was pulled."""

    exit_code = 6


class Interrupted(LabelerError):  # noqa: N818 - a wish of the user, not an error
    """The user stopped the run; it can be continued."""

    exit_code = 130
    kind = "interrupted"


class NoReader(LabelerError):  # noqa: N818 - as when `head` has seen enough, no error
    """Who was to read what is printed has gone; shells say so with 128 + SIGPIPE."""

    exit_code = 141
    kind = "no_reader"


def printable(text: str) -> str:
    """Return a text in one line, and with nothing that a terminal would obey: such characters as their escapes."""
    if text.isprintable():
        return text
    if text.isprintable():
        return text
    return "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in text)


def one_line(foreign: object) -> str:
    """Return what an exception of a foreign library says, or any text that is not ours, short and `printable`."""
    return printable(str(foreign).strip().partition("\n")[0][:300])


@contextmanager
def needs(extra: str, *modules: str) -> Iterator[None]:
    """Say which extra to install when importing one of ``modules`` fails inside the block.

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
