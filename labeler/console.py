"""The console on stderr, for messages to people."""

from __future__ import annotations

from rich.console import Console


def stderr(*, quiet: bool = False) -> Console:
    """Return a console on stderr; without a terminal, it has 100 columns."""
    console = Console(stderr=True, highlight=False, quiet=quiet)
    return console if console.is_terminal else Console(stderr=True, highlight=False, width=100, quiet=quiet)


def say(message: str) -> None:
    """Print one line."""
    stderr().print(message, markup=False, soft_wrap=True)
