"""Decode files to upright RGB pixels. The only place that decodes images."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from functools import cache

import cv2
import numpy as np

from labeler import native_output
from labeler.errors import one_line
from labeler.images import damage, headers, pillow
from labeler.images.crop import longer_side
from labeler.images.headers import Header
from labeler.images.picture import ImageError, Picture, Pixels, reduction, refuse_huge
from labeler.records import INPUT_SIDE, Face, Status, View

FILE_BYTES_PER_PIXEL = 1.5
"""Upper limit on the size of a file, for each pixel of the pixel limit. A file is read into memory whole; with what
decoding takes, a worker stays below 1 GiB."""

FULL = 1 << 30
"""Side that no image has: an image with such sides is decoded in full size."""

_LEAST_FILE_BYTES = 1 << 24
"""Lower limit on `largest_file`."""

_JPEG = b"\xff\xd8"

_REDUCED_RGB = {
    1: cv2.IMREAD_COLOR_RGB,
    2: cv2.IMREAD_REDUCED_GRAYSCALE_2 | cv2.IMREAD_COLOR_RGB,
    4: cv2.IMREAD_REDUCED_GRAYSCALE_4 | cv2.IMREAD_COLOR_RGB,
    8: cv2.IMREAD_REDUCED_GRAYSCALE_8 | cv2.IMREAD_COLOR_RGB,
}
"""OpenCV's flags by scale denominator. They are bits: `REDUCED_GRAYSCALE_*` has the scale, `COLOR_RGB` the order."""


def decode(content: bytes, shorter: int, longer: int, max_pixels: int) -> Picture:
    """Decode an image upright; a JPEG at the smallest scale with sides of at least ``shorter`` and ``longer`` pixels.

    Raises:
        ImageError: it is not an image, is damaged, or has more than ``max_pixels`` pixels.
    """
    try:
        if not content:
            raise ImageError(Status.UNREADABLE, "the file is empty")
        picture = _picture(content, shorter, longer, max_pixels)
    except MemoryError as exc:
        raise out_of_memory() from exc
    finally:
        said = native_output.heard()  # Even after an error: these warnings are not the next image's.
    return picture._replace(damage=one_line(damage.told(said, content))) if said else picture


def finer(content: bytes, picture: Picture, faces: Sequence[Face], view: View, max_pixels: int) -> Picture:
    """Return an image that was decoded, in a scale in which its faces have the pixels that a network is shown of them.

    The shipped networks get theirs from the first scale, as they were trained and measured.

    Raises:
        ImageError: there is not enough memory for it.
    """
    if not faces or view.side <= INPUT_SIDE:
        return picture
    longer = longer_side(picture, faces, view)
    if max(picture.pixels.shape[:2]) >= longer:
        return picture
    return picture._replace(pixels=decode(content, 0, longer, max_pixels).pixels)


@cache
def largest_file(max_pixels: int) -> int:
    """Return the upper limit on the size of a file, in bytes, whose image may have ``max_pixels`` pixels."""
    return max(round(FILE_BYTES_PER_PIXEL * max_pixels), _LEAST_FILE_BYTES)


def out_of_memory() -> ImageError:
    """Return the error of a file that does not fit into memory."""
    return ImageError(Status.TOO_LARGE, "there is not enough memory to read it")


def _picture(content: bytes, shorter: int, longer: int, max_pixels: int) -> Picture:
    header = headers.read(content)
    if header:
        refuse_huge(header.width, header.height, max_pixels)
        picture = _decoded(content, header, shorter, longer)
        if picture:
            return picture
    # Pillow decodes all other formats, and says what is wrong with a damaged file.
    picture = pillow.decode(content, shorter, longer, max_pixels)
    if header and not header.reducible:  # OpenCV verifies a PNG's checksums, Pillow does not.
        raise ImageError(Status.UNREADABLE, "its data is damaged: a checksum is wrong")
    # Pillow suppresses libjpeg's warnings: OpenCV decodes the JPEG once more, for its warnings only.
    if not header and content.startswith(_JPEG) and native_output.listens():
        with contextlib.suppress(cv2.error):
            cv2.imdecode(np.frombuffer(content, np.uint8), _REDUCED_RGB[8])
    return picture


def _decoded(content: bytes, header: Header, shorter: int, longer: int) -> Picture | None:
    """Decode with OpenCV, which also applies the EXIF orientation; None when it cannot."""
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
    """Say whether decoding swapped the sides. A nearly square image, once reduced, does not show it: ask EXIF."""
    if width == height:
        return False
    rows, cols = pixels.shape[:2]
    if rows != cols:
        return bool((cols > rows) != (width > height))
    return pillow.orientation(content) >= 5
