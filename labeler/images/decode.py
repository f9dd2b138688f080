"""Bytes to upright RGB pixels. The only place that decodes images."""

from __future__ import annotations

import contextlib
import ctypes
import os
from functools import cache

import cv2
import numpy as np

from labeler import native_output
from labeler.errors import one_line
from labeler.images import damage, headers, pillow
from labeler.images.headers import Header
from labeler.images.picture import ImageError, Picture, Pixels, reduction, refuse_huge
from labeler.records import Status

FILE_BYTES_PER_PIXEL = 1.5
"""Bounds a file, which is read into memory whole, by the pixels that its image may have: with what decoding takes, a
worker stays below a gigabyte (2**30 bytes)."""

_LEAST_FILE_BYTES = 1 << 24

KEPT_BYTES = 1 << 25
"""Free memory that a worker keeps, and the largest block it does not ask the system for; more glibc refuses."""

_JPEG = b"\xff\xd8"

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # malloc.h

_REDUCED_RGB = {
    1: cv2.IMREAD_COLOR_RGB,
    2: cv2.IMREAD_REDUCED_GRAYSCALE_2 | cv2.IMREAD_COLOR_RGB,
    4: cv2.IMREAD_REDUCED_GRAYSCALE_4 | cv2.IMREAD_COLOR_RGB,
    8: cv2.IMREAD_REDUCED_GRAYSCALE_8 | cv2.IMREAD_COLOR_RGB,
}
"""OpenCV's flags are bits: the reduction is that of the `REDUCED_GRAYSCALE` constants, the colour order a flag."""


def settle_process() -> None:
    """Make this process one that decodes many pictures: in one thread, in memory that it keeps in between.

    The C library gives large blocks back to the system after each picture, and the page faults of the next one cost
    15% of the time at 12 megapixels. Where it is not glibc, nothing is changed.
    """
    cv2.setNumThreads(1)
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if os.name == "posix" else None
    if mallopt:
        mallopt(_M_TRIM_THRESHOLD, KEPT_BYTES)
        mallopt(_M_MMAP_THRESHOLD, KEPT_BYTES)


def decode(content: bytes, shorter: int, longer: int, max_pixels: int) -> Picture:
    """Decode an image upright; a JPEG at the smallest scale that leaves its sides at least so many pixels.

    Raises:
        ImageError: it is no image, is broken, or has more than ``max_pixels`` pixels.
    """
    try:
        if not content:
            raise ImageError(Status.UNREADABLE, "the file is empty")
        picture = _picture(content, shorter, longer, max_pixels)
    except MemoryError as exc:
        raise out_of_memory() from exc
    finally:
        said = native_output.heard()  # Of this image, whatever becomes of it; the next one begins in silence.
    return picture._replace(damage=one_line(damage.told(said, content))) if said else picture


@cache
def largest_file(max_pixels: int) -> int:
    """Return how many bytes a file may have whose image may have ``max_pixels`` pixels."""
    return max(round(FILE_BYTES_PER_PIXEL * max_pixels), _LEAST_FILE_BYTES)


def out_of_memory() -> ImageError:
    """Return the error of a file that there is not enough memory for."""
    return ImageError(Status.TOO_LARGE, "there is not enough memory to read it")


def _picture(content: bytes, shorter: int, longer: int, max_pixels: int) -> Picture:
    header = headers.read(content)
    if header:
        refuse_huge(header.width, header.height, max_pixels)
        picture = _decoded(content, header, shorter, longer)
        if picture:
            return picture
    # Pillow knows every other format, and says what is wrong with a broken one.
    picture = pillow.decode(content, shorter, longer, max_pixels)
    if header and not header.reducible:  # OpenCV compares a PNG's checksums, Pillow does not.
        raise ImageError(Status.UNREADABLE, "its data is damaged: a checksum is wrong")
    if (
        not header and content.startswith(_JPEG) and native_output.listens()
    ):  # Pillow keeps libjpeg's warnings to itself.
        with contextlib.suppress(cv2.error):
            cv2.imdecode(np.frombuffer(content, np.uint8), _REDUCED_RGB[8])
    return picture


def _decoded(content: bytes, header: Header, shorter: int, longer: int) -> Picture | None:
    """Decode with OpenCV, which also turns the picture upright; None when it cannot."""
    scale = reduction(header.width, header.height, shorter, longer) if header.reducible else 1
    try:
        pixels = cv2.imdecode(np.frombuffer(content, np.uint8), _REDUCED_RGB[scale])
    except cv2.error:
        return None
    if pixels is None:
        return None
    width, height = header.width, header.height
    if _turned(pixels, width, height, content):
        width, height = height, width
    return Picture(pixels, width, height)


def _turned(pixels: Pixels, width: int, height: int, content: bytes) -> bool:
    """Say whether decoding swapped the sides; nearly square pictures, reduced, do not show it."""
    if width == height:
        return False
    rows, cols = pixels.shape[:2]
    if rows != cols:
        return bool((cols > rows) != (width > height))
    return pillow.lies(content)
