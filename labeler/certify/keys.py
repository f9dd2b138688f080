"""Give each face a pseudo-random key that only its file, its box and a seed decide: the order of a blind sample."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice

import numpy as np
from numpy.typing import NDArray

Keys = NDArray[np.uint64]

_CHUNK = 4096
"""Faces that are hashed at once: their names become one matrix, as wide as the longest of them."""

_WEYL, _FIRST, _SECOND = (np.uint64(number) for number in (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB))
"""The constants of SplitMix64 (Steele, Lea and Flood, 2014)."""


def of_faces(files: Iterable[str], boxes: NDArray[np.floating], seed: int = 0) -> Keys:
    """Return a key for each face: uniform over 64 bits, the same in any order of the rows and on any machine.

    ``boxes`` (n, 4) holds x, y, width and height; NaN stands for a box that the table does not have. Two rows have
    one key only if they have one file and one box.
    """
    found: Keys = np.empty(len(boxes), np.uint64)
    end = 0
    for chunk in _chunks(files):
        begin, end = end, end + len(chunk)
        keys = _of_names(chunk, seed)
        for column in boxes[begin:end].T:
            sides = column.astype(np.float64) + 0.0
            keys = _mixed(keys ^ np.where(np.isnan(sides), np.nan, sides).view(np.uint64))
        found[begin:end] = keys
    return found


def _of_names(names: list[bytes], seed: int) -> Keys:
    width = max(map(len, names)) // 8 + 1
    padded = b"".join(name.ljust(8 * width, b"\0") for name in names)
    words = np.frombuffer(padded, "<u8").reshape(-1, width)
    lengths = np.fromiter(map(len, names), np.uint64, len(names))
    keys = _mixed(lengths ^ np.uint64(seed))
    for column in range(width):  # A word beyond a name's end counts for nothing: the chunk must not change a key.
        inside = lengths > np.uint64(8 * column)
        keys = np.where(inside, _mixed(keys ^ words[:, column]), keys)
    return keys


def _mixed(keys: Keys) -> Keys:
    """Return the finalizer of SplitMix64: each bit of the input changes half of the output's."""
    keys = keys + _WEYL
    keys = (keys ^ (keys >> np.uint64(30))) * _FIRST
    keys = (keys ^ (keys >> np.uint64(27))) * _SECOND
    return keys ^ (keys >> np.uint64(31))


def _chunks(files: Iterable[str]) -> Iterator[list[bytes]]:
    left = iter(files)
    while chunk := [name.encode("utf-8", "surrogatepass") for name in islice(left, _CHUNK)]:
        yield chunk
