"""What the actors of `ray_driver` do."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from labeler import storage
from labeler.executors.processes import Processes


def make_task(seconds: float, ending: frozenset[str]) -> Callable[[Sequence[str]], list[int]]:
    """Return what the process below an actor does with a unit: it returns the process."""

    def task(units: Sequence[str]) -> list[int]:
        for unit in units:
            time.sleep(seconds)
            if unit in ending:
                os.kill(os.getpid(), signal.SIGSEGV)
        return [os.getpid()]

    return task


def lost(_: str, reason: str) -> list[int]:
    return [-1 if "SIGSEGV" in reason else 0]


def make_work(folder: str, seconds: float, ending: frozenset[str]) -> Callable[[int], dict[str, Any]]:
    """Return what an actor does with a unit."""
    executor = Processes(1, lost)

    def work(unit: int) -> dict[str, Any]:
        (below,) = next(executor.map(partial(make_task, seconds, ending), [[str(unit)]]))
        put = storage.at(folder).write_new(f"{unit:08}", str(unit).encode())
        return {"unit": unit, "actor": os.getpid(), "below": below, "put": put, "at": time.time()}

    return work
