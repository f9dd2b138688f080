"""The deadline of an item: a CPU time limit (ITIMER_PROF) that ends the worker process that exceeds it."""

from __future__ import annotations

import signal
from collections.abc import Iterator, Sequence
from typing import Any, Self

LONGEST_S = 60.0
"""Upper limit on the CPU time of one item: native code that loops for ever cannot be stopped in any other way.

The slowest photo of 24 megapixels took 1.1 s. A scan of a JPEG takes 10 bytes and, at 25 megapixels, 2 ms, so that a
file of 1 MB can take minutes."""


class Limited(Sequence[str]):
    """Items of which each may take ``longest_s`` from when an iteration yields it until the next one is asked for.

    Whoever looks at one by its place, to prepare for it, starts no limit. SIGPROF ends a process that exceeds it. Use
    it as a context: there is no limit behind the block.
    """

    def __init__(self, items: Sequence[str], longest_s: float) -> None:
        self._items = items
        self._longest_s = longest_s

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        _limit_cpu_time(0)

    def __iter__(self) -> Iterator[str]:
        for item in self._items:
            _limit_cpu_time(self._longest_s)
            yield item
        _limit_cpu_time(0)

    def __len__(self) -> int:
        return len(self._items)

    def __getitem__(self, place: Any) -> Any:
        return self._items[place]


def given_up(cause: str, longest_s: float) -> str:
    """Return why there is no result for an item, from the name of the signal that ended each process that read it."""
    if cause == "SIGPROF":
        return f"reading it takes more than {longest_s:g} s of processor time"
    return f"reading it ended the process: {cause}"


def _limit_cpu_time(seconds: float) -> None:
    """Start the timer anew; 0 stops it."""
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_PROF, seconds)
