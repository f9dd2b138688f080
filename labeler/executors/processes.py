"""Where the work runs: in this process, or in one process per core, and how those are set up."""

from __future__ import annotations

import contextlib
import itertools
import logging
import signal
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.connection import Connection
from typing import Any, TypeVar

from labeler.errors import OutputError, one_line
from labeler.executors import worker
from labeler.executors.cores import cores

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

_IMPOSSIBLE = (OSError, ImportError)
"""What starting a process raises where that is impossible: too many of them, or no semaphores (/dev/shm)."""

_DYING = (EOFError, ConnectionError)
"""What it raises where the process, or the server that it is forked from, dies while it starts."""

_log = logging.getLogger(__name__)

_task: Task[Any]
"""The one task of a worker process, set once when it starts, so that its model is loaded once."""


def warm_up() -> None:
    """Let the process that workers are forked from load its modules while this one loads its own."""
    if cores() > 1:
        with contextlib.suppress(*_IMPOSSIBLE):  # Who needs a worker is told.
            worker.context()


def in_order(
    make_task: Maker[Result], batches: Iterable[Sequence[str]], workers: int, lost: Lost[Result] | None = None
) -> Iterator[Result]:
    """Yield ``make_task()(batch)`` for every batch, in the order of the batches, with a bounded number in flight.

    One worker, or one batch, runs in this process; more run in processes of their own. Each makes the task once.

    A process may die, of a bug in a decoder or because the system is short of memory. The batches in flight are then
    run again, item by item, so that it is known which one kills; for that one, what ``lost`` makes of it and of the
    cause is yielded instead. So a batch may give several results. Where no processes can be started, a warning is
    logged and the work runs in this one.

    Raises:
        OutputError: a process died and ``lost`` is None, or processes die whatever they are given, or at once.
        Exception: whatever the task raises.
    """
    remaining = iter(batches)
    first = list(itertools.islice(remaining, 2))
    remaining = itertools.chain(first, remaining)
    if workers == 1 or len(first) < 2:
        yield from map(make_task(), remaining)
        return
    deaths = _Deaths()
    try:
        while suspects := (yield from _until_one_dies(make_task, remaining, workers)):
            if not lost:
                raise OutputError(f"a worker process died. {_ADVICE}")
            for batch in suspects:
                yield from _one_by_one(make_task, batch, lost, deaths)
    except _NoWorkersError as exc:
        _log.warning("labeler: no worker processes, everything runs in this one: %s", exc)
        yield from map(make_task(), itertools.chain(exc.unfinished, remaining))


def _until_one_dies(
    make_task: Maker[Result], batches: Iterator[Sequence[str]], workers: int
) -> Generator[Result, None, list[Sequence[str]]]:
    """Yield results until all are there, or return the batches whose results a dead process keeps from coming."""
    in_flight: deque[tuple[Sequence[str], Future[Result]]] = deque()
    submitted: Sequence[str] = ()
    with _starting():
        new_pool = ProcessPoolExecutor(workers, worker.context(), _start_worker, (make_task,))
    with new_pool as pool:
        try:
            for submitted in batches:
                with _starting():
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
        except _NoWorkersError as exc:
            exc.unfinished = [*(batch for batch, _ in in_flight), submitted]
            raise
        finally:
            pool.shutdown(cancel_futures=True)  # Not cancel(): the pool's own thread may be failing them all just now.
    return []


class _NoWorkersError(Exception):
    """No process can be started; the results of the ``unfinished`` batches have not come."""

    unfinished: Sequence[Sequence[str]] = ()


@contextlib.contextmanager
def _starting() -> Iterator[None]:
    """Raise OutputError where a process dies while it starts, as this one would, _NoWorkersError where none can be."""
    try:
        yield
    except _DYING as exc:
        raise OutputError(f"worker processes die while they start. {_ADVICE}") from exc
    except _IMPOSSIBLE as exc:
        raise _NoWorkersError(one_line(exc)) from exc


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
    try:
        with _starting():
            context = worker.context()
            receiver, sender = context.Pipe(duplex=False)
            process = context.Process(target=_send, args=(make_task, batch, sender))  # type: ignore[attr-defined]
            process.start()
    except _NoWorkersError as exc:
        raise OutputError(f"no other worker process can be started ({exc}). {_ADVICE}") from exc
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


def _start_worker(make_task: Maker[Any]) -> None:
    global _task  # The one state of a worker process.
    worker.begin()
    from labeler.images.decode import settle_process  # Deferred: a process that hands out batches decodes nothing.

    settle_process()
    _task = make_task()


def _run(batch: Sequence[str]) -> Any:
    return _task(batch)
