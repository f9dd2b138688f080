"""Bytes to upright RGB pixels. The only place that opens pictures."""

from __future__ import annotations

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

from labeler.records import Face, Status

Pixels = NDArray[np.uint8]

MAX_FILE_BYTES = 1 << 29
"""A file is read into memory whole; half a gigabyte is more than any picture within the pixel limit needs."""

_REDUCED_RGB = {
    1: cv2.IMREAD_COLOR_RGB,
    2: cv2.IMREAD_REDUCED_GRAYSCALE_2 | cv2.IMREAD_COLOR_RGB,
    4: cv2.IMREAD_REDUCED_GRAYSCALE_4 | cv2.IMREAD_COLOR_RGB,
    8: cv2.IMREAD_REDUCED_GRAYSCALE_8 | cv2.IMREAD_COLOR_RGB,
}
"""OpenCV's flags are bits: the reduction is that of the `REDUCED_GRAYSCALE` constants, the colour order a flag."""

_EXIF_ORIENTATION = 0x0112
_FRAME_MARKERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # ITU T.81, table B.1: SOF0 to SOF15


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


class _Header(NamedTuple):
    width: int
    height: int
    reducible: bool


def read(path: str, least_side: int, max_pixels: int) -> Picture:
    """Decode a picture upright, JPEGs at the smallest scale that leaves both sides ``least_side`` pixels.

    Raises:
        ImageError: the file cannot be read, is no picture, is broken, or has more than ``max_pixels`` pixels.
    """
    content = _content(path)
    header = _jpeg_header(content) or _png_header(content)
    if header:
        _refuse_huge(header.width, header.height, max_pixels)
        picture = _decode(content, header, least_side)
        if picture:
            return picture
    # Pillow knows every other format, and says what is wrong with a broken one.
    return _decode_with_pillow(content, least_side, max_pixels)


def crop(picture: Picture, face: Face, side: int) -> Pixels:
    """Cut a face box out and return it as (``side``, ``side``, 3)."""
    pixels = picture.pixels
    if (face.width, face.height) == (picture.width, picture.height):
        return _resize(pixels, side)
    down = pixels.shape[0] / picture.height
    across = pixels.shape[1] / picture.width
    top, bottom = round(face.y * down), round((face.y + face.height) * down)
    left, right = round(face.x * across), round((face.x + face.width) * across)
    return _resize(pixels[top : max(bottom, top + 1), left : max(right, left + 1)], side)


def fingerprint(pixels: Pixels) -> bytes:
    """Return a digest that is equal for equal pixels."""
    return hashlib.blake2b(pixels.tobytes(), digest_size=16).digest()


def _resize(pixels: Pixels, side: int) -> Pixels:
    """Shrink by area, enlarge bilinearly; each axis by itself, for a picture may need both."""
    height, width = pixels.shape[:2]
    if height > side or width > side:
        shrunk = (min(width, side), min(height, side))
        pixels = cv2.resize(pixels, shrunk, interpolation=cv2.INTER_AREA)
    if pixels.shape[:2] != (side, side):
        pixels = cv2.resize(pixels, (side, side), interpolation=cv2.INTER_LINEAR)
    return pixels


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


def _jpeg_header(content: bytes) -> _Header | None:
    """Find the frame header of an 8-bit gray or colour JPEG; None for anything else."""
    if content[:2] != b"\xff\xd8":
        return None
    at = 2
    while at + 9 < len(content) and content[at] == 0xFF:
        marker = content[at + 1]
        if marker in _FRAME_MARKERS:
            height, width = _uint16(content, at + 5), _uint16(content, at + 7)
            plain = content[at + 4] == 8 and content[at + 9] in (1, 3)
            return _Header(width, height, reducible=True) if plain and width and height else None
        at += 1 if marker == 0xFF else 2 + _uint16(content, at + 2)
    return None


def _png_header(content: bytes) -> _Header | None:
    if content[:8] != b"\x89PNG\r\n\x1a\n" or content[12:16] != b"IHDR" or len(content) < 24:
        return None
    width, height = (int.from_bytes(content[at : at + 4], "big") for at in (16, 20))
    return _Header(width, height, reducible=False) if width and height else None


def _uint16(content: bytes, at: int) -> int:
    return content[at] << 8 | content[at + 1]


def _decode(content: bytes, header: _Header, least_side: int) -> Picture | None:
    """Decode with OpenCV, which also turns the picture upright; None when it cannot."""
    scale = _reduction(header, least_side)
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


def _reduction(header: _Header, least_side: int) -> int:
    side = min(header.width, header.height)
    return next((n for n in (8, 4, 2) if header.reducible and side // n >= least_side), 1)


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


def _decode_with_pillow(content: bytes, least_side: int, max_pixels: int) -> Picture:
    if content[4:8] == b"ftyp":
        _register_heif()
    try:
        with _own_limit_and_no_warnings(), Image.open(io.BytesIO(content)) as image:
            _refuse_huge(*image.size, max_pixels)
            width, height = image.size
            image.draft("RGB", (least_side, least_side))
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
