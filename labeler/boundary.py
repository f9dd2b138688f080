"""Where an error becomes a line on stderr and an exit code."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from typing import Any

import typer
from typer.core import TyperGroup

from labeler.errors import Interrupted, LabelerError, printable


class ErrorBoundary(TyperGroup):
    """The one place where an error becomes a line on stderr and an exit code."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        with terminable() as terminated:
            try:
                return super().invoke(ctx)
            except LabelerError as exc:
                typer.echo(f"labeler: {printable(str(exc))}", err=True)
                stopped = isinstance(exc, Interrupted) and terminated
                raise typer.Exit(TERMINATED if stopped else exc.exit_code) from exc
            except KeyboardInterrupt as exc:
                typer.echo("labeler: stopped", err=True)
                raise typer.Exit(TERMINATED if terminated else Interrupted.exit_code) from exc


TERMINATED = 128 + signal.SIGTERM


@contextlib.contextmanager
def terminable() -> Iterator[list[int]]:
    """Let SIGTERM stop a command as Ctrl-C does, and note it in the list."""
    noted: list[int] = []

    def stop(number: int, _: Any) -> None:
        noted.append(number)
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():  # Only that one is told of signals.
        yield noted
        return
    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield noted
    finally:
        signal.signal(signal.SIGTERM, before)


EXIT_CODES = (
    "Exit codes: 0 done; 1 finished, but some files failed; 2 wrong usage; 3 no pictures found; "
    "4 the model cannot be used; 5 the output cannot be written; 6 the input went away; "
    "130 interrupted or 143 terminated, can be continued."
)
