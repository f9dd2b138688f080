"""Time a network on face crops on one core, and keep its answers: what the scripts of networks.py share.

It needs nothing but NumPy, because each network runs in an environment of its own.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

BATCH = 64

Network = Callable[[NDArray[np.uint8]], NDArray[np.float32]]
"""Takes crops (n, 64, 64), gray, and returns probabilities (n, classes)."""


def use_one_core() -> None:
    """Keep this process, and all threads that it starts from now on, on one core; only Linux can."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})


def measure(network: Network, class_names: Sequence[str], size_bytes: int, crops: str, answers: str) -> None:
    """Run a network on a file of crops, in batches, and write its answers, with the seconds that they took.

    The first batch runs twice, and only the second time counts.
    """
    pixels = np.load(crops)
    batches = [pixels[at : at + BATCH] for at in range(0, len(pixels), BATCH)]
    network(batches[0])
    started = time.perf_counter()
    found = [network(batch) for batch in batches]
    seconds = time.perf_counter() - started
    np.savez(
        answers,
        probabilities=np.concatenate(found),
        class_names=np.array(class_names),
        seconds=seconds,
        size_bytes=size_bytes,
    )
