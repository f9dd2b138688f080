"""Where the work runs: in this process, or in one process per core. Nothing else is known here."""

from __future__ import annotations

import contextlib
import itertools
import math
import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import forkserver
from pathlib import Path
from typing import Any, TypeVar

from labeler.errors import OutputError

Result = TypeVar("Result")
Task = Callable[[Sequence[str]], Result]
Maker = Callable[[], Task[Result]]
"""Makes the task where it runs, so that a process that only hands out batches loads nothing for it. Picklable."""

_task: Task[Any]
"""The one task of a worker process, set once when it starts, so that its model is loaded once."""


def cores() -> int:
    """Return how many cores this process may use: by its affinity, and by the quota of its container."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return math.ceil(min(count, quota(Path("/proc/self/cgroup"), Path("/sys/fs/cgroup")))) or 1


def quota(membership: Path, mounted: Path) -> float:
    """Return how many cores' time control groups grant this process; infinity without a limit.

    See "CPU Interface Files" in the Linux kernel's documentation of control groups, version 2; of version 1 only the
    group that a container sees as its own is known.
    """
    granted = [math.inf]
    with contextlib.suppress(OSError, ValueError):
        own = next(line[3:] for line in membership.read_text().splitlines() if line.startswith("0::"))
        for group in (mounted / own.strip("/"), *(mounted / own.strip("/")).parents):
            if group.is_relative_to(mounted):
                granted += _granted(group / "cpu.max")
    with contextlib.suppress(OSError, ValueError):
        limit, period = (int((mounted / "cpu" / f"cpu.cfs_{name}_us").read_text()) for name in ("quota", "period"))
        granted += [limit / period] if limit > 0 else []
    return min(granted)


def _granted(file: Path) -> list[float]:
    with contextlib.suppress(OSError, ValueError, ZeroDivisionError):
        limit, period = file.read_text().split()
        return [int(limit) / int(period)] if limit != "max" else []
    return []


def warm_up() -> None:
    """Let the process that workers are forked from load its modules while this one loads its own."""
    if cores() > 1 and isinstance(_context(), multiprocessing.context.ForkServerContext):
        forkserver.ensure_running()


def in_order(make_task: Maker[Result], batches: Iterable[Sequence[str]], workers: int) -> Iterator[Result]:
    """Yield ``make_task()(batch)`` for every batch, in the order of the batches, with a bounded number in flight.

    One worker, or one batch, runs in this process; more run in processes of their own. Each makes the task once.

    Raises:
        OutputError: a worker process died.
        Exception: whatever the task raises.
    """
    remaining = iter(batches)
    first = list(itertools.islice(remaining, 2))
    if workers == 1 or len(first) < 2:
        yield from map(make_task(), itertools.chain(first, remaining))
        return
    try:
        yield from _in_processes(make_task, itertools.chain(first, remaining), workers)
    except BrokenProcessPool as exc:
        raise OutputError(
            "a worker process died, perhaps for want of memory; what is done is kept: "
            "run the same command to continue, with fewer --workers if it happens again"
        ) from exc


def _in_processes(make_task: Maker[Result], batches: Iterable[Sequence[str]], workers: int) -> Iterator[Result]:
    in_flight: deque[Future[Result]] = deque()
    with ProcessPoolExecutor(workers, _context(), _start_worker, (make_task,)) as pool:
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
    context.set_forkserver_preload(["labeler.labeling", "labeler.pipeline"])
    return context


def _start_worker(make_task: Maker[Any]) -> None:
    global _task  # The one state of a worker process.
    with open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), 2)  # Decoders talk there about pictures whose rows say it already.
    threading.Thread(target=_end_with_parent, daemon=True).start()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides.
    _task = make_task()


def _end_with_parent() -> None:
    """End this worker when its parent has died: killed, it could not say so, and we would wait for ever."""
    parent = multiprocessing.parent_process()
    if parent:
        parent.join()
        os._exit(1)


def _run(batch: Sequence[str]) -> Any:
    return _task(batch)
