"""Run a function in a few threads, with its results in order: for reading and decoding, which release the GIL."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from labeler.executors.cores import cores

Thing = TypeVar("Thing")
Result = TypeVar("Result")

_MOST_THREADS = 4
"""Upper limit on photos that are decoded at a time, because each may take 300 MB."""

_AHEAD = 4
"""Things that are waiting or done, for each thread: it never waits for the next one."""


def mapped(function: Callable[[Thing], Result], things: Iterable[Thing]) -> Generator[Result, None, None]:
    """Yield the result for each thing, in order; things are taken a few ahead, in the caller's thread.

    When the iterator is closed early, as by Ctrl-C (use `contextlib.closing`), only the calls that began are finished.
    """
    threads = min(_MOST_THREADS, cores())
    pool = ThreadPoolExecutor(threads)
    pending: deque[Future[Result]] = deque()
    try:
        for thing in things:
            pending.append(pool.submit(function, thing))
            if len(pending) > _AHEAD * threads:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
