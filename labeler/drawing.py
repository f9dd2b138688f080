"""Draw the bounding boxes, labels and scores of a table on its photos, for review or a slide."""

from __future__ import annotations

import errno
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import cycle, groupby, product
from pathlib import Path, PurePath
from statistics import median
from typing import NamedTuple

from PIL import Image, ImageDraw, ImageFont

from labeler import storage
from labeler.errors import OutputError
from labeler.executors import threads
from labeler.images.picture import ImageError, Picture
from labeler.images.read import read
from labeler.records import Row, Settings
from labeler.storage import atomic, transfer
from labeler.storage.address import below, is_remote
from labeler.storage.store import Store
from labeler.tables import decided

PALETTE = ("#D55E00", "#009E73", "#CC79A7", "#F0E442", "#56B4E9", "#0072B2", "#E69F00")
"""The colours of Okabe and Ito, which colour-blind people can tell apart; a class has the colour at its index."""

GRAY = "#BBBBBB"
"""Colour of `uncertain` and of notes, which are no classes."""

_FACE_SIDE, _LONGER_SIDE = 96, 480
"""Sides in pixels up to which the median face and the image are enlarged, where there is room."""

_CAPTIONED_SIDE, _CROWDED_SIDE = 40, 48
"""Lower limit in pixels on faces with a caption: captions of smaller faces would hide their neighbours, so the image
gets a legend instead. The limit doubles where the median face is below the second side: a few captions in a crowd would
look like chance."""

_LEGEND_SHARE = 1 / 25
_SHADE, _DARK = (0, 0, 0, 150), frozenset({"#0072B2"})
_SUFFIX = ".annotated.jpg"


class Annotated(NamedTuple):
    """What became of one file of a table."""

    file: str
    target: str = ""
    """Name of the drawing relative to the output folder, with forward slashes; empty when there is none."""
    reason: str = ""
    """Why there is none."""


def annotate(
    rows: Iterable[Row], class_names: Sequence[str], settings: Settings, out: Path, longer_side: int = 1600
) -> Iterator[Annotated]:
    """Draw each file of a table (adjacent rows), in order and lazily; yield what became of it.

    Of the settings, `root` says where the files are and `max_pixels` how large they may be. No file is overwritten.

    Raises:
        LabelerError: ``out`` is not empty.
        OutputError: a drawing cannot be written.
    """
    atomic.open_empty(out, "output folder", "choose a new folder, or empty it first")
    colours = dict(zip(class_names, cycle(PALETTE), strict=False))
    photos = (list(faces) for _, faces in groupby(rows, key=lambda row: row.file))
    store = storage.at(settings.root)

    def draw(faces: Sequence[Row]) -> Annotated:
        return _annotated(faces, colours, store, settings.max_pixels, out, longer_side)

    return threads.mapped(draw, photos, waiting=True) if is_remote(settings.root) else map(draw, photos)


def _annotated(
    rows: Sequence[Row], colours: Mapping[str, str], store: Store, max_pixels: int, out: Path, longer: int
) -> Annotated:
    row = rows[0]
    if row.failed:
        return Annotated(file=row.file, reason=f"{row.status}: {row.reason}")
    try:
        picture, _ = read(store, row.file, 1, longer, max_pixels)
    except ImageError as exc:
        return Annotated(file=row.file, reason=f"{exc.status}: {exc.reason}")
    target = _target(row.file, store.address)
    problem = _write(_drawn(picture, rows, colours, longer), os.path.join(out, target))
    return Annotated(file=row.file, reason=problem) if problem else Annotated(file=row.file, target=target)


def _target(file: str, root: str) -> str:
    """Return the name of a file's drawing, which stays below the output folder whatever the table says."""
    if is_remote(root):
        path, folder = PurePath(below(root, file)), ""
    else:
        path, folder = PurePath(file), os.path.abspath(root)
    relative = path.relative_to(folder if path.is_relative_to(folder) else path.anchor)
    return "/".join(part for part in relative.parts if part != "..") + _SUFFIX


def _write(image: Image.Image, target: str) -> str:
    """Write a drawing beside its place, then rename it; return why the name is impossible, if it is."""
    part = transfer.unfinished(target)
    try:
        os.makedirs(os.path.dirname(target), exist_ok=True)
        image.save(part, "JPEG", quality=90, subsampling=0)  # Chroma subsampling would blur thin coloured lines.
        transfer.rename(part, target)
    except OSError as exc:
        problem = f"cannot write {target}: {exc.strerror or exc}"
        if exc.errno in {errno.EEXIST, errno.ENOTDIR, errno.ENAMETOOLONG}:
            return problem
        raise OutputError(f"{problem}. Make room, then start again in an empty folder") from exc
    finally:
        transfer.discard(part)
    return ""


