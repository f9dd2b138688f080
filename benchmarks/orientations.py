"""Store photos in all eight EXIF orientations and compare the bounding boxes detected in them."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import boxes
from boxes import Boxes
from PIL import Image, ImageOps

from labeler.labeling import Looker

STORED = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}
"""How the upright pixels are transposed to be stored with each orientation."""

ORIENTATION_TAG = 0x0112
SAME_BOX = 0.5


@dataclass(slots=True)
class Shifts:
    """How far boxes moved between orientation 1 and the others, in units of the box's shorter side."""

    pairs: list[float] = field(default_factory=list)
    lost: int = 0
    gained: int = 0

    def over(self, share: float) -> int:
        """Count the pairs that moved by more than a share of the side."""
        return sum(shift > share for shift in self.pairs)


def compare(look: Looker, photographs: Sequence[Path]) -> Shifts:
    """Detect the faces of every photo in all orientations."""
    shifts = Shifts()
    for photograph in photographs:
        with tempfile.TemporaryDirectory() as folder:
            upright, *others = (found(look, file) for file in stored(photograph, Path(folder)))
            for turned in others:
                add(shifts, upright, turned)
    return shifts


def stored(photograph: Path, folder: Path) -> Iterator[Path]:
    """Yield a file for each orientation; each is encoded anew, so that none has an advantage."""
    with Image.open(photograph) as image:
        upright = ImageOps.exif_transpose(image).convert("RGB")
    for orientation, turn in STORED.items():
        exif = Image.Exif()
        exif[ORIENTATION_TAG] = orientation
        file = folder / f"{orientation}.jpg"
        turned = upright if turn is None else upright.transpose(turn)
        turned.save(file, exif=exif, quality=95, subsampling=0)
        yield file


def found(look: Looker, file: Path) -> Boxes:
    """Return the bounding boxes of a photo's faces."""
    return boxes.of([face for face, _ in look(str(file)).faces])


def add(shifts: Shifts, upright: Boxes, turned: Boxes) -> None:
    """Match the boxes of one photo in two orientations, and record the shift of the worst edge of each."""
    shared = boxes.overlaps(upright, turned)
    paired = 0
    for box, overlap in zip(upright, shared, strict=True):
        if overlap.max(initial=0) < SAME_BOX:
            shifts.lost += 1
            continue
        side = (box[2:] - box[:2]).min()
        shifts.pairs.append(float(abs(turned[overlap.argmax()] - box).max() / side))
        paired += 1
    shifts.gained += len(turned) - paired
