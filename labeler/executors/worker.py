"""What runs in a worker process. Only processes that an executor starts are set up; no other process is changed."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Sequence
from multiprocessing.connection import Connection
from typing import Any, Generic

from labeler import native_output
from labeler.executors import deadline
from labeler.executors.executor import MakeTask, Result

KEPT_BYTES = 1 << 25
"""Upper limit on the free memory that a worker keeps, and on a block that malloc takes from that memory instead of
asking the system for it; glibc refuses more."""


class Worker(Generic[Result]):
    """A task, with the deadline of each item."""

    def __init__(self, make_task: MakeTask[Result], longest_s: float) -> None:
        self._task = make_task()
        self._longest_s = longest_s

    def __call__(self, batch: Sequence[str]) -> Result:
        """Return the task's result; this process ends if an item takes more than ``longest_s`` of CPU time."""
        with deadline.Limited(batch, self._longest_s) as items:
            return self._task(items)


_worker: Worker[Any]
"""The worker of a process of a pool: made once, when the process starts, so that its model is loaded once."""


def start(make_task: MakeTask[Any], longest_s: float) -> None:
    """Start a worker of a process pool: its initializer."""
    global _worker  # The one state of a worker process.
    begin()
    _worker = Worker(make_task, longest_s)


def run(batch: Sequence[str]) -> Any:
    """Return the result of a batch, in a worker of a process pool."""
    return _worker(batch)


def run_one_by_one(make_task: MakeTask[Any], longest_s: float, batch: Sequence[str], sender: Connection) -> None:
    """Send a pair for each item of a batch, as soon as it is done: its result and None, or None and what was raised."""
    begin()
    try:
        worker = Worker(make_task, longest_s)
        for item in batch:
            sender.send((worker([item]), None))
    except Exception as exc:  # noqa: BLE001 - it travels to where the results are awaited
        sender.send((None, exc))


def begin() -> None:
    """Set this process up: quiet decoders, SIGINT ignored, memory kept, and an end when its parent has ended."""
    native_output.listen()
    threading.Thread(target=_end_with_parent, daemon=True).start()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole process group; the parent decides.
    _settle_memory()


def _settle_memory() -> None:
    """Prepare this process to decode many photos: in one thread, in memory that it keeps in between.

    The C library gives large blocks back to the system after each photo, and the page faults of the next one cost 15%
    of the time at 12 megapixels.
    """
    import cv2  # Deferred, both: a process that hands out batches decodes nothing.

    from labeler import heap

    cv2.setNumThreads(1)
    heap.keep(KEPT_BYTES)


def _end_with_parent() -> None:
    """End this process when its parent has ended: a killed parent tells nobody, and this one would wait for ever."""
    parent = multiprocessing.parent_process()
    if parent:
        parent.join()
        os._exit(1)
