"""The picture files of an export: photos without metadata, or crops of faces."""

from __future__ import annotations

import io
import os

import numpy as np
from PIL import Image

from labeler.images.crop import cut
from labeler.images.decode import decode
from labeler.images.metadata import stripped
from labeler.images.picture import Pixels
from labeler.images.read import content
from labeler.records import Face, Row
from labeler.storage.store import Store

_FORMATS = {".jpg": "JPEG", ".jpeg": "JPEG", ".png": "PNG", ".webp": "WEBP"}
"""Formats that every tool of the field reads; a photo in another one is encoded anew."""

_LOSSLESS = frozenset(
    {".bmp", ".dib", ".gif", ".ico", ".pcx", ".pgm", ".pbm", ".pnm", ".ppm", ".sgi", ".tga", ".tif", ".tiff"}
)
"""Suffixes of formats that keep every pixel: they become PNG, the others JPEG."""

_QUALITY = 95
_FULL = 1 << 30
"""More pixels than a side can have: nothing is reduced while it is decoded."""


def suffix(file: str) -> str:
    """Return what is appended to a photo's name in an export that writes bytes: nothing for a common format."""
    own = os.path.splitext(file)[1].lower()
    if own in _FORMATS:
        return ""
    return ".png" if own in _LOSSLESS else ".jpg"


def photo(store: Store, file: str, max_pixels: int, *, keep_metadata: bool) -> bytes:
    """Return a photo's file without metadata, encoded anew only where that needs it: turned, or in an odd format.

    Raises:
        ImageError: it cannot be read.
    """
    data = content(store, file, max_pixels).data
    wanted = _FORMATS.get(os.path.splitext(file)[1].lower())
    if wanted and keep_metadata:
        return data
    bare = stripped(data) if wanted and _is(wanted, data) else None
    if bare is not None:
        return bare
    return _encoded(decode(data, _FULL, _FULL, max_pixels).pixels, wanted or _FORMATS[suffix(file)])


def crop(store: Store, row: Row, max_pixels: int) -> bytes:
    """Return the square around a face, at the photo's own scale, as a JPEG file.

    Raises:
        ImageError: the photo cannot be read.
    """
    data = content(store, row.file, max_pixels).data
    return _encoded(cut(decode(data, _FULL, _FULL, max_pixels), box(row)), "JPEG")


def box(row: Row) -> Face:
    """Return the bounding box of a row that has one."""
    return Face(row.x or 0, row.y or 0, row.width or 0, row.height or 0)


def _is(wanted: str, data: bytes) -> bool:
    begin = {"JPEG": b"\xff\xd8\xff", "PNG": b"\x89PNG", "WEBP": b"RIFF"}[wanted]
    return data.startswith(begin)


def _encoded(pixels: Pixels, kind: str) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(file, kind, quality=_QUALITY, subsampling=0)
    return file.getvalue()
