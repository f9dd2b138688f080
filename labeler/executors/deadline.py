"""The deadline of an item: a CPU time limit (ITIMER_PROF) that ends the worker process that exceeds it."""

from __future__ import annotations

import signal
from collections.abc import Generator, Iterable

LONGEST_S = 60.0
"""Upper limit on the CPU time of one item: native code that loops for ever cannot be stopped in any other way.

The slowest photo of 24 megapixels took 1.1 s. A scan of a JPEG takes 10 bytes and, at 25 megapixels, 2 ms, so that a
file of 1 MB can take minutes."""


def limited(items: Iterable[str], longest_s: float) -> Generator[str, None, None]:
    """Yield items, with a limit of ``longest_s`` until the next one is asked for, and none after the last.

    SIGPROF ends a process that exceeds the limit. Close the generator where it may not be exhausted.
    """
    try:
        for item in items:
            _limit_cpu_time(longest_s)
            yield item
    finally:
        _limit_cpu_time(0)


def given_up(cause: str, longest_s: float) -> str:
    """Return why there is no result for an item, from the name of the signal that ended each process that read it."""
    if cause == "SIGPROF":
        return f"reading it takes more than {longest_s:g} s of processor time"
    return f"reading it ended the process: {cause}"


def _limit_cpu_time(seconds: float) -> None:
    """Start the timer anew; 0 stops it."""
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_PROF, seconds)