def _drawn(picture: Picture, rows: Sequence[Row], colours: Mapping[str, str], longer_side: int) -> Image.Image:
    """Return the image with a box for each face, and a caption or, for small faces, a legend below the image."""
    faces = [(row, colours.get(row.label, GRAY)) for row in rows if row.face is not None]
    sides = [max(row.width or 0, row.height or 0, 1) for row, _ in faces]
    scale, least = _layout(picture, sides, longer_side)
    size = max(1, round(picture.width * scale)), max(1, round(picture.height * scale))
    sheet = _Sheet(Image.fromarray(picture.pixels).resize(size, Image.Resampling.LANCZOS))
    height = round(min(max(median(sides or [0]) * scale / 5, max(size) / 70, 19), max(max(size) / 33, 24)))
    boxes = [sheet.box(row, scale, colour) for row, colour in faces]
    for (row, colour), side, box in zip(faces, sides, boxes, strict=True):
        if side >= least:
            score = decided.score_of(row)
            sheet.plate(row.label if score is None else f"{row.label} {score:.0%}", colour, height, box)
    if not faces:
        sheet.plate("no face", GRAY, height, _Box(height // 2, size[1] - height // 2, *size))
    return _with_legend(sheet.image, faces) if min(sides, default=least) < least else sheet.image


def _layout(picture: Picture, sides: Sequence[float], longer_side: int) -> tuple[float, float]:
    """Return the scale of the output, and the smallest side, in full-size pixels, of faces with a caption."""
    longer = max(picture.width, picture.height)
    typical = median(sides or [longer])
    scale = min(longer_side / longer, max(1.0, _FACE_SIDE / typical, _LONGER_SIDE / longer))
    least = _CAPTIONED_SIDE / scale * (2 if typical * scale < _CROWDED_SIDE else 1)
    if min(sides, default=least) < least:
        scale = min(scale, longer_side / (picture.height + _LEGEND_SHARE * longer))
    return scale, least


def _with_legend(image: Image.Image, faces: Iterable[tuple[Row, str]]) -> Image.Image:
    """Return the image with a legend below it: the number of faces of each label, in the label's colour."""
    strip, height = int(max(image.size) * _LEGEND_SHARE), round(max(image.width * _LEGEND_SHARE / 2, 19))
    sheet = _Sheet(Image.new("RGB", (image.width, image.height + strip), "#202020"))
    sheet.image.paste(image)
    corner = _Box(height // 2, image.height + (strip + height) // 2, *sheet.image.size)
    for (label, colour), count in Counter((row.label, colour) for row, colour in faces).most_common():
        corner = corner._replace(left=sheet.plate(f"{label} {count:,}", colour, height, corner).right + height // 2)
    return sheet.image


class _Box(NamedTuple):
    """A rectangle in pixels of the output; `right` and `bottom` are inclusive."""

    left: int
    top: int
    right: int
    bottom: int

    def shared(self, other: _Box) -> int:
        across = min(self.right, other.right) - max(self.left, other.left) + 1
        return max(across, 0) * max(min(self.bottom, other.bottom) - max(self.top, other.top) + 1, 0)


class _Sheet:
    """An image at its output size, and the rectangles that are taken."""

    def __init__(self, image: Image.Image) -> None:
        self.image = image
        self._draw = ImageDraw.Draw(image, "RGBA")
        self._taken: list[_Box] = []

    def box(self, row: Row, scale: float, colour: str) -> _Box:
        """Draw the bounding box of a face, clipped to the image."""
        x, y, width, height = (scale * (value or 0) for value in (row.x, row.y, row.width, row.height))
        line = min(max(round(max(width, height) / 50), 2), 4)
        edges = (x - line, y - line, x + width + line - 1, y + height + line - 1)
        box = _Box(*(min(max(round(edge), 0), end - 1) for edge, end in zip(edges, self.image.size * 2, strict=True)))
        self._draw.rectangle((box.left - 1, box.top - 1, box.right + 1, box.bottom + 1), None, _SHADE, line + 2)
        self._draw.rectangle(box, None, colour, line)
        self._taken.append(box)
        return box

    def plate(self, text: str, colour: str, height: int, box: _Box) -> _Box:
        """Write a text on a coloured plate at the corner of a box where it overlaps least, preferably above."""
        font = ImageFont.load_default(0.7 * height)
        width = round(font.getlength(text) + 0.6 * height)
        tops = (box.top - height, box.bottom + 1, box.top, box.bottom + 1 - height)
        places = [self._place(x, y, width, height) for y, x in product(tops, (box.left, box.right + 1 - width))]
        place = min(places, key=lambda place: sum(map(place.shared, self._taken)))
        self._draw.rectangle(place, colour, _SHADE)
        middle = (place.left + width / 2, place.top + height / 2)
        self._draw.text(middle, text, "white" if colour in _DARK else "black", font, anchor="mm")
        self._taken.append(place)
        return place

    def _place(self, left: int, top: int, width: int, height: int) -> _Box:
        x, y = max(min(left, self.image.width - width), 0), max(min(top, self.image.height - height), 0)
        return _Box(x, y, x + width - 1, y + height - 1)
