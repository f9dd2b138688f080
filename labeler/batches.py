"""Names in batches of a size that adapts to how fast they are labelled."""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import islice

from labeler.profile import Profile

FIRST_BATCH, LARGEST_BATCH = 4, 512
"""Files in the first batch, and the upper limit."""

BATCH_S = 0.05
"""Target for the duration of a batch: long enough to make the traffic between processes cheap (crops: 14,300 per second
in batches of 512, 11,400 in batches of 32), short enough to spread large photos evenly over the workers."""


class Batches:
    """The batches of a run, each taken from the names when a worker is ready for it.

    ``size`` fixes the number of files of a batch; 0 adapts it.
    """

    def __init__(self, names: Iterator[str], size: int, profile: Profile) -> None:
        self._names = names
        self._adapts = not size
        self._size = size or FIRST_BATCH
        self._profile = profile
        self._files = 0
        self._started = time.perf_counter()

    def __iter__(self) -> Iterator[list[str]]:
        """Yield the batches; the time that finding the names takes is added to the profile."""
        while batch := self._next():
            yield batch

    def note_done(self, files: int) -> None:
        """Adapt the size to a batch that was labelled.

        The time since the start includes loading the models: the first guess must be too small, never too large.
        """
        elapsed = time.perf_counter() - self._started
        self._profile.first_rows_s = self._profile.first_rows_s or elapsed
        self._files += files
        if self._adapts:
            per_batch = self._files / elapsed / self._profile.workers * BATCH_S
            self._size = min(max(round(per_batch), 1), LARGEST_BATCH)

    def _next(self) -> list[str]:
        began = time.perf_counter()
        batch = list(islice(self._names, self._size))
        self._profile.discover_s += time.perf_counter() - began
        return batch
