"""The face crops to measure on: those of FER-2013 where they are present, else generated ones."""

from __future__ import annotations

import itertools
import os
import shutil
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from options import Options

COUNT, QUICK_COUNT = 28_709, 2_000
SIDE = 48
CLASSES = ("angry", "disgust", "fear", "happy", "neutral", "sad", "surprise")


def tree(options: Options) -> Path:
    """Return a folder of class folders with crops, 48x48 gray JPEGs; the first call makes it."""
    folder, count = options.scratch / "crops", options.size(COUNT, QUICK_COUNT)
    if folder.exists():
        return folder
    originals = sorted((options.data / "fer2013" / "train").glob("*/*.jpg"))
    for name in {original.parent.name for original in originals} or CLASSES:
        (folder / name).mkdir(parents=True)
    for original in originals[:: max(len(originals) // count, 1)][:count]:
        shutil.copyfile(original, folder / original.parent.name / original.name)
    if not originals:
        generate(count, folder)
    return folder


def files(folder: Path) -> list[Path]:
    """Return the crops below a folder, sorted."""
    return sorted(folder.glob("*/*.jpg"))


def generate(count: int, folder: Path) -> None:
    """Write generated crops into existing class folders, the same ones every time."""
    for number in range(count):
        name = CLASSES[number % len(CLASSES)]
        cv2.imwrite(str(folder / name / f"{number:05}.jpg"), generated(number), [cv2.IMWRITE_JPEG_QUALITY, 90])


def generated(number: int) -> NDArray[np.uint8]:
    """Return a gradient with noise, which is about as much work to decode as a face."""
    random = np.random.default_rng(number)
    across, down = random.uniform(-60, 60, 2)
    ramp = np.linspace(-1, 1, SIDE)
    pixels = 128 + across * ramp + down * ramp[:, None] + random.normal(0, 12, (SIDE, SIDE))
    return pixels.clip(0, 255).astype(np.uint8)


def link(originals: list[Path], count: int, folder: Path) -> None:
    """Fill a folder of class folders with ``count`` hard links, to all crops in turn."""
    for name in {original.parent.name for original in originals}:
        (folder / name).mkdir(parents=True)
    for number, original in zip(range(count), itertools.cycle(originals), strict=False):
        os.link(original, folder / original.parent.name / f"{number // len(originals)}_{original.name}")


def kind(options: Options) -> str:
    """Say in words what the crops are."""
    return "FER-2013" if (options.data / "fer2013" / "train").is_dir() else "generated"
