"""Compare bounding boxes: arrays (n, 4) of left, top, right, bottom."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from labeler.records import Face

Boxes = NDArray[np.float64]

SAME_FACE = 0.4
"""Lower limit on the intersection over union (IoU) of two boxes of one face."""


class Matches(NamedTuple):
    """How the faces detected in a photo compare with the annotated ones."""

    right: int
    false: int
    missed: int


def of(faces: Sequence[Face]) -> Boxes:
    """Return the boxes of faces, in their order."""
    corners = [(face.x, face.y, face.x + face.width, face.y + face.height) for face in faces]
    return np.array(corners, np.float64).reshape(-1, 4)


def match(found: Sequence[Face], annotated: Boxes, doubtful: Boxes) -> Matches:
    """Match each detected face, by falling confidence, with its nearest annotated box; a doubtful box never counts."""
    surest_first = of(sorted(found, key=lambda face: -(face.score or 0)))
    free = overlaps(surest_first, annotated)
    doubts = overlaps(surest_first, doubtful)
    right = false = 0
    for row in range(len(surest_first)):
        if free[row].max(initial=0) >= SAME_FACE:
            free[:, free[row].argmax()] = 0  # An annotated face is matched once.
            right += 1
        elif doubts[row].max(initial=0) < SAME_FACE:
            false += 1
    return Matches(right, false, len(annotated) - right)


def overlaps(some: Boxes, others: Boxes) -> NDArray[np.float64]:
    """Return the intersection over union (IoU) of each box with each of the others."""
    sides = np.minimum(some[:, None, 2:], others[:, 2:]) - np.maximum(some[:, None, :2], others[:, :2])
    shared = sides.clip(0).prod(axis=2)
    united = areas(some)[:, None] + areas(others) - shared
    return np.divide(shared, united, out=np.zeros_like(shared), where=united > 0)


def areas(boxes: Boxes) -> NDArray[np.float64]:
    """Return the areas of boxes."""
    return (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)
