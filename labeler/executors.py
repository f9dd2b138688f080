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
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import forkserver
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, TypeVar

from labeler.errors import OutputError

Result = TypeVar("Result")
Task = Callable[[Sequence[str]], Result]
Maker = Callable[[], Task[Result]]
"""Makes the task where it runs, so that a process that only hands out batches loads nothing for it. Picklable."""
Lost = Callable[[str, str], Result]
"""Makes the result of an item that no process survives, of it and of the signal's name, or the exit code in words."""

_CHANCES = 2
"""How many processes an item may kill: the first time memory may have been short."""

_MOST_DEATHS = 10
"""So many items in a row that no process survives are no accident."""

_ADVICE = (
    "Perhaps memory is short; what is done is kept: run the same command to continue, with fewer --workers if it "
    "happens again"
)

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


def in_order(
    make_task: Maker[Result], batches: Iterable[Sequence[str]], workers: int, lost: Lost[Result] | None = None
) -> Iterator[Result]:
    """Yield ``make_task()(batch)`` for every batch, in the order of the batches, with a bounded number in flight.

    One worker, or one batch, runs in this process; more run in processes of their own. Each makes the task once.

    A process may die, of a bug in a decoder or because the system is short of memory. The batches in flight are then
    run again, item by item, so that it is known which one kills; for that one, what ``lost`` makes of it and of the
    cause is yielded instead. So a batch may give several results.

    Raises:
        OutputError: a process died and ``lost`` is None, or processes die whatever they are given.
        Exception: whatever the task raises.
    """
    remaining = iter(batches)
    first = list(itertools.islice(remaining, 2))
    remaining = itertools.chain(first, remaining)
    if workers == 1 or len(first) < 2:
        yield from map(make_task(), remaining)
        return
    deaths = _Deaths()
    while suspects := (yield from _until_one_dies(make_task, remaining, workers)):
        if not lost:
            raise OutputError(f"a worker process died. {_ADVICE}")
        for batch in suspects:
            yield from _one_by_one(make_task, batch, lost, deaths)


def _until_one_dies(
    make_task: Maker[Result], batches: Iterator[Sequence[str]], workers: int
) -> Generator[Result, None, list[Sequence[str]]]:
    """Yield results until all are there, or return the batches whose results a dead process keeps from coming."""
    in_flight: deque[tuple[Sequence[str], Future[Result]]] = deque()
    submitted: Sequence[str] = ()
    with ProcessPoolExecutor(workers, _context(), _start_worker, (make_task,)) as pool:
        try:
            for submitted in batches:
                in_flight.append((submitted, pool.submit(_run, submitted)))
                submitted = ()
                while in_flight and (in_flight[0][1].done() or len(in_flight) > 2 * workers):
                    yield in_flight[0][1].result()
                    in_flight.popleft()
            while in_flight:
                yield in_flight[0][1].result()
                in_flight.popleft()
        except BrokenProcessPool:
            return [batch for batch, _ in in_flight] + ([submitted] if submitted else [])
        finally:
            pool.shutdown(cancel_futures=True)  # Not cancel(): the pool's own thread may be failing them all just now.
    return []


class _Deaths:
    """How many items in a row were given up."""

    in_a_row = 0


def _one_by_one(
    make_task: Maker[Result], batch: Sequence[str], lost: Lost[Result], deaths: _Deaths
) -> Iterator[Result]:
    """Run the items of a batch each by itself; the one that kills its process twice is given up."""
    killed = 0
    while batch:
        done, cause = yield from _until_it_dies(make_task, batch)
        batch = batch[done:]
        if done:
            killed = deaths.in_a_row = 0
        killed += 1
        if batch and killed == _CHANCES:
            deaths.in_a_row += 1
            if deaths.in_a_row > _MOST_DEATHS:
                raise OutputError(f"worker processes keep dying ({cause}). {_ADVICE}")
            yield lost(batch[0], cause)
            batch, killed = batch[1:], 0


def _until_it_dies(make_task: Maker[Result], batch: Sequence[str]) -> Generator[Result, None, tuple[int, str]]:
    """Yield the result of each item, made by one process; return how many there were, and what the process died of."""
    context = _context()
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_send, args=(make_task, batch, sender))  # type: ignore[attr-defined]
    process.start()
    sender.close()
    done = 0
    with contextlib.suppress(EOFError):
        while done < len(batch):
            result, raised = receiver.recv()
            if raised:
                raise raised
            yield result
            done += 1
    process.join()
    return done, _cause(process.exitcode)


def _cause(exit_code: int | None) -> str:
    with contextlib.suppress(ValueError):
        return signal.Signals(-(exit_code or 0)).name
    return f"exit code {exit_code}"


def _send(make_task: Maker[Any], batch: Sequence[str], sender: Connection) -> None:
    _start_worker(make_task)
    try:
        for item in batch:
            sender.send((_run([item]), None))
    except Exception as exc:  # noqa: BLE001 - it travels to where the results are awaited
        sender.send((None, exc))


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
