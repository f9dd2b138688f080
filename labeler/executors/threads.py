"""Work in a few threads, with the results in order: for reading and decoding, which release the interpreter's lock."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import Any, Generic, TypeVar

from labeler.executors.cores import cores

Thing = TypeVar("Thing")
Result = TypeVar("Result")

_MOST_THREADS = 4
"""Upper limit on threads that nobody asked for: each may decode a photo, which may take 300 MB."""

_MOST_WAITING = 16
"""Upper limit on calls that wait for a remote store: with 20 ms a request, 800 a second."""

_AHEAD = 4
"""Things that are waiting or done, for each thread: it never waits for the next one."""


def mapped(
    function: Callable[[Thing], Result], things: Iterable[Thing], threads: int = 0, *, waiting: bool = False
) -> Generator[Result, None, None]:
    """Yield the result for each thing, in order; things are taken a few ahead, in the caller's thread.

    For ``threads`` and ``waiting`` see `ahead`.

    When the iterator is closed early, as by Ctrl-C (use `contextlib.closing`), only the calls that began are finished.
    """
    with ahead(function, threads=threads, waiting=waiting) as working:
        for _, result in working.of(things):
            yield result()


def one_ahead(things: Iterable[Thing]) -> Iterator[Thing]:
    """Yield things while another thread makes the next one, for which Ctrl-C does not wait."""
    iterator = iter(things)
    end = object()
    pool = ThreadPoolExecutor(1)
    waits = True
    try:
        following: Future[Any] = pool.submit(next, iterator, end)
        while (thing := following.result()) is not end:
            following = pool.submit(next, iterator, end)
            yield thing
    except KeyboardInterrupt:
        waits = False
        raise
    finally:
        pool.shutdown(wait=waits)


@contextmanager
def ahead(
    do: Callable[[Thing], Result], *, threaded: bool = True, threads: int = 0, waiting: bool = False
) -> Iterator[Ahead[Thing, Result]]:
    """Yield what does ``do`` in so many ``threads``; when the block fails, only calls that began end.

    By default there is one per core, few enough to decode photos; more than that for calls that are ``waiting`` for a
    remote store most of their time. What takes less than the 50 us that a thread costs is better not ``threaded``.
    """
    threads = threads or (_MOST_WAITING if waiting else min(_MOST_THREADS, cores()))
    pool = ThreadPoolExecutor(threads)
    try:
        yield Ahead(do, pool, threads if threaded else 0)
    finally:
        pool.shutdown(cancel_futures=True)


class Ahead(Generic[Thing, Result]):
    """Does the same with every thing, in order: ahead of what is asked for or, without ``threads``, then."""

    def __init__(self, do: Callable[[Thing], Result], pool: ThreadPoolExecutor, threads: int) -> None:
        self.threads = threads
        self._do, self._pool, self._most = do, pool, threads * _AHEAD
        self._window: deque[_Job[Thing, Result]] = deque()

    def of(self, things: Iterable[Thing]) -> Iterator[tuple[Thing, Callable[[], Result]]]:
        """Yield each thing with a function that returns its result, or raises what went wrong.

        Nothing is done before the first result is asked for; then the things that follow are begun, too.
        """
        if not self._most:
            yield from ((thing, partial(self._do, thing)) for thing in things)
            return
        for thing in things:
            self._window.append(_Job(thing))
            if len(self._window) > self._most:
                yield self._next()
        while self._window:
            yield self._next()

    def _next(self) -> tuple[Thing, Callable[[], Result]]:
        job = self._window.popleft()
        return job.thing, partial(self._result, job)

    def _result(self, job: _Job[Thing, Result]) -> Result:
        for one in (job, *self._window):
            if one.future is None:
                one.future = self._pool.submit(self._do, one.thing)
        assert job.future
        return job.future.result()


class _Job(Generic[Thing, Result]):
    """A thing, and what is done with it once that is begun."""

    __slots__ = ("future", "thing")

    def __init__(self, thing: Thing) -> None:
        self.thing = thing
        self.future: Future[Result] | None = None
