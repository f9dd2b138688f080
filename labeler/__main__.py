"""Where the program starts: let the workers' modules load while the command line does, then run it."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from typing import NoReturn

from labeler import streams

WORKER_MODULES = ("labeler.labeling", "labeler.pipeline")
"""Those of the pipeline, which takes too long to be imported here."""

REMOTE_MODULES = ("labeler.storage.remote",)
"""The modules that a worker needs besides, where photos lie at an address."""


def main() -> None:
    """Run the `labeler` command."""
    streams.settle()
    use_utf8()
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # Not where Ctrl-C is to be ignored.
        signal.signal(signal.SIGINT, _stop)  # Until a command runs, which has more to say; see `cli.error_handler`.
    if will_label(sys.argv[1:]):
        from labeler import native_output  # Deferred, as all that takes time: Ctrl-C ends it at once.
        from labeler.executors import fork_server

        with native_output.decoders():  # A worker that cannot start may only say so to us.
            remote = REMOTE_MODULES if any("://" in one for one in sys.argv) else ()
            fork_server.warm_up((*WORKER_MODULES, *remote))
    from labeler.cli import app  # Deferred: it takes 0.1 s, in which the workers' modules load; workers never need it.

    app.main()


def use_utf8() -> None:
    """Begin again in Python's UTF-8 mode where the locale has another encoding; what is printed keeps that one.

    A name in a table is the same text whatever the locale is, and leads to its file: it has to be encoded in one way.
    """
    if sys.getfilesystemencoding() == "utf-8" or os.environ.get("PYTHONUTF8") == "1" or os.name == "nt":
        return
    environment = {"PYTHONIOENCODING": sys.stdout.encoding, **os.environ, "PYTHONUTF8": "1"}
    os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], environment)


def _stop(*_: object) -> NoReturn:
    """End at once: nothing is begun yet, or all is done, and an exception would be an import's or Typer's to catch."""
    print("labeler: stopped", file=sys.stderr, flush=True)
    os._exit(130)


def will_label(arguments: Sequence[str]) -> bool:
    """Say whether a command line is that of a run with worker processes, as far as that shows before it is parsed."""
    command, given = arguments[:1], arguments[1:]
    if command == ["sort"]:
        return any(map(os.path.isdir, given[:1]))  # A table has its labels already.
    return command == ["classify"] and any(_may_be_photos(one) for one in given)


def _may_be_photos(argument: str) -> bool:
    return "://" in argument or os.path.exists(argument)


if __name__ == "__main__":
    main()
