"""Bytes to upright RGB pixels. The only place that opens pictures."""

from __future__ import annotations

import ctypes
import hashlib
import io
import os
import stat
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from labeler import headers
from labeler.headers import Header
from labeler.records import Face, Status

Pixels = NDArray[np.uint8]

MAX_FILE_BYTES = 1 << 29
"""A file is read into memory whole; half a gigabyte is more than any picture within the pixel limit needs."""

KEPT_BYTES = 1 << 25
"""Free memory that a worker keeps, and the largest block it does not ask the system for; more glibc refuses."""

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # malloc.h

_REDUCED_RGB = {
    1: cv2.IMREAD_COLOR_RGB,
    2: cv2.IMREAD_REDUCED_GRAYSCALE_2 | cv2.IMREAD_COLOR_RGB,
    4: cv2.IMREAD_REDUCED_GRAYSCALE_4 | cv2.IMREAD_COLOR_RGB,
    8: cv2.IMREAD_REDUCED_GRAYSCALE_8 | cv2.IMREAD_COLOR_RGB,
}
"""OpenCV's flags are bits: the reduction is that of the `REDUCED_GRAYSCALE` constants, the colour order a flag."""

_EXIF_ORIENTATION = 0x0112


class ImageError(Exception):
    """One picture cannot be used. Costs its row, never the run."""

    def __init__(self, status: Status, reason: str) -> None:
        super().__init__(status, reason)  # Both in args, so that it survives pickling.
        self.status = status
        self.reason = reason


class Picture(NamedTuple):
    """An upright picture: `pixels` (height, width, 3) RGB, perhaps reduced; its size in full."""

    pixels: Pixels
    width: int
    height: int


@cache
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


def read(path: str, shorter: int, longer: int, max_pixels: int) -> Picture:
    """Decode a picture upright; a JPEG at the smallest scale that leaves its sides at least so many pixels.

    Raises:
        ImageError: the file cannot be read, is no picture, is broken, or has more than ``max_pixels`` pixels.
    """
    content = _content(path)
    header = headers.read(content)
    if header:
        _refuse_huge(header.width, header.height, max_pixels)
        picture = _decode(content, header, shorter, longer)
        if picture:
            return picture
    # Pillow knows every other format, and says what is wrong with a broken one.
    return _decode_with_pillow(content, shorter, longer, max_pixels)


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
    left = round((face.x + face.width / 2) * scale - length / 2)
    top = round((face.y + face.height / 2) * scale - length / 2)
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


def _content(path: str) -> bytes:
    try:
        found = os.stat(path)
        if not stat.S_ISREG(found.st_mode):  # Opening a FIFO would wait for ever.
            raise ImageError(Status.UNREADABLE, "not a regular file")
        if found.st_size > MAX_FILE_BYTES:
            raise ImageError(Status.TOO_LARGE, f"{found.st_size:,} bytes; the limit is {MAX_FILE_BYTES:,}")
        content = _read(path, found.st_size)
    except OSError as exc:
        raise ImageError(Status.UNREADABLE, exc.strerror or str(exc)) from exc
    except ValueError as exc:  # A name with a NUL byte.
        raise ImageError(Status.UNREADABLE, str(exc)) from exc
    if not content:
        raise ImageError(Status.UNREADABLE, "the file is empty")
    return content


def _read(path: str, size: int) -> bytes:
    """Return a file's bytes; the plain system calls cost half of what `open` does."""
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
    try:
        content = os.read(descriptor, size + 1)
        if len(content) == size:
            return content
        with open(descriptor, "rb", buffering=0, closefd=False) as rest:  # It grew, or came in pieces.
            return content + rest.read(MAX_FILE_BYTES)
    finally:
        os.close(descriptor)


def _refuse_huge(width: int, height: int, max_pixels: int) -> None:
    if width * height > max_pixels:
        reason = f"{width} x {height} pixels; the limit is {max_pixels:,} (--max-pixels)"
        raise ImageError(Status.TOO_LARGE, reason)


def _decode(content: bytes, header: Header, shorter: int, longer: int) -> Picture | None:
    """Decode with OpenCV, which also turns the picture upright; None when it cannot."""
    scale = _reduction(header.width, header.height, shorter, longer) if header.reducible else 1
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


def _reduction(width: int, height: int, shorter: int, longer: int) -> int:
    low, high = (width, height) if width < height else (height, width)
    if low < 2 * shorter:  # Small pictures come in millions.
        return 1
    return next((n for n in (8, 4, 2) if low // n >= shorter and high // n >= longer), 1)


def _turned(pixels: Pixels, width: int, height: int, content: bytes) -> bool:
    """Say whether decoding swapped the sides; nearly square pictures, reduced, do not show it."""
    if width == height:
        return False
    rows, cols = pixels.shape[:2]
    if rows != cols:
        return bool((cols > rows) != (width > height))
    with Image.open(io.BytesIO(content)) as image:
        return _lies(image)


def _lies(image: Image.Image) -> bool:
    """Say whether EXIF turns the picture by 90 or 270 degrees."""
    return bool(image.getexif().get(_EXIF_ORIENTATION) in (5, 6, 7, 8))


def _decode_with_pillow(content: bytes, shorter: int, longer: int, max_pixels: int) -> Picture:
    if content[4:8] == b"ftyp":
        _register_heif()
    try:
        with _own_limit_and_no_warnings(), Image.open(io.BytesIO(content)) as image:
            _refuse_huge(*image.size, max_pixels)
            width, height = image.size
            scale = _reduction(width, height, shorter, longer)
            image.draft("RGB", (width // scale, height // scale))
            upright = ImageOps.exif_transpose(image)
            if _lies(image):
                width, height = height, width
            return Picture(_rgb(upright), width, height)
    except ImageError:
        raise
    except UnidentifiedImageError:
        raise ImageError(Status.UNSUPPORTED, _unsupported(content)) from None
    except Exception as exc:  # Codecs raise almost anything on hostile bytes.
        reason = str(exc) if isinstance(exc, OSError) and str(exc) else f"{type(exc).__name__}: {exc}"
        raise ImageError(Status.UNREADABLE, reason) from exc


@contextmanager
def _own_limit_and_no_warnings() -> Iterator[None]:
    """Suspend Pillow's process-wide limit, for ours is checked before anything is decoded, and its warnings."""
    limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        Image.MAX_IMAGE_PIXELS = limit


def _rgb(image: Image.Image) -> Pixels:
    if image.mode.startswith("I"):  # 16-bit gray: Pillow would clip it to white.
        gray = np.clip(np.asarray(image, dtype=np.int64) >> 8, 0, 255).astype(np.uint8)
        return np.repeat(gray[:, :, None], 3, axis=2)
    if "transparency" in image.info:
        image = image.convert("RGBA")
    return np.asarray(image.convert("RGB"))


def _unsupported(content: bytes) -> str:
    if content[4:8] == b"ftyp" and content[8:12] in {b"heic", b"heix", b"mif1", b"msf1", b"hevc"}:
        return "HEIC pictures need: pip install 'labeler[heif]'"
    return "not a picture in a known format"


@cache
def _register_heif() -> None:
    try:
        import pillow_heif  # Deferred: optional, and only pictures from phones need it.
    except ImportError:
        return
    pillow_heif.register_heif_opener()
