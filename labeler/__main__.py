"""Where the program starts: let the workers' modules load while the command line does, then run it."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from itertools import pairwise
from typing import NoReturn


def main() -> None:
    """Run the `labeler` command."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # Not where Ctrl-C is to be ignored.
        signal.signal(signal.SIGINT, _stop)  # Until a command runs, which has more to say; see `boundary`.
    if will_label_folders(sys.argv[1:]):
        from labeler import executors, quiet  # Deferred, as all that takes time: Ctrl-C ends it at once.

        with quiet.decoders():  # A worker that cannot start may only say so to us.
            executors.warm_up()
    from labeler import cli  # Deferred: it takes 0.1 s, in which the workers' modules load; workers never need it.

    cli.main()


def _stop(*_: object) -> NoReturn:
    """End at once: nothing is begun yet, or all is done, and an exception would be an import's or Typer's to catch."""
    print("labeler: stopped", file=sys.stderr, flush=True)
    os._exit(130)


def will_label_folders(arguments: Sequence[str]) -> bool:
    """Say whether a command line is that of a run with worker processes, as far as that shows before it is parsed."""
    alone = "--workers=1" in arguments or ("--workers", "1") in pairwise(arguments)
    folders = any(os.path.isdir(argument) for argument in arguments[1:])
    return arguments[:1] == ["classify"] and folders and not alone


if __name__ == "__main__":
    main()
