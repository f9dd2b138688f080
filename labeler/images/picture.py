"""What decoding gives: an upright picture or a reason. How large a picture may be, and how small it may become."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from labeler.records import Status

Pixels = NDArray[np.uint8]


class ImageError(Exception):
    """One image that cannot be used. It costs its row, never the run."""

    def __init__(self, status: Status, reason: str, version: str = "") -> None:
        super().__init__(status, reason, version)  # All in args, so that it survives pickling.
        self.status = status
        self.reason = reason
        self.version = version
        """That of the file, where it could be reached: see `storage.store.Content`."""


class Picture(NamedTuple):
    """An upright picture: `pixels` (height, width, 3) RGB, perhaps reduced; its size in full."""

    pixels: Pixels
    width: int
    height: int
    damage: str = ""
    """What the decoder said of image data that is lost; known only in worker processes, see `native_output`."""


def refuse_huge(width: int, height: int, max_pixels: int, weight: int = 1) -> None:
    """Raise ImageError when a picture has more than ``max_pixels`` pixels, each counted ``weight`` times."""
    if width * height * weight > max_pixels:
        counted = f", each counted {weight} times in this format" if weight > 1 else ""
        reason = f"{width} x {height} pixels{counted}; the limit is {max_pixels:,} (--max-pixels)"
        raise ImageError(Status.TOO_LARGE, reason)


def reduction(width: int, height: int, shorter: int, longer: int) -> int:
    """Return by which of 1, 2, 4 and 8 the sides can be divided and still be at least so long."""
    low, high = (width, height) if width < height else (height, width)
    if low < 2 * shorter:  # Small pictures come in millions.
        return 1
    return next((n for n in (8, 4, 2) if low // n >= shorter and high // n >= longer), 1)
