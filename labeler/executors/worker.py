"""What a worker process is, and how one begins. Only what an executor starts is a worker; no other process is changed.

Standard library only: the command line starts the workers' server before it loads anything else.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import tempfile
import threading
from multiprocessing import forkserver, resource_tracker

from labeler import native_output

_SOCKET = "/pymp-12345678/listener-12345678"
"""What multiprocessing adds to the folder for temporary files."""

_LONGEST_SOCKET = 100
"""More bytes have no room in the address of a socket, on some systems; on Linux it is 107."""

_begun = False
"""Whether this process is a worker of ours, and not just anybody's child process."""


def context() -> multiprocessing.context.BaseContext:
    """Return how workers are started: forked from a clean server; forking this process would copy its threads' locks.

    The server listens at a socket below the folder for temporary files. Where its path would be too long, or there is
    no such server, each worker is started anew, which takes longer.
    """
    reachable = len(os.fsencode(tempfile.gettempdir() + _SOCKET)) <= _LONGEST_SOCKET
    if not reachable or "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    forking = multiprocessing.get_context("forkserver")
    forking.set_forkserver_preload(["labeler.labeling", "labeler.pipeline"])
    _start_server()
    return forking


def begin() -> None:
    """Make this process a worker: silent, deaf to Ctrl-C, and gone when its parent is."""
    global _begun
    _begun = True
    native_output.listen()
    threading.Thread(target=_end_with_parent, daemon=True).start()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides.


def allow(seconds: float) -> None:
    """Let this process have so much processor time from now on, 0 for any; a worker that takes more is ended.

    Any other process is left alone: nobody would go on without it.
    """
    if _begun and hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_PROF, seconds)


def _start_server() -> None:
    """Start the process that workers are forked from, if it does not run, deaf to Ctrl-C while it loads its modules."""
    resource_tracker.ensure_running()  # Before the server, whose start would otherwise do it: it unblocks signals.
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        forkserver.ensure_running()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)


def _end_with_parent() -> None:
    """End this worker when its parent has died: killed, it could not say so, and we would wait for ever."""
    parent = multiprocessing.parent_process()
    if parent:
        parent.join()
        os._exit(1)
