"""Supervised worker processes: a process pool, and what happens when one of its processes dies."""

from __future__ import annotations

import contextlib
import itertools
import logging
import signal
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from typing import Generic

from labeler.errors import OutputError, one_line
from labeler.executors import deadline, fork_server, worker
from labeler.executors.executor import InProcess, MakeTask, Result

Lost = Callable[[str, str], Result]
"""Makes the result of an item that no process survives, from the item and the reason in words."""

_CHANCES = 2
"""How many processes an item may end before it is given up: the first time, memory may have been short."""

_MOST_DEATHS = 10
"""Upper limit on the items given up in a row: more are no accident."""

_ADVICE = (
    "Perhaps memory is short; what is done is kept: run the same command to continue, with fewer --workers if it "
    "happens again"
)

_DYING = (EOFError, ConnectionError)
"""What starting a process raises where that process, or the fork server, dies meanwhile."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Processes(Generic[Result]):
    """Work in processes of its own, at most one for each batch, supervised.

    A worker process may die, of a bug in a decoder, of its deadline, or because the system is short of memory. The
    batches in flight are then run again, item by item, to find the item that kills. For that one, what ``lost`` makes
    of it is yielded instead. So a batch may give several results. Where no process can be started, a warning is logged
    and the work runs in this one.
    """

    workers: int
    lost: Lost[Result] | None = None
    preload: Sequence[str] = ()
    """The modules that the fork server imports for all workers, unless it runs already."""
    longest_s: float = deadline.LONGEST_S
    """Upper limit on the CPU time that an item may take."""

    def map(self, make_task: MakeTask[Result], batches: Iterable[Sequence[str]]) -> Iterator[Result]:
        """Yield the results in order, with at most twice as many batches in flight as workers; see `Executor.map`.

        Raises:
            OutputError: a process died and ``lost`` is None, or processes die whatever they are given, or at once.
            Exception: whatever the task raises.
        """
        with contextlib.closing(Crew(self, make_task)) as crew:
            yield from crew.results(batches)

    @contextlib.contextmanager
    def started(self, make_task: MakeTask[Result]) -> Iterator[Callable[[Iterable[Sequence[str]]], Iterator[Result]]]:
        """See `Executor.started`: processes are kept from one call to the next."""
        with contextlib.closing(Crew(self, make_task)) as crew:
            crew.begin()
            yield crew.results


class Crew(Generic[Result]):
    """The processes of a `Processes`, started when they are needed."""

    def __init__(self, executor: Processes[Result], make_task: MakeTask[Result]) -> None:
        self._executor = executor
        self._make_task = make_task
        self._given_up_in_a_row = 0
        self._pool: ProcessPoolExecutor | None = None

    def begin(self) -> None:
        """Start all processes, so that they make their tasks while there is no batch yet.

        What goes wrong with that goes wrong with the first batches, too, and is said then.
        """
        with contextlib.suppress(*_DYING, *fork_server.IMPOSSIBLE, BrokenProcessPool):
            self._pool = self._new_pool()
            for _ in range(self._executor.workers):
                self._pool.submit(worker.run, ())

    def close(self) -> None:
        """End the processes; what they have not begun is not done."""
        pool, self._pool = self._pool, None
        if pool:
            pool.shutdown(cancel_futures=True)  # Not cancel(): the pool's own thread may be failing them just now.

    def results(self, batches: Iterable[Sequence[str]]) -> Iterator[Result]:
        """Yield the results of all batches, see `Processes.map`; start a new pool after each death."""
        batches = iter(batches)
        try:
            while suspects := (yield from self._until_one_dies(batches)):
                for batch in suspects:
                    yield from self._one_by_one(batch)
        except _NoWorkersError as exc:
            _log.warning("labeler: no worker processes, everything runs in this one: %s", exc)
            here: InProcess[Result] = InProcess()
            yield from here.map(self._make_task, itertools.chain(exc.unfinished, batches))

    def _until_one_dies(self, batches: Iterator[Sequence[str]]) -> Generator[Result, None, list[Sequence[str]]]:
        """Yield results until all are there, or return the batches that a dead process leaves unfinished."""
        unfinished: deque[Sequence[str]] = deque()
        futures: deque[Future[Result]] = deque()
        try:
            for batch in batches:
                unfinished.append(batch)
                with _starting():
                    self._pool = self._pool or self._new_pool()
                    futures.append(self._pool.submit(worker.run, batch))
                while futures and (futures[0].done() or len(futures) > 2 * self._executor.workers):
                    yield _oldest(futures, unfinished)
            while futures:
                yield _oldest(futures, unfinished)
        except BrokenProcessPool:
            self.close()
            return list(unfinished)
        except _NoWorkersError as exc:
            self.close()
            exc.unfinished = list(unfinished)
            raise
        return []

    def _new_pool(self) -> ProcessPoolExecutor:
        """Return a pool, which starts a process for a batch that no idle one can take."""
        context = fork_server.context(self._executor.preload)
        initial = (self._make_task, self._executor.longest_s)
        return ProcessPoolExecutor(self._executor.workers, context, worker.start, initial)

    def _one_by_one(self, batch: Sequence[str]) -> Iterator[Result]:
        """Run the items of a batch each by itself; give up an item that ends its process twice."""
        if not self._executor.lost:
            raise OutputError(f"a worker process died. {_ADVICE}")
        ended = 0
        while batch:
            done, cause = yield from self._until_it_dies(batch)
            batch = batch[done:]
            if done:
                ended = self._given_up_in_a_row = 0
            ended += 1
            if batch and ended == _CHANCES:
                self._given_up_in_a_row += 1
                if self._given_up_in_a_row > _MOST_DEATHS:
                    raise OutputError(f"worker processes keep dying ({cause}). {_ADVICE}")
                yield self._executor.lost(batch[0], deadline.given_up(cause, self._executor.longest_s))
                batch, ended = batch[1:], 0

    def _until_it_dies(self, batch: Sequence[str]) -> Generator[Result, None, tuple[int, str]]:
        """Yield the result of each item, made by one process; return how many there are, and what ended the process."""
        try:
            with _starting():
                context = fork_server.context(self._executor.preload)
                receiver, sender = context.Pipe(duplex=False)
                given = (self._make_task, self._executor.longest_s, batch, sender)
                process = context.Process(target=worker.run_one_by_one, args=given)  # type: ignore[attr-defined]
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


def _oldest(futures: deque[Future[Result]], unfinished: deque[Sequence[str]]) -> Result:
    """Wait for the result of the batch that was submitted first, and forget the batch once the result is there."""
    result = futures[0].result()
    futures.popleft()
    unfinished.popleft()
    return result


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
    except fork_server.IMPOSSIBLE as exc:
        raise _NoWorkersError(one_line(exc)) from exc


def _cause(exit_code: int | None) -> str:
    """Return the name of the signal that ended a process, or its exit code in words."""
    with contextlib.suppress(ValueError):
        return signal.Signals(-(exit_code or 0)).name
    return f"exit code {exit_code}"
