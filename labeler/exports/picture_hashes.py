"""Perceptual hashes of the pictures of an export: each file is read once, or not at all where they are kept."""

from __future__ import annotations

import math
from collections.abc import Generator, Iterable
from contextlib import closing
from functools import partial
from itertools import groupby
from operator import attrgetter
from typing import NamedTuple

from labeler.executors import threads
from labeler.exports.hash_cache import HashCache, key
from labeler.exports.item import Item
from labeler.grouping import duplicates
from labeler.images import headers
from labeler.images.crop import crop, holds, resized
from labeler.images.decode import FULL, decode
from labeler.images.picture import ImageError, Picture
from labeler.images.read import content
from labeler.records import INPUT_SIDE, Face, View
from labeler.storage.address import is_remote
from labeler.storage.store import Store

Hashed = Generator[tuple[Item, bytes], None, None]


class _File(NamedTuple):
    """The items of one file, the key of each in the cache, and its hash; empty where it is not known."""

    items: list[Item]
    keys: list[bytes]
    hashes: list[bytes]
    version: str = ""
    """That of the file that was read; empty where none was."""


def hashed(items: Iterable[Item], store: Store, cache: HashCache, max_pixels: int) -> Hashed:
    """Yield each item with the perceptual hash of what its picture shows; empty where that cannot be read.

    The items of a file are adjacent.
    """
    files = (_known(list(group), cache) for _, group in groupby(items, attrgetter("file")))
    with closing(threads.mapped(partial(_read, store, max_pixels), files, waiting=is_remote(store.address))) as read:
        for file in read:
            for item, key, phash in zip(file.items, file.keys, file.hashes, strict=True):
                if phash and file.version and file.version == item.version:
                    cache.put(key, phash)
                yield item, phash


def _known(items: list[Item], cache: HashCache) -> _File:
    """Return a file with the hashes that are kept."""
    smallest = _smallest(items)
    keys = [key(item.file, item.version, item.square, smallest) for item in items]
    return _File(items, keys, [cache.get(key) for key in keys])


def _read(store: Store, max_pixels: int, file: _File) -> _File:
    """Return a file with the hashes that were not known."""
    if all(file.hashes):
        return file
    try:
        found = content(store, file.items[0].file, max_pixels)
        picture = decode(found.data, *_sides(found.data, _smallest(file.items)), max_pixels)
    except ImageError:
        return file
    hashes = [known or _hash(picture, item.square) for item, known in zip(file.items, file.hashes, strict=True)]
    return file._replace(hashes=hashes, version=found.version)


def _smallest(items: Iterable[Item]) -> float:
    """Return the longer side of the smallest face, in pixels of the photo; 0 where only the whole photo is shown."""
    return min((max(item.square.width, item.square.height) for item in items if item.square), default=0.0)


def _sides(data: bytes, smallest: float) -> tuple[int, int]:
    """Return the shorter and the longer side at which a face of this size, or the whole photo, fills a hash's input."""
    if not smallest >= 1:
        return INPUT_SIDE, INPUT_SIDE
    header = headers.read(data)
    if header is None:
        return FULL, FULL
    scale = INPUT_SIDE / smallest
    sides = sorted((header.width, header.height))
    return math.ceil(sides[0] * scale), math.ceil(sides[1] * scale)


def _hash(picture: Picture, square: Face | None) -> bytes:
    """Return the hash of a photo or of a face in it; empty where the box does not lie in the photo."""
    if square is None:
        return duplicates.perceptual_hash(resized(picture.pixels, INPUT_SIDE))
    if not holds(picture, square):
        return b""
    return duplicates.perceptual_hash(crop(picture, square, View()))
