"""The result of decoding: an upright image or an error. The pixel limit, and the scale to decode at."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from labeler.records import Status

Pixels = NDArray[np.uint8]


class ImageError(Exception):
    """An image that cannot be used. It gives one row with its reason, and never stops a run."""

    def __init__(self, status: Status, reason: str, version: str = "") -> None:
        super().__init__(status, reason, version)  # Pickling rebuilds an exception from these arguments.
        self.status = status
        self.reason = reason
        self.version = version
        """The file's version, where it could be read: see `storage.store.Content`."""


class Picture(NamedTuple):
    """An upright image: `pixels` (height, width, 3) uint8 RGB, perhaps reduced; `width` and `height` in full size."""

    pixels: Pixels
    width: int
    height: int
    damage: str = ""
    """The decoder's warning that image data is lost; known only where native stderr is read, see `native_output`."""


def refuse_huge(width: int, height: int, max_pixels: int, weight: int = 1) -> None:
    """Refuse a decompression bomb: raise ImageError above ``max_pixels`` pixels, each counted ``weight`` times."""
    if width * height * weight > max_pixels:
        counted = f", each counted {weight} times in this format" if weight > 1 else ""
        reason = f"{width} x {height} pixels{counted}; the limit is {max_pixels:,} (--max-pixels)"
        raise ImageError(Status.TOO_LARGE, reason)


def reduction(width: int, height: int, shorter: int, longer: int) -> int:
    """Return the largest of the scale denominators 1, 2, 4 and 8 that leaves sides of at least so many pixels."""
    low, high = (width, height) if width < height else (height, width)
    if low < 2 * shorter:  # The fast path: small images come in millions.
        return 1
    return next((n for n in (8, 4, 2) if low // n >= shorter and high // n >= longer), 1)
