"""Tiles: the face of a row, or its whole photo, as a small square image."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from PIL import Image

from labeler.images.crop import cut, holds
from labeler.images.decode import FULL
from labeler.images.picture import Picture, Pixels
from labeler.records import Face, Row


def sides(rows: Sequence[Row], side: int) -> tuple[int, int]:
    """Return the shorter and the longer side at which the smallest of a photo's faces still has ``side`` pixels."""
    width, height = rows[0].image_width, rows[0].image_height
    if not width or not height:
        return FULL, FULL
    least = max(min(max(row.width or width, row.height or height) for row in rows), 1)
    scale = side / least
    return math.ceil(min(width, height) * scale), math.ceil(max(width, height) * scale)


def tile(picture: Picture, row: Row, side: int) -> Pixels | None:
    """Return the square around a face, or the whole photo, with ``side``; None where the box is not in the photo."""
    pixels = _cut(picture, row)
    return None if pixels is None else _fitted(pixels, side)


def _cut(picture: Picture, row: Row) -> Pixels | None:
    """Return the square around a face, or the whole photo; None where the box does not lie in the photo."""
    if row.x is None or row.y is None or row.width is None or row.height is None:
        return picture.pixels
    face = Face(row.x, row.y, row.width, row.height)
    return cut(picture, face) if holds(picture, face) else None


def _fitted(pixels: Pixels, side: int) -> Pixels:
    """Return an image as a square of ``side``, all of it visible."""
    image = Image.fromarray(pixels)
    scale = side / max(image.size)
    size = max(1, round(image.width * scale)), max(1, round(image.height * scale))
    square = Image.new("RGB", (side, side), "#808080")
    square.paste(
        image.resize(size, Image.Resampling.BICUBIC, reducing_gap=2.0),
        ((side - size[0]) // 2, (side - size[1]) // 2),
    )
    return np.asarray(square)
