"""The picture files of an export: photos without metadata, or crops of faces."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from functools import lru_cache, partial
from threading import Lock

import numpy as np
from PIL import Image

from labeler.exports.item import Item
from labeler.images.crop import cut, holds, png
from labeler.images.decode import FULL, decode
from labeler.images.metadata import stripped
from labeler.images.picture import ImageError, Picture, Pixels
from labeler.images.read import content, read
from labeler.records import Face, Status
from labeler.storage.store import Store

COMMON = {".jpg": "JPEG", ".jpeg": "JPEG", ".png": "PNG", ".webp": "WEBP"}
"""Formats that every tool of the field reads, by suffix; a photo in another one is encoded anew."""

_SIGNATURES = {"JPEG": b"\xff\xd8\xff", "PNG": b"\x89PNG", "WEBP": b"RIFF"}

_LOSSLESS = frozenset(".bmp .dib .gif .ico .pcx .pgm .pbm .pnm .ppm .sgi .tga .tif .tiff .apng".split())
"""Suffixes of formats that keep every pixel: they become PNG, the others JPEG."""

_QUALITY = 95
"""Quality of a JPEG or WebP that is encoded anew: above it, Pillow's documentation says, files only grow."""

_PHOTOS = 2
"""Decoded photos that wait for the next crop: while the last crops of one are cut, the next is decoded."""

_OTHER = "the photo has another size than when it was labelled"


def suffix(file: str) -> str:
    """Return what is appended to a photo's name in an export that writes bytes: nothing for a common format."""
    own = os.path.splitext(file)[1].lower()
    if own in COMMON:
        return ""
    return ".png" if own in _LOSSLESS else ".jpg"


class Pictures:
    """The pictures of items. The crops of one photo, which follow one another, share the decoded photo."""

    def __init__(self, store: Store, max_pixels: int, *, keep_metadata: bool = False) -> None:
        self._store, self._max_pixels, self._keep_metadata = store, max_pixels, keep_metadata
        self._photo = lru_cache(_PHOTOS)(lambda file: _Once(partial(self._decoded, file)))

    def read(self, item: Item) -> bytes:
        """Return the file of an item's picture; threads may call this at the same time.

        A crop is a PNG file at the photo's own scale. A photo is its own file without metadata, encoded anew only where
        it is turned by its EXIF orientation, or in a format that is not `COMMON`.

        Raises:
            ImageError: the photo cannot be read, or has another size than in the table.
        """
        if item.square:
            return png(cut(_with_face(self._photo(item.file).value(), item.square), item.square))
        found = content(self._store, item.file, self._max_pixels)
        if found.version != item.version:
            _refuse_other(decode(found.data, 1, 1, self._max_pixels), item)
        kind = COMMON.get(os.path.splitext(item.file)[1].lower())
        if kind and found.data.startswith(_SIGNATURES[kind]):
            kept = found.data if self._keep_metadata else stripped(found.data)
            if kept is not None:
                return kept
        pixels = decode(found.data, FULL, FULL, self._max_pixels).pixels
        return _encoded(pixels, kind or COMMON[suffix(item.file)])

    def _decoded(self, file: str) -> Picture:
        return read(self._store, file, FULL, FULL, self._max_pixels)[0]


class _Once:
    """A picture that is decoded when it is first wanted, by one thread; the others wait for it."""

    def __init__(self, make: Callable[[], Picture]) -> None:
        self._make, self._lock = make, Lock()
        self._made: Picture | None = None

    def value(self) -> Picture:
        with self._lock:
            self._made = self._made or self._make()
            return self._made


def _encoded(pixels: Pixels, kind: str) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(file, kind, quality=_QUALITY, subsampling=0)
    return file.getvalue()


def _with_face(picture: Picture, face: Face) -> Picture:
    """Return the picture if the face can be of it."""
    if not holds(picture, face):
        raise ImageError(Status.UNREADABLE, _OTHER)
    return picture


def _refuse_other(picture: Picture, item: Item) -> None:
    if (picture.width, picture.height) != (item.width, item.height):
        raise ImageError(Status.UNREADABLE, _OTHER)
