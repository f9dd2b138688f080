"""Pictures of faces in a page: every photo is read once, and the faces of a section are one WebP sprite."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial

from PIL import Image

from labeler import storage
from labeler.executors import threads
from labeler.images.picture import ImageError, Pixels
from labeler.images.read import read as read_image
from labeler.images.tile import sides, tile
from labeler.records import Row, Settings
from labeler.report.page import Html, name, spelled, tag
from labeler.storage import versions
from labeler.storage.address import is_remote
from labeler.storage.store import Store
from labeler.tables import decided
from labeler.watched import Watched, unwatched

SIDE = 112
"""Side of a face in pixels: it is shown at 76 to 112, and at twice as many device pixels on most phones."""

MOST_FACES = 800
"""Upper limit on the faces of a page."""

BYTES_PER_FACE = 3_500
"""Upper limit on the mean size of a face in a sprite: 800 of them are 3.7 MB as base64, of the 6 MB of a page. At
quality 80 a face has 2,000 to 3,000 bytes, noise 9,000."""

_COLUMNS = 16
_QUALITIES = (80, 60, 40, 20, 5, 0)
"""Qualities to try until a sprite is small enough."""

Key = tuple[str, int | None]
"""File and face."""


@dataclass(frozen=True, kw_only=True)
class Album:
    """The faces that were read, why others were not, and the files that have changed since they were labelled."""

    faces: dict[Key, Pixels] = field(default_factory=dict)
    missing: dict[Key, str] = field(default_factory=dict)
    changed: set[str] = field(default_factory=set)


def read(rows: Iterable[Row], settings: Settings, watched: Watched = unwatched) -> Album:
    """Read the face of each row, or the whole photo of a row without a box; each file once.

    Of the settings, `root` says where the files are and `max_pixels` how large their images may be. A file that cannot
    be read is missing from the album, with the reason.
    """
    by_file: dict[str, dict[int | None, Row]] = {}
    for row in rows:
        by_file.setdefault(row.file, {})[row.face] = row
    album = Album()
    look = partial(_look, storage.at(settings.root), settings.max_pixels)
    photos = (list(faces.values()) for faces in by_file.values())
    with closing(threads.mapped(look, photos, waiting=is_remote(settings.root))) as found:
        firsts = (next(iter(faces.values())) for faces in by_file.values())
        for row, (faces, reason, version) in zip(watched(firsts, "reading photos"), found, strict=True):
            for face in by_file[row.file]:
                if face in faces:
                    album.faces[row.file, face] = faces[face]
                else:
                    album.missing[row.file, face] = reason
            if versions.differ(version, row.version):
                album.changed.add(row.file)
    return album


class Sprite:
    """The faces of a section as one image, which the page holds once."""

    def __init__(self, anchor: str, rows: Iterable[Row], album: Album) -> None:
        self._anchor = f"{anchor}-faces"
        self._album = album
        keys = dict.fromkeys((row.file, row.face) for row in rows)
        self._places = {key: place for place, key in enumerate(key for key in keys if key in album.faces)}

    def definition(self) -> Html:
        """Return the image itself, to be put into the page once; nothing where there is no face."""
        if not self._places:
            return Html()
        image = self._image()
        address = f"data:image/webp;base64,{base64.b64encode(_webp(image, len(self._places))).decode()}"
        width, height = image.size
        sheet = tag("image", id=self._anchor, width=width, height=height, href=Html(address))
        return tag("svg", tag("defs", sheet), class_="sheet", width=0, height=0, aria_hidden="true")

    def view(self, row: Row) -> Html:
        """Return the face of a row, a part of the image; or why there is none."""
        key = row.file, row.face
        place = self._places.get(key)
        if place is None:
            return tag("span", self._album.missing.get(key, "not read"), class_="absent")
        x, y = place % _COLUMNS * SIDE, place // _COLUMNS * SIDE
        use = tag("use", href=f"#{self._anchor}")
        box = f"{x} {y} {SIDE} {SIDE}"
        shape = {"viewBox": box, "preserveAspectRatio": "xMidYMid slice", "width": SIDE, "height": SIDE}
        return tag("svg", use, **shape, aria_hidden="true")

    def _image(self) -> Image.Image:
        columns = min(_COLUMNS, len(self._places))
        image = Image.new("RGB", (columns * SIDE, math.ceil(len(self._places) / _COLUMNS) * SIDE), "#808080")
        for key, place in self._places.items():
            image.paste(Image.fromarray(self._album.faces[key]), (place % _COLUMNS * SIDE, place // _COLUMNS * SIDE))
        return image


def said(row: Row) -> Html:
    """Return score and label of a face."""
    found = decided.score_of(row)
    score = tag("b", f"{found:.2f}") if found is not None else ""
    return tag("span", score, " ", name(row.label), class_="said") if row.label else Html()


def strip(rows: Iterable[Row], sprite: Sprite | None, caption: Callable[[Row], object] = said) -> Html:
    """Return a list of faces, each with label, score and file as text; without a sprite, the text alone."""
    cells = [tag("li", sprite.view(row) if sprite else "", caption(row), " ", _file(row)) for row in rows]
    return tag("ul", *cells, class_="faces")


def _file(row: Row) -> Html:
    """Return the name of a row's file; a narrow cell cuts it off, and shows it whole where the pointer rests."""
    face = f", face {row.face + 1}" if row.face else ""
    return tag("span", name(row.file), face, class_="file", title=f"{spelled(row.file)}{face}")


def _look(store: Store, max_pixels: int, rows: list[Row]) -> tuple[dict[int | None, Pixels], str, str]:
    """Return the faces of one file, why those are missing that are, and the version of the file."""
    try:
        picture, content = read_image(store, rows[0].file, *sides(rows, SIDE), max_pixels)
    except ImageError as exc:
        return {}, f"{exc.status}: {exc.reason}", exc.version
    found = {row.face: pixels for row in rows if (pixels := tile(picture, row, SIDE)) is not None}
    return found, "the photo has another size than when it was labelled", content.version


def _webp(image: Image.Image, faces: int) -> bytes:
    for content in _encoded(image):
        if len(content) <= faces * BYTES_PER_FACE:
            break
    return content


def _encoded(image: Image.Image) -> Iterator[bytes]:
    for quality in _QUALITIES:
        stream = io.BytesIO()
        image.save(stream, "WEBP", quality=quality, method=4)
        yield stream.getvalue()
