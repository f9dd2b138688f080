"""Names in batches of a size that adapts to how fast they are labelled."""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import islice

from labeler.member import Member
from labeler.profile import Profile, Spent

FIRST_BATCH, LARGEST_BATCH = 4, 512
"""Files in the first batch, and the upper limit of those that take `BATCH_S`."""

LARGEST_BLOCK = 512
"""Upper limit on the members of a batch that is made longer than it should be, to the end of a block; or twice as many
as it should have."""

_GROWTH = 4
"""How many times as large a batch may be as the one that says how long it will take."""

_MEMORY = 0.8
"""How much of what earlier batches say counts beside the last one: photos of one folder are alike."""

BATCH_S = 0.05
"""Target for the duration of a batch: long enough to make the traffic between processes cheap (crops: 14,300 per second
in batches of 512, 11,400 in batches of 32), short enough to spread large photos evenly over the workers."""

REMOTE_BATCH_S = 0.5
"""Target for the duration of a batch of a store that answers after milliseconds: a worker waits for the first file of
each batch."""


class Batches:
    """Cuts names into batches, each when a worker is ready for it.

    ``size`` fixes the number of files of a batch; 0 adapts it to take ``batch_s`` seconds, and keeps together the
    members of a shard that are decoded together.
    """

    def __init__(self, size: int, profile: Profile, batch_s: float = BATCH_S) -> None:
        self._names: Iterator[str] = iter(())
        self._left: list[str] = []
        """The name that was taken too many."""
        self._adapts = not size
        self._size = size or FIRST_BATCH
        self._profile = profile
        self._batch_s = batch_s
        self._files = self._seconds = 0.0
        """Of the batches that were done lately."""
        self._started = time.perf_counter()

    def of(self, names: Iterator[str]) -> Iterator[list[str]]:
        """Yield the batches of some names; the time that finding them takes is added to the profile."""
        self._names, self._left = names, []
        while batch := self._next():
            yield batch

    def note_done(self, files: int, spent: Spent) -> None:
        """Adapt the size to a batch that was labelled, and to how long a worker took for it; add it to the profile."""
        self._profile.spent.add(spent)
        self._profile.first_rows_s = self._profile.first_rows_s or time.perf_counter() - self._started
        if self._adapts and spent.whole_s:
            self._files = self._files * _MEMORY + files
            self._seconds = self._seconds * _MEMORY + spent.whole_s
            wanted = round(self._files / self._seconds * self._batch_s)
            most = min(max(_GROWTH * files, self._size), round(LARGEST_BATCH * self._batch_s / BATCH_S))
            self._size = max(1, min(wanted, most))

    def _next(self) -> list[str]:
        began = time.perf_counter()
        batch = [*self._left, *islice(self._names, self._size - len(self._left))]
        self._left = []
        if self._adapts and batch and isinstance(batch[-1], Member) and batch[-1].block is not None:
            self._complete(batch)
        self._profile.discover_s += time.perf_counter() - began
        return batch

    def _complete(self, batch: list[str]) -> None:
        """Add the rest of the last name's block."""
        last = batch[-1]
        assert isinstance(last, Member)
        for name in self._names:
            together = isinstance(name, Member) and name.block == last.block and name.shard == last.shard
            if not together or len(batch) >= max(LARGEST_BLOCK, 2 * self._size):
                self._left = [name]
                return
            batch.append(name)
