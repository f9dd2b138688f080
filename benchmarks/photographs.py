"""The photos to measure on, and 12-megapixel ones made of them."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from boxes import Boxes
from numpy.typing import NDArray
from options import Options

ABSENT = "no photos in {}. With --data DIR, name a folder that has photos/, like ../shared/data"

LONG_SIDE, SHORT_SIDE = 4000, 3000
JPEG_QUALITY = 90
GRAIN = 4.5
"""Standard deviation of the added noise: an enlarged photo has none, and its file would be half as large as the 3 MB
of a camera's."""


class Annotated(NamedTuple):
    """A photo whose faces are known."""

    file: Path
    faces: Boxes
    doubtful: Boxes


def annotated(folder: Path) -> list[Annotated]:
    """Return the photos of ``faces.json``."""
    known = json.loads((folder / "faces.json").read_text())["photos"]
    return [
        Annotated(folder / "faces" / name, corners(photo["faces"]), corners(photo["ignore"]))
        for name, photo in known.items()
    ]


def corners(listed: list[list[float]]) -> Boxes:
    """Return listed boxes as an array (n, 4), even if there are none."""
    return np.array(listed, np.float64).reshape(-1, 4)


def files(folder: Path) -> list[Path]:
    """Return the files of a folder, sorted."""
    return sorted(file for file in folder.glob("*") if file.is_file())


DISTINCT = 200
"""Upper limit on the photos that are made; further ones are hard links to them."""

TEXTURES = 20
TEXTURE_SIDES = ((480, 640), (640, 480))


def large(options: Options, count: int, folder: Path) -> list[Path]:
    """Fill a new folder with ``count`` JPEGs of 12 megapixels; of textures where there are no photos."""
    originals = options.scratch / "megapixels"
    if not originals.exists():
        print("making JPEGs of 12 megapixels ...", file=sys.stderr)
        sources = [file for kind in ("faces", "large") for file in files(options.data / "photos" / kind)]
        originals.mkdir()
        enlarge(sources or textures(options.scratch / "textures"), min(count, DISTINCT), originals)
    folder.mkdir()
    made = [folder / f"{number:04}.jpg" for number in range(count)]
    for link, original in zip(made, itertools.cycle(files(originals)), strict=False):
        os.link(original, link)
    return made


def enlarge(sources: Sequence[Path], count: int, folder: Path) -> None:
    """Write ``count`` JPEGs of 12 megapixels from the sources in turn, mirrored in every other round."""
    noise = np.random.default_rng(0).normal(0, GRAIN, (LONG_SIDE, LONG_SIDE, 1)).round().astype(np.int16)
    for number, (source, mirrored) in zip(range(count), turns(sources), strict=False):
        photograph = filled(cv2.imread(str(source)))
        height, width = photograph.shape[:2]
        grainy = (photograph[:, :: -1 if mirrored else 1] + noise[:height, :width]).clip(0, 255).astype(np.uint8)
        cv2.imwrite(str(folder / f"{number:04}.jpg"), grainy, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])


def copied(originals: Sequence[Path], folder: Path) -> list[Path]:
    """Copy files into a new folder."""
    folder.mkdir()
    return [Path(shutil.copy(original, folder)) for original in originals]


def textures(folder: Path) -> list[Path]:
    """Write small images of blurred noise, finer and coarser; enlarged, their files are as large as photos'."""
    folder.mkdir()
    made = []
    for number in range(TEXTURES):
        random = np.random.default_rng(number)
        height, width = TEXTURE_SIDES[number % 2]
        cells = (random.normal(0, 40, (height // cell, width // cell, 3)) for cell in (4, 16, 80))
        layers = (cv2.resize(cell, (width, height)) for cell in cells)
        made.append(folder / f"{number:02}.png")
        cv2.imwrite(str(made[-1]), (128 + sum(layers)).clip(0, 255).astype(np.uint8))
    return made


def turns(sources: Sequence[Path]) -> Iterator[tuple[Path, bool]]:
    """Yield the sources as they are, then mirrored, and again."""
    return itertools.cycle([(source, mirrored) for mirrored in (False, True) for source in sources])


def filled(photograph: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the centre of a photo at 12 megapixels, landscape or portrait as it is."""
    rows, columns = photograph.shape[:2]
    height, width = (LONG_SIDE, SHORT_SIDE) if rows > columns else (SHORT_SIDE, LONG_SIDE)
    scale = max(height / rows, width / columns)
    high, wide = round(height / scale), round(width / scale)
    top, left = (rows - high) // 2, (columns - wide) // 2
    middle = photograph[top : top + high, left : left + wide]
    return cv2.resize(middle, (width, height), interpolation=cv2.INTER_CUBIC if scale > 1 else cv2.INTER_AREA)
