"""A few rows out of a stream of many: those with the highest keys, and a random sample."""

from __future__ import annotations

import heapq

from labeler.records import Row
from labeler.selection import Selection


class Best:
    """The rows with the highest keys, the earlier of equals first. Takes memory for ``most`` rows."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._heap: list[tuple[float, int, Row]] = []
        self._offered = 0

    def offer(self, key: float, row: Row) -> None:
        """Keep a row if its key is high enough."""
        self._offered += 1
        if len(self._heap) < self._most:
            heapq.heappush(self._heap, (key, -self._offered, row._replace(probabilities=(), further=())))
        elif self._heap and key > self._heap[0][0]:
            heapq.heapreplace(self._heap, (key, -self._offered, row._replace(probabilities=(), further=())))

    def rows(self) -> list[Row]:
        """Return the rows, the highest key first."""
        return [row for *_, row in sorted(self._heap, reverse=True)]


class Sampled:
    """A random sample of rows; file, face and seed alone decide, so that a smaller one is part of a larger one."""

    def __init__(self, most: int, seed: int) -> None:
        self._best = Best(most)
        self._rank = Selection(seed=seed).rank

    def offer(self, row: Row) -> None:
        """Keep a row if it belongs to the sample of all rows so far."""
        self._best.offer(-self._rank(f"{row.file}/{row.face}"), row)

    def rows(self) -> list[Row]:
        """Return the sample, in random order."""
        return self._best.rows()
