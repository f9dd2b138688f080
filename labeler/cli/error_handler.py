"""Turn an error into a line on stderr, an exit code and, with `--json`, an object on stdout."""

from __future__ import annotations

import contextlib
import json
import signal
import sys
import threading
from collections.abc import Iterator
from typing import Any

import typer
from typer.core import TyperGroup

from labeler.errors import Interrupted, LabelerError, NoReader, printable

_UsageError: Any = typer.BadParameter.__mro__[1]  # Typer has no public name for it.

BUG = 70
TERMINATED = 128 + signal.SIGTERM


class ErrorBoundary(TyperGroup):
    """The root command, which reports every error of the commands below it."""

    _arguments: tuple[str, ...] = ()

    def main(self, args: Any = None, **settings: Any) -> Any:  # type: ignore[override]
        """Run a command line, and remember its arguments."""
        self._arguments = tuple(sys.argv[1:] if args is None else args)
        return super().main(args, **settings)

    def make_context(self, info_name: Any, args: Any, parent: Any = None, **extra: Any) -> Any:
        """Parse the options before the command; --help and --version print here."""
        with self._told():
            return super().make_context(info_name, args, parent, **extra)

    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        with self._told():
            return super().invoke(ctx)

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        with terminable() as terminated:
            try:
                yield
            except _UsageError as exc:
                self._print_error(exc.exit_code, LabelerError.kind, exc.format_message())
                raise  # Typer prints it.
            except LabelerError as exc:
                stopped = isinstance(exc, Interrupted) and terminated
                raise self._end(TERMINATED if stopped else exc.exit_code, exc) from exc
            except KeyboardInterrupt as exc:
                code = TERMINATED if terminated else Interrupted.exit_code
                raise self._end(code, Interrupted("stopped")) from exc
            except BrokenPipeError as exc:  # Only `streams` may raise it for us. Typer would exit with 1, silently.
                raise RuntimeError(f"a pipe between processes broke: {exc}") from exc

    def _end(self, code: int, error: LabelerError) -> typer.Exit:
        """Report the error, and return the exception that ends the command; a closed pipe is not reported."""
        if not isinstance(error, NoReader):
            typer.echo(f"labeler: {printable(str(error))}", err=True)
            self._print_error(code, "terminated" if code == TERMINATED else error.kind, str(error))
        return typer.Exit(code)

    def _print_error(self, code: int, kind: str, message: str) -> None:
        if "--json" in self._arguments:
            print_error(code, kind, message)


def print_error(code: int, kind: str, message: str) -> None:
    """Print an error as JSON on stdout; if that fails, too, keep the first error."""
    with contextlib.suppress(LabelerError):
        typer.echo(json.dumps({"error": {"code": int(code), "kind": kind, "message": message}}))


@contextlib.contextmanager
def terminable() -> Iterator[list[int]]:
    """Turn SIGTERM into a `KeyboardInterrupt`, as Ctrl-C is, and append its number to the list that is yielded."""
    noted: list[int] = []

    def stop(number: int, _: Any) -> None:
        noted.append(number)
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():  # Only the main thread may set handlers.
        yield noted
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    signal.signal(signal.SIGTERM, stop)
    if before[signal.SIGINT] is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield noted
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


EXIT_CODES = (
    "Exit codes: 0 done; 1 finished, but some files failed; 2 wrong usage; 3 no photos found; "
    "4 the model cannot be used; 5 the output cannot be written; 6 the input went away; "
    "130 interrupted or 143 terminated, can be continued."
)
