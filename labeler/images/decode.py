"""Bytes to upright RGB pixels. The only place that opens pictures."""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat

import cv2
import numpy as np

from labeler import native_output
from labeler.errors import one_line
from labeler.images import damage, headers, pillow
from labeler.images.headers import Header
from labeler.images.picture import ImageError, Picture, Pixels, reduction, refuse_huge
from labeler.records import Face, Status
from labeler.storage import atomic

__all__ = [
    "ImageError", "Picture", "Pixels",
    "crop", "cut", "fingerprint", "png", "read", "resized",
]  # fmt: skip

FILE_BYTES_PER_PIXEL = 1.5
"""A file is read into memory whole. It may have so many bytes for each pixel that a picture may have, so that with what
decoding takes a worker stays below a gigabyte (2**30 bytes)."""

_LEAST_FILE_BYTES = 1 << 24

_JPEG = b"\xff\xd8"

_READ = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0)

_REDUCED_RGB = {
    1: cv2.IMREAD_COLOR_RGB,
    2: cv2.IMREAD_REDUCED_GRAYSCALE_2 | cv2.IMREAD_COLOR_RGB,
    4: cv2.IMREAD_REDUCED_GRAYSCALE_4 | cv2.IMREAD_COLOR_RGB,
    8: cv2.IMREAD_REDUCED_GRAYSCALE_8 | cv2.IMREAD_COLOR_RGB,
}
"""OpenCV's flags are bits: the reduction is that of the `REDUCED_GRAYSCALE` constants, the colour order a flag."""


def read(path: str, shorter: int, longer: int, max_pixels: int) -> Picture:
    """Decode a picture upright; a JPEG at the smallest scale that leaves its sides at least so many pixels.

    Raises:
        ImageError: the file cannot be read, is no picture, is broken, or has more than ``max_pixels`` pixels.
    """
    found = _found(path)
    version = atomic.version_of(found)  # Of before it is read: what is written meanwhile is another version.
    try:
        content = _content(path, found, max(round(FILE_BYTES_PER_PIXEL * max_pixels), _LEAST_FILE_BYTES))
        picture = _picture(content, shorter, longer, max_pixels)
    except MemoryError as exc:
        error = ImageError(Status.TOO_LARGE, "there is not enough memory to read it")
        error.version = version
        raise error from exc
    except ImageError as exc:
        exc.version = version
        raise
    finally:
        said = native_output.heard()  # Of this picture, whatever becomes of it; the next one begins in silence.
    lost = one_line(damage.told(said, content)) if said else ""
    return Picture._make((*picture[:3], version, lost))


def crop(picture: Picture, face: Face, side: int) -> Pixels:
    """Cut a face out and return it as (``side``, ``side``, 3); the whole picture is taken as it is.

    A face gets the square around its box's centre whose side is the box's longer side, reflected at the picture's
    edge: of the squares that were tried, this frames faces most like FER-2013, which the models have learnt from.
    The box is 0.80 +- 0.07 of the crop wide and 0.97 +- 0.03 high, the eyes at 0.37 +- 0.03 of its height and the
    mouth at 0.74 +- 0.03; in FER-2013 it is 0.81, 0.97, 0.38 and 0.75. A wider margin costs accuracy (1.1 times the
    side: 1 to 2 points, 1.2: 5); levelling the eyes gives 0.4 +- 0.5 points, which is nothing.
    """
    return resized(cut(picture, face), side)


