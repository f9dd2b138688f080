"""How worker processes are started: forked from a fork server that has loaded their modules.

Standard library only: the command line starts the server before it loads anything else.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import tempfile
from collections.abc import Sequence
from multiprocessing import forkserver, resource_tracker
from multiprocessing.context import BaseContext

IMPOSSIBLE = (OSError, ImportError, NotImplementedError)
"""What starting a process raises where none can be started: too many processes, or no semaphores (/dev/shm)."""

_SOCKET = "/pymp-12345678/listener-12345678"
"""What multiprocessing appends to the folder for temporary files."""

_LONGEST_SOCKET = 100
"""Upper limit on the bytes of a socket's path: some systems have no room for more; Linux has for 107."""


def warm_up(preload: Sequence[str]) -> None:
    """Start the fork server, so that it loads the workers' modules while this process loads its own."""
    with contextlib.suppress(*IMPOSSIBLE):  # Whoever needs a worker meets it again, and says so.
        context(preload)


def context(preload: Sequence[str]) -> BaseContext:
    """Return the multiprocessing context that starts workers; it starts the fork server unless it runs already.

    This process is not forked itself: that would copy the locks that its threads hold. The server imports the modules
    in ``preload`` once, for all workers. It listens at a socket below the folder for temporary files. Where the path
    of the socket would be too long, or where there is no fork server, each worker is spawned anew, which takes longer.
    """
    reachable = len(os.fsencode(tempfile.gettempdir() + _SOCKET)) <= _LONGEST_SOCKET
    if not reachable or "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    forking = multiprocessing.get_context("forkserver")
    forking.set_forkserver_preload(list(preload))
    _start_server()
    return forking


def _start_server() -> None:
    """Start the fork server unless it runs, with SIGINT blocked while it loads its modules."""
    resource_tracker.ensure_running()  # First: the server's start would start it otherwise, and it unblocks signals.
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        forkserver.ensure_running()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
