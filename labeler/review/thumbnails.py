"""The faces of some rows as one image (a sprite): each photo is read once, and what was cut is kept."""

from __future__ import annotations

import math
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import cv2
import numpy as np

from labeler.executors.threads import ahead
from labeler.images.decode import decode
from labeler.images.picture import ImageError, Picture, Pixels
from labeler.images.read import content
from labeler.images.tile import sides, tile
from labeler.records import Row, Status
from labeler.review.refused import Refused
from labeler.review.tile_cache import Kept, TileCache, key
from labeler.storage.address import is_remote
from labeler.storage.store import Store
from labeler.storage.versions import comparable
from labeler.tables.reviews import picture_hash

COLUMNS = 16
"""Tiles in a row of a sprite."""

_GRAY = 128
_KEPT_QUALITY, _SENT_QUALITY, _PHOTO_QUALITY = 92, 84, 88
_MOST_HASHES = 200_000
"""Upper limit on the hashes of photos that are remembered, 40 MB."""

_CHANGED = "the photo has changed since it was labelled"


class Stopped(Exception):  # noqa: N818 - somebody's wish, not an error
    """Nobody wants the picture any more."""


@dataclass(frozen=True, slots=True)
class _Tile:
    """The tile of a row, or why there is none."""

    pixels: Pixels | None
    reason: str = ""


