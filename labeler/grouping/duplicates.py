"""Find near-duplicate images by perceptual hash: one photo compressed, scaled, relit, marked or cropped differently."""

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
from labeler.watched import Watched, unwatched

Hashes = NDArray[np.uint8]
"""A perceptual hash for each image (n, 32)."""

Groups = NDArray[np.int64]
"""A group number for each image (n,): near duplicates share it."""

HASH_BYTES = 32
"""Bytes of a perceptual hash: 256 bits."""

NEAR = 60
"""Upper limit on the Hamming distance, of 256 bits, between the hashes of near duplicates.

Measured on the 32,298 images of FER-2013 without its 12 blank ones: 5,302 pairs are within this distance, 1,872 of them
identical; all 42 inspected pairs at a distance of 50 to 60 are true. The number of chance matches shows when one image
of each pair is mirrored: 53 pairs match, 48 of them true mirrored copies, so about 5 of the 5,302 are false. Beyond 64,
chance takes over (distance up to 70: 6,276 pairs, mirrored 247; up to 80: 12,791 and 5,563). A 64-bit hash separates
faces less well: at the distance where it finds as many of the pairs that correlate above 0.94 (96%), 2 of 3 pairs are
false.
"""

_SIDE = 16
"""Side of the square of lowest frequencies that a hash holds: 16 x 16 bits."""

_ROWS, _COLUMNS = 256, 4096
"""Size of the block of pairs compared at once: a megabyte, which stays in the processor's cache."""


def perceptual_hash(pixels: Pixels) -> bytes:
    """Return the 32-byte pHash of an image (n, n, 3): which of its 16 x 16 lowest DCT coefficients exceed their median.

    Zauner, Implementation and Benchmarking of Perceptual Image Hash Functions, 2010; here with 256 bits, not 64. A
    blank image has no frequencies; its hash is the digest of its pixels, which is near no other hash.
    """
    gray = Image.fromarray(pixels).convert("L")
    darkest, brightest = gray.getextrema()
    if darkest == brightest:
        return fingerprint(pixels) * 2
    return np.packbits(imagehash.phash(gray, hash_size=_SIDE).hash).tobytes()


def groups(hashes: Hashes, watched: Watched = unwatched) -> Groups:
    """Return the group of each hash (n, 32): near duplicates share it, also when one of them is mirrored.

    All pairs are compared: 2 s for 28,709 hashes, about an hour for a million. Memory grows with n, not with n squared.
    """
    found = np.arange(len(hashes))
    blocks = sum(-(-(len(hashes) - row) // _COLUMNS) for row in range(0, len(hashes), _ROWS))
    for left, right in watched(_near(hashes), "comparing pictures", blocks):
        found = joined(found, left, right)
    return found


def joined(grouped: Groups, left: NDArray[np.int64], right: NDArray[np.int64]) -> Groups:
    """Return the groups after merging the group of each image in ``left`` with that of its partner in ``right``."""
    if not len(left):
        return grouped
    size = len(grouped)
    links = coo_array((np.ones(len(left), bool), (grouped[left], grouped[right])), shape=(size, size))
    group_of: NDArray[np.int32] = connected_components(links, directed=False)[1]
    return group_of[grouped].astype(np.int64)


def _near(hashes: Hashes) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Yield the pairs of near duplicates, block by block.

    Mirroring an image negates its horizontal frequencies with an odd number of half waves. Their bits flip, because the
    median is close to 0. So these bits are compared separately: if d of them differ between two images, all but d of
    them differ once one image is mirrored.
    """
    bits = np.unpackbits(hashes, axis=1).reshape(-1, _SIDE, _SIDE)
    half = _SIDE * _SIDE // 2
    even, odd = (np.packbits(bits[:, :, first::2].reshape(-1, half), axis=1).view(np.uint64) for first in (0, 1))
    flipped = np.uint8(half)
    for row in range(0, len(hashes), _ROWS):
        for column in range(row, len(hashes), _COLUMNS):
            rows, columns = slice(row, row + _ROWS), slice(column, column + _COLUMNS)
            apart = _differing(odd[rows], odd[columns])
            np.minimum(apart, flipped - apart, out=apart)
            apart += _differing(even[rows], even[columns])
            left, right = np.divmod(np.flatnonzero(apart <= NEAR), apart.shape[1])
            yield left + row, right + column


def _differing(left: NDArray[np.uint64], right: NDArray[np.uint64]) -> NDArray[np.uint8]:
    """Return the Hamming distances (n, m) between hashes of two 64-bit words each: (n, 2) and (m, 2)."""
    differing: NDArray[np.uint8] = np.bitwise_count(left[:, None, 0] ^ right[None, :, 0])
    differing += np.bitwise_count(left[:, None, 1] ^ right[None, :, 1])
    return differing
