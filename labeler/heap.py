"""The memory that this process keeps for its next blocks, and how often it is tidied: set for one kind of work."""

from __future__ import annotations

import ctypes
import gc
import os
from collections.abc import Iterator
from contextlib import contextmanager

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8  # malloc.h

_SMALL_BYTES = 1 << 17
"""Upper limit on a free block that stays in the process: what glibc begins with, and raises as it meets larger ones."""

_MADE = 1 << 17
"""How many more objects than were given back are made before Python looks for reference cycles: by default 700."""

_ARENAS = 2
"""Upper limit on the heaps of `give_back`: as many as processor cores that a small machine has."""


def keep(most_bytes: int) -> None:
    """Keep so much free memory, and blocks of that size: for one thread that needs the same again and again.

    This and `give_back` do nothing where the C library is not glibc.
    """
    _set((_M_TRIM_THRESHOLD, most_bytes), (_M_MMAP_THRESHOLD, most_bytes))


def give_back() -> None:
    """Give large blocks back to the system, and let threads share heaps: for threads that run for long and need little.

    By default each thread has a heap of its own, and keeps in it what it has needed once.
    """
    _set((_M_ARENA_MAX, _ARENAS), (_M_TRIM_THRESHOLD, _SMALL_BYTES), (_M_MMAP_THRESHOLD, _SMALL_BYTES))


@contextmanager
def few_collections() -> Iterator[None]:
    """Look for reference cycles seldom: rows by the ten thousand are none, and looking takes a seventh of the time."""
    before = gc.get_threshold()
    gc.set_threshold(_MADE, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)


def _set(*options: tuple[int, int]) -> None:
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if os.name == "posix" else None
    if mallopt:
        for option in options:
            mallopt(*option)
