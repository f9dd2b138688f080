"""Decode with Pillow, in bounded memory, the formats that OpenCV does not; say what is wrong with a damaged file."""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import numpy as np
from PIL import Image, TiffImagePlugin, UnidentifiedImageError

from labeler.images.picture import ImageError, Picture, reduction, refuse_huge
from labeler.records import Status

FORMATS = tuple("AVIF BMP DIB GIF HEIF ICO JPEG JPEG2000 PCX PNG PPM SGI TGA TIFF WEBP".split())
"""The formats that are decoded; no other is tried. Of the others that Pillow knows, some start programs (EPS) or take
16 GB for a file of 4 KB (ICNS)."""

_WEIGHTS = {"AVIF": 3, "HEIF": 2, "JPEG2000": 3, "WEBP": 2}
"""How many times a pixel counts against the limit: decoding these formats takes 7 to 24 bytes a pixel, the others at
most 8. CMYK counts twice."""

SIGNATURES = (
    *(b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF8", b"BM", b"RIFF"),
    *(b"II*\0", b"MM\0*", b"II+\0", b"MM\0+", b"\0\0\0\x0cjP  ", b"\xff\x4f\xff\x51"),
)
"""Magic numbers. A file that begins with one and is not identified is damaged, not of an unknown format."""
_BRANDS = frozenset({b"avif", b"avis", b"heic", b"heix", b"hevc", b"hevx", b"mif1", b"msf1"})

_ORIENTATION = 0x0112
_TRANSPOSITIONS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_BITS_PER_SAMPLE = 258


def decode(content: bytes, shorter: int, longer: int, max_pixels: int) -> Picture:
    """Decode the first frame, upright and without alpha channel, at the scale that `picture.reduction` allows.

    Raises:
        ImageError: it is not an image, is damaged, or has more than ``max_pixels`` pixels.
    """
    if content[4:8] == b"ftyp":
        _register_heif()
    try:
        with _refused(max_pixels), Image.open(io.BytesIO(content), formats=_formats()) as image:
            return _loaded(image, shorter, longer, max_pixels)
    except UnidentifiedImageError:
        raise _unidentified(content) from None


def picture(image: Image.Image, max_pixels: int) -> Picture:
    """Return a PIL image as `decode` returns it, at full size; the PIL image is not changed.

    Raises:
        ImageError: it cannot be loaded, or has more than ``max_pixels`` pixels.
    """
    with _refused(max_pixels):
        refuse_huge(*image.size, max_pixels)
        return _loaded(image.copy(), *image.size, max_pixels)


def orientation(content: bytes) -> int:
    """Return the EXIF or XMP orientation of an image that can be opened: 1 is upright, 5 to 8 lie on the side."""
    with Image.open(io.BytesIO(content), formats=_formats()) as image:
        return _orientation(image)


def _loaded(image: Image.Image, shorter: int, longer: int, max_pixels: int) -> Picture:
    width, height = image.size
    refuse_huge(width, height, max_pixels, 2 if image.mode == "CMYK" else _WEIGHTS.get(image.format or "", 1))
    scale = reduction(width, height, shorter, longer)
    image.draft("RGB", (width // scale, height // scale))
    image.load()
    orientation = _orientation(image)  # Read after loading, which turns some formats upright.
    small = _plain(image)
    left = round(scale * small.width / width)  # The part of the scale that `draft` left.
    if left > 1:
        small = small.reduce(left)
    small = _rgb(small)
    if orientation in _TRANSPOSITIONS:
        small = small.transpose(_TRANSPOSITIONS[orientation])
    if orientation >= 5:
        width, height = height, width
    return Picture(np.asarray(small), width, height)


def _orientation(image: Image.Image) -> int:
    found = image.getexif().get(_ORIENTATION, 1)
    return found if isinstance(found, int) else 1


def _plain(image: Image.Image) -> Image.Image:
    """Convert to a mode that can be reduced: L, RGB, or I (16-bit gray in 32 bits).

    The alpha channel is dropped: the colours stored below it are shown, as by Pillow and Keras.
    """
    image.info.pop("transparency", None)
    if image.mode == "F" or _unbounded(image):
        reason = "its pixels are signed, 32-bit or floating-point: the file does not say which value is white"
        raise ImageError(Status.UNSUPPORTED, reason)
    if image.mode.startswith("I;16"):  # `convert` would clip it to white.
        return Image.fromarray((np.asarray(image) >> (_bits(image) - 8)).astype(np.uint8))
    if image.mode == "LA":
        return image.getchannel("L")
    return image if image.mode in {"I", "L", "RGB"} else image.convert("RGB")


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode == "I":
        image = Image.fromarray(np.clip(np.asarray(image) >> 8, 0, 255).astype(np.uint8))
    return image if image.mode == "RGB" else image.convert("RGB")


def _unbounded(image: Image.Image) -> bool:
    """Say whether the pixels are integers of a TIFF whose largest value Pillow does not know."""
    return image.mode == "I" and isinstance(image, TiffImagePlugin.TiffImageFile)


def _bits(image: Image.Image) -> int:
    tags: Any = image.tag_v2 if isinstance(image, TiffImagePlugin.TiffImageFile) else {}
    return min(int(tags.get(_BITS_PER_SAMPLE, (16,))[0]), 16)


@contextmanager
def _refused(max_pixels: int) -> Iterator[None]:
    """Refuse images above the pixel limit, and turn whatever a codec raises into an ImageError.

    Raises:
        ImageError: the image is too large or damaged.
        UnidentifiedImageError: the format is unknown.
        MemoryError: there is too little memory.
    """
    try:
        with _limited(max_pixels):
            yield
    except (ImageError, MemoryError, UnidentifiedImageError):
        raise
    except Image.DecompressionBombError as exc:  # The size at the file's beginning was within the limit.
        raise ImageError(Status.TOO_LARGE, f"{str(exc).partition(',')[0]} (--max-pixels)") from exc
    except Exception as exc:  # Codecs raise almost anything on hostile bytes.
        reason = str(exc) if isinstance(exc, OSError) and str(exc) else f"{type(exc).__name__}: {exc}"
        raise ImageError(Status.UNREADABLE, reason) from exc


@contextmanager
def _limited(max_pixels: int) -> Iterator[None]:
    """Set Pillow's global limit (decompression bomb) to ours, for sizes deep in a file, and suppress its warnings."""
    limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, max_pixels // 2  # It raises above twice as many.
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        Image.MAX_IMAGE_PIXELS = limit


def _unidentified(content: bytes) -> ImageError:
    branded = content[4:8] == b"ftyp" and content[8:12] in _BRANDS
    if branded and "HEIF" not in _formats() and content[8:10] != b"av":
        return ImageError(Status.UNSUPPORTED, "HEIC photos need: pip install 'labeler[heif]'")
    if branded or content.startswith(SIGNATURES):
        return ImageError(Status.UNREADABLE, "it begins like an image, but is damaged or cut short")
    return ImageError(Status.UNSUPPORTED, "not an image in a known format")


@cache
def _formats() -> tuple[str, ...]:
    """Return the installed `FORMATS`; a NullHandler keeps Pillow's log silent unless logging is configured."""
    logging.getLogger("PIL").addHandler(logging.NullHandler())
    Image.init()
    return tuple(name for name in FORMATS if name in Image.OPEN)


@cache
def _register_heif() -> None:
    try:
        import pillow_heif  # Deferred: optional, and only photos from phones need it.
    except ImportError:
        return
    pillow_heif.register_heif_opener()
    _formats.cache_clear()
