"""The probabilities of a table's faces, read out of what the index keeps: nobody needs those of all faces at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_AT_ONCE = 1 << 16


@dataclass(frozen=True, slots=True)
class Shares:
    """The probabilities (n, classes) of faces; places take what they take of an array of numpy."""

    parts: NDArray[np.uint16]
    """(rows, classes): the probabilities of the rows of a table, times any number; all 0 where a row has none."""
    rows: NDArray[np.int32]
    """The row of each face."""

    @property
    def shape(self) -> tuple[int, int]:
        """Return the numbers of faces and of classes."""
        return len(self.rows), self.parts.shape[1]

    def __getitem__(self, places: NDArray[np.integer] | NDArray[np.bool_] | list[int] | slice) -> NDArray[np.float32]:
        """Return the probabilities of some faces; equal ones where a face has none."""
        found = self.parts[self.rows[places]].astype(np.float32)
        found[found.sum(axis=1) == 0] = 1
        return np.asarray(found / found.sum(axis=1, keepdims=True))

    def max(self, axis: int) -> NDArray[np.float32]:
        """Return the highest probability of each face; ``axis`` is 1."""
        starts = range(0, len(self.rows), _AT_ONCE)
        parts = [self[at : at + _AT_ONCE].max(axis=axis) for at in starts]
        return np.concatenate(parts)
