"""Pictures that are nearly the same: one photograph, compressed, scaled, lit, marked or framed a little otherwise."""

from __future__ import annotations

from collections.abc import Iterator

import imagehash
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from labeler.images.crop import fingerprint
from labeler.images.picture import Pixels

Hashes = NDArray[np.uint8]
Groups = NDArray[np.int64]

HASH_BYTES = 32

NEAR = 60
"""Pictures whose hashes differ in at most so many of the 256 bits are nearly the same.

Measured on the 32,298 pictures of FER-2013, its 12 blank ones aside: 5,302 pairs are as near as this, 1,872 of them
identical; 42 of 42 that were looked at, 50 to 60 bits apart, are true. How many are near by chance shows when one of
each pair is mirrored: 53 are, 48 of them true mirrored copies, so about 5 of the 5,302 are false. Chance takes over
beyond 64 (at most 70 bits apart: 6,276 pairs, mirrored 247; at most 80: 12,791 and 5,563). 64 bits cannot tell faces
apart as well: where they find as many of the pairs that correlate above 0.94 (96%), 2 in 3 of the pairs are false.
"""

_SIDE = 16
_ROWS, _COLUMNS = 256, 4096
"""Pictures compared at once: a megabyte, which stays in the processor's cache."""


def perceptual_hash(pixels: Pixels) -> bytes:
    """Return the 32-byte pHash of a picture (n, n, 3): which of its 16x16 lowest frequencies are above their median.

    Zauner, Implementation and Benchmarking of Perceptual Image Hash Functions, 2010; here with 256 bits, not 64. A
    blank picture has no frequencies; it gets the digest of its pixels, which is near no other.
    """
    gray = Image.fromarray(pixels).convert("L")
    darkest, brightest = gray.getextrema()
    if darkest == brightest:
        return fingerprint(pixels) * 2
    return np.packbits(imagehash.phash(gray, hash_size=_SIDE).hash).tobytes()


def groups(hashes: Hashes) -> Groups:
    """Return the group of each hash (n, 32): pictures that are near, or near once one is mirrored, share it.

    All pairs are compared: 2 s for 28,709 hashes, about an hour for a million, in memory that grows with n alone.
    """
    found = np.arange(len(hashes))
    for left, right in _near(hashes):
        found = joined(found, left, right)
    return found


def joined(grouped: Groups, left: NDArray[np.int64], right: NDArray[np.int64]) -> Groups:
    """Return the groups after those of each picture in ``left`` and of its fellow in ``right`` became one."""
    if not len(left):
        return grouped
    size = len(grouped)
    links = coo_array((np.ones(len(left), bool), (grouped[left], grouped[right])), shape=(size, size))
    group_of: NDArray[np.int32] = connected_components(links, directed=False)[1]
    return group_of[grouped].astype(np.int64)


def _near(hashes: Hashes) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Yield the pairs that are near, a block at a time.

    A mirrored picture has the frequencies with an odd number of half waves across negated, so that their bits are
    flipped, for the median is close to 0. So these are counted by themselves: d of them differ from those of the
    mirrored picture where all but d differ from those of the picture.
    """
    bits = np.unpackbits(hashes, axis=1).reshape(-1, _SIDE, _SIDE)
    even, odd = (np.packbits(bits[:, :, first::2].reshape(len(bits), -1), axis=1).view(np.uint64) for first in (0, 1))
    flipped = np.uint8(_SIDE * _SIDE // 2)
    for row in range(0, len(hashes), _ROWS):
        for column in range(row, len(hashes), _COLUMNS):
            rows, columns = slice(row, row + _ROWS), slice(column, column + _COLUMNS)
            apart = _differing(odd[rows], odd[columns])
            np.minimum(apart, flipped - apart, out=apart)
            apart += _differing(even[rows], even[columns])
            left, right = np.divmod(np.flatnonzero(apart <= NEAR), apart.shape[1])
            yield left + row, right + column


def _differing(left: NDArray[np.uint64], right: NDArray[np.uint64]) -> NDArray[np.uint8]:
    """Return how many bits of each of (n, 2) words differ from those of each of (m, 2): (n, m)."""
    differing: NDArray[np.uint8] = np.bitwise_count(left[:, None, 0] ^ right[None, :, 0])
    differing += np.bitwise_count(left[:, None, 1] ^ right[None, :, 1])
    return differing
