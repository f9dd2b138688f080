"""The tables that `labeler review` is measured on: a million rows of crops, and screens with some wrong faces."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import crops
import pages

from labeler import storage
from labeler.records import Row

RIGHT, WRONG = "happy", "sad"
"""What the faces of a screen show, and what its wrong ones show; the table calls all of them ``RIGHT``."""


def copies(photos: Path, root: Path, count: int) -> Iterator[Row]:
    """Yield so many rows of random scores, each of a file of its own: a folder of crops below many names."""
    names = [file.relative_to(photos).as_posix() for file in crops.files(photos)]
    versions = {name: storage.at(str(photos)).version(name) for name in names}
    root.mkdir(exist_ok=True)
    for number, row in enumerate(pages.random_rows(names, count)):
        folder = f"{number // len(names):04}"
        if number % len(names) == 0 and not (root / folder).is_symlink():
            (root / folder).symlink_to(photos)
        yield row._replace(file=f"{folder}/{row.file}", version=versions[row.file] or "")


def screens(photos: Path, count: int, share: float) -> Iterator[Row]:
    """Yield rows that are called ``RIGHT``, the surest first; a share of them shows ``WRONG``."""
    draw = random.Random(1)
    right, wrong = (iter(sorted((photos / name).glob("*.jpg"))) for name in (RIGHT, WRONG))
    store, side = storage.at(str(photos)), float(crops.SIDE)
    best = crops.CLASSES.index(RIGHT)
    for number in range(count):
        file = next(wrong if draw.random() < share else right).relative_to(photos).as_posix()
        score = 0.99 - 0.5 * number / count
        rest = (1 - score) / (len(crops.CLASSES) - 1)
        shares = tuple(score if index == best else rest for index in range(len(crops.CLASSES)))
        row = Row(file, 0, 0.0, 0.0, side, side, 0.9, image_width=crops.SIDE, image_height=crops.SIDE)
        yield row._replace(version=store.version(file) or "").labelled(shares, crops.CLASSES, 0.0)
