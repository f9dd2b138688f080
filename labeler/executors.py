"""Where the work runs: in this process, or in one process per core. Nothing else is known here."""

from __future__ import annotations

import itertools
import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import forkserver
from typing import Any, TypeVar

from labeler.errors import OutputError

Result = TypeVar("Result")
Task = Callable[[Sequence[str]], Result]

_task: Task[Any]
"""The one task of a worker process, set once when it starts, so that its model is loaded once."""


def cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def warm_up() -> None:
    """Let the process that workers are forked from load its modules while this one loads its own."""
    if cores() > 1 and isinstance(_context(), multiprocessing.context.ForkServerContext):
        forkserver.ensure_running()


def in_order(task: Task[Result], batches: Iterable[Sequence[str]], workers: int) -> Iterator[Result]:
    """Yield ``task(batch)`` for every batch, in the order of the batches, with a bounded number in flight.

    One worker, or one batch, runs in this process; more run in processes of their own, to which ``task`` is
    pickled once.

    Raises:
        OutputError: a worker process died.
        Exception: whatever ``task`` raises.
    """
    remaining = iter(batches)
    first = list(itertools.islice(remaining, 2))
    if workers == 1 or len(first) < 2:
        yield from map(task, itertools.chain(first, remaining))
        return
    try:
        yield from _in_processes(task, itertools.chain(first, remaining), workers)
    except BrokenProcessPool as exc:
        raise OutputError(
            "a worker process died, perhaps for want of memory; what is done is kept: "
            "run the same command to continue, with fewer --workers if it happens again"
        ) from exc


def _in_processes(task: Task[Result], batches: Iterable[Sequence[str]], workers: int) -> Iterator[Result]:
    in_flight: deque[Future[Result]] = deque()
    with ProcessPoolExecutor(workers, _context(), _start_worker, (task,)) as pool:
        try:
            for batch in batches:
                in_flight.append(pool.submit(_run, batch))
                while in_flight and (in_flight[0].done() or len(in_flight) > 2 * workers):
                    yield in_flight.popleft().result()
            while in_flight:
                yield in_flight.popleft().result()
        finally:
            for future in in_flight:
                future.cancel()


def _context() -> multiprocessing.context.BaseContext:
    """Fork from a clean server where that exists: forking this process would copy its threads' locks."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["labeler.labeling", "labeler.cli"])
    return context


def _start_worker(task: Task[Any]) -> None:
    global _task  # The one state of a worker process.
    _task = task
    with open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), 2)  # Decoders talk there about pictures whose rows say it already.
    threading.Thread(target=_end_with_parent, daemon=True).start()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides.


def _end_with_parent() -> None:
    """End this worker when its parent has died: killed, it could not say so, and we would wait for ever."""
    parent = multiprocessing.parent_process()
    if parent:
        parent.join()
        os._exit(1)


def _run(batch: Sequence[str]) -> Any:
    return _task(batch)