class Thumbnails:
    """Makes pictures of the rows of a table; for any number of threads."""

    def __init__(self, store: Store, max_pixels: int, cache: TileCache) -> None:
        self._store, self._max_pixels, self._cache = store, max_pixels, cache
        self._waits = is_remote(store.address)
        self._hashes: OrderedDict[str, str] = OrderedDict()
        self._lock = threading.Lock()

    @property
    def unusable(self) -> str:
        """Return why tiles are not kept, though they were to be; empty where they are."""
        return self._cache.unusable

    def sprite(
        self, rows: Mapping[int, Row], side: int, stopped: Callable[[], bool] = lambda: False
    ) -> tuple[bytes, dict[int, str]]:
        """Return the tiles of rows, in their order, as a JPEG file, and why those are gray that are.

        Raises:
            Stopped: ``stopped`` said so meanwhile.
        """
        tiles = self._tiles(rows, side, stopped)
        height = math.ceil(len(rows) / COLUMNS)
        sheet = np.full((height * side, min(COLUMNS, len(rows)) * side, 3), _GRAY, np.uint8)
        for place, number in enumerate(rows):
            pixels = tiles[number].pixels
            if pixels is not None:
                top, left = place // COLUMNS * side, place % COLUMNS * side
                sheet[top : top + side, left : left + side] = pixels
        return _jpeg(sheet, _SENT_QUALITY), {number: one.reason for number, one in tiles.items() if one.reason}

    def photo(self, row: Row, side: int) -> bytes:
        """Return the whole photo of a row, upright, as a JPEG file without metadata, at most ``side`` pixels long.

        Raises:
            Refused: it cannot be read.
        """
        try:
            found, version = self._read(row)
            picture = decode(found, 0, side, self._max_pixels)
        except ImageError as exc:
            raise Refused(404, exc.reason) from exc
        reason = _other(row, picture, version)
        if reason:
            raise Refused(404, reason)
        pixels = picture.pixels
        scale = side / max(pixels.shape[:2])
        if scale < 1:
            size = max(1, round(pixels.shape[1] * scale)), max(1, round(pixels.shape[0] * scale))
            pixels = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
        return _jpeg(pixels, _PHOTO_QUALITY)

    def missing(self, row: Row) -> str:
        """Return why the photo of a row cannot be shown; empty where it can be, as far as its version tells."""
        version = self._store.version(row.file)
        if version is None:
            return "the photo is not there any more"
        return _CHANGED if _differs(version, row.version) else ""

    def hash_of(self, row: Row) -> str | None:
        """Return the hash of a row's photo, if it is still the one that was labelled; None where it cannot be read."""
        known = self._hashes.get(row.file)
        if known:
            return known
        try:
            return self._remember(row.file, self._read(row)[0])
        except ImageError:
            return None

    def _tiles(self, rows: Mapping[int, Row], side: int, stopped: Callable[[], bool]) -> dict[int, _Tile]:
        by_file: dict[str, dict[int, Row]] = {}
        for number, row in rows.items():
            by_file.setdefault(row.file, {})[number] = row
        keys = self._keys(by_file, side)
        kept = self._cache.get(list(keys.values()))
        found: dict[int, _Tile] = {}
        for number, its_key in keys.items():
            if its_key in kept:
                found[number] = _Tile(_opened(kept[its_key].image))
                self._note(rows[number].file, kept[its_key].hash)
        missing = [{n: row for n, row in some.items() if n not in found} for some in by_file.values()]
        made: list[tuple[bytes, Kept]] = []
        with ahead(partial(self._cut, side), waiting=self._waits) as working:
            for _, result in working.of([some for some in missing if some]):
                if stopped():
                    raise Stopped
                tiles, new = result()
                found |= tiles
                made += new
        self._cache.put(made)
        return found

    def _keys(self, by_file: Mapping[str, Mapping[int, Row]], side: int) -> dict[int, bytes]:
        """Return the keys of those tiles that may be kept: of photos that are as they were."""
        keys: dict[int, bytes] = {}
        with ahead(self._store.version, threaded=self._waits, waiting=self._waits) as working:
            for file, result in working.of(by_file):
                version = result()
                for number, row in by_file[file].items():
                    if version and not _differs(version, row.version):
                        keys[number] = key(row, version, side)
        return keys

    def _cut(self, side: int, rows: Mapping[int, Row]) -> tuple[dict[int, _Tile], list[tuple[bytes, Kept]]]:
        """Return the tiles of the rows of one photo, and those of them to keep."""
        first = next(iter(rows.values()))
        try:
            found, version = self._read(first)
            picture = decode(found, *sides(list(rows.values()), side), self._max_pixels)
        except ImageError as exc:
            return {number: _Tile(None, exc.reason) for number in rows}, []
        hash_ = self._remember(first.file, found)
        tiles: dict[int, _Tile] = {}
        made: list[tuple[bytes, Kept]] = []
        for number, row in rows.items():
            reason = _other(row, picture, version)
            pixels = None if reason else tile(picture, row, side)
            tiles[number] = _Tile(pixels, reason or ("" if pixels is not None else "the box is not in the photo"))
            if pixels is not None:
                made.append((key(row, version, side), Kept(hash_, _jpeg(pixels, _KEPT_QUALITY))))
        return tiles, made

    def _read(self, row: Row) -> tuple[bytes, str]:
        """Return bytes and version of a row's photo; raise ImageError if it is not the one that was labelled."""
        found = content(self._store, row.file, self._max_pixels)
        if _differs(found.version, row.version):
            raise ImageError(Status.UNREADABLE, _CHANGED, found.version)
        return found.data, found.version

    def _remember(self, file: str, found: bytes) -> str:
        hash_ = picture_hash(found)
        self._note(file, hash_)
        return hash_

    def _note(self, file: str, hash_: str) -> None:
        with self._lock:
            self._hashes[file] = hash_
            while len(self._hashes) > _MOST_HASHES:
                self._hashes.popitem(last=False)


def _differs(version: str, labelled: str) -> bool:
    """Say whether a photo was changed since it was labelled: its size in bytes is another.

    Another time alone does not say so: the photos may have been copied since.
    """
    if not version or not labelled:
        return bool(labelled)
    return comparable(version, labelled) and version.partition("-")[0] != labelled.partition("-")[0]


def _other(row: Row, picture: Picture, version: str) -> str:
    """Return why a picture is not the one that was labelled; empty where it is."""
    known = row.image_width is not None
    if _differs(version, row.version) or (
        known and (row.image_width, row.image_height) != (picture.width, picture.height)
    ):
        return _CHANGED
    return ""


def _jpeg(pixels: Pixels, quality: int) -> bytes:
    bgr = cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR)
    return cv2.imencode(".jpg", bgr, (cv2.IMWRITE_JPEG_QUALITY, quality))[1].tobytes()


def _opened(image: bytes) -> Pixels:
    return np.asarray(cv2.imdecode(np.frombuffer(image, np.uint8), cv2.IMREAD_COLOR_RGB), np.uint8)