def cut(picture: Picture, face: Face) -> Pixels:
    """Return the pixels that `crop` scales: a square, or the whole picture."""
    pixels = picture.pixels
    if (face.width, face.height) == (picture.width, picture.height):
        return pixels
    rows, columns = pixels.shape[:2]
    scale = columns / picture.width
    length = max(1, round(max(face.width, face.height) * scale))
    left = min(round((face.x + face.width / 2) * scale - length / 2), columns - 1)
    top = min(round((face.y + face.height / 2) * scale - length / 2), rows - 1)  # OpenCV reflects nothing for ever.
    inside = pixels[max(top, 0) : top + length, max(left, 0) : left + length]
    beyond = (max(-top, 0), max(top + length - rows, 0), max(-left, 0), max(left + length - columns, 0))
    if any(beyond):
        inside = cv2.copyMakeBorder(inside, *beyond, cv2.BORDER_REFLECT)
    return inside


def resized(pixels: Pixels, side: int) -> Pixels:
    """Return pixels as (``side``, ``side``, 3): shrunk by area, enlarged bilinearly, each axis by itself."""
    while min(pixels.shape[:2]) >= 8 * side:  # Halving bilinearly is the mean of four: area, ten times as fast.
        half = (pixels.shape[1] // 2, pixels.shape[0] // 2)
        pixels = cv2.resize(pixels, half, interpolation=cv2.INTER_LINEAR)
    height, width = pixels.shape[:2]
    if height > side or width > side:
        shrunk = (min(width, side), min(height, side))
        pixels = cv2.resize(pixels, shrunk, interpolation=cv2.INTER_AREA)
    if pixels.shape[:2] != (side, side):
        pixels = cv2.resize(pixels, (side, side), interpolation=cv2.INTER_LINEAR)
    return pixels


def png(pixels: Pixels) -> bytes:
    """Return RGB pixels as a PNG file."""
    return cv2.imencode(".png", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR))[1].tobytes()


def fingerprint(pixels: Pixels) -> bytes:
    """Return a digest that is equal for equal pixels."""
    return hashlib.blake2b(pixels.tobytes(), digest_size=16).digest()


def _picture(content: bytes, shorter: int, longer: int, max_pixels: int) -> Picture:
    header = headers.read(content)
    if header:
        refuse_huge(header.width, header.height, max_pixels)
        picture = _decode(content, header, shorter, longer)
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


def _found(path: str) -> os.stat_result:
    try:
        return os.stat(path)
    except OSError as exc:
        raise ImageError(Status.UNREADABLE, exc.strerror or str(exc)) from exc
    except ValueError as exc:  # A name with a NUL byte.
        raise ImageError(Status.UNREADABLE, str(exc)) from exc


def _content(path: str, found: os.stat_result, max_bytes: int) -> bytes:
    _check(found, max_bytes)  # Before it is opened: opening a FIFO would wait for ever, a device may do anything.
    try:
        content = _read(path, found.st_size, max_bytes)
    except OSError as exc:
        raise ImageError(Status.UNREADABLE, exc.strerror or str(exc)) from exc
    if not content:
        raise ImageError(Status.UNREADABLE, "the file is empty")
    return content


def _check(found: os.stat_result, max_bytes: int) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise ImageError(Status.UNREADABLE, "not a regular file")
    _refuse_long(found.st_size, max_bytes)


def _refuse_long(size: int, max_bytes: int) -> None:
    if size > max_bytes:
        raise ImageError(Status.TOO_LARGE, f"{size:,} bytes; the limit is {max_bytes:,} (1.5 x --max-pixels)")


def _read(path: str, size: int, max_bytes: int) -> bytes:
    """Return a file's bytes, ``size`` if it is still the same; the plain system calls cost half of what `open` does."""
    descriptor = os.open(path, _READ)
    try:
        content = os.read(descriptor, size + 1)
        if len(content) == size:
            return content
        _check(os.fstat(descriptor), max_bytes)  # It is another one by now, it grew, or came in pieces.
        with open(descriptor, "rb", buffering=0, closefd=False) as rest:
            content += rest.read(max_bytes + 1 - len(content))
        _refuse_long(len(content), max_bytes)
        return content
    finally:
        os.close(descriptor)


def _decode(content: bytes, header: Header, shorter: int, longer: int) -> Picture | None:
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
