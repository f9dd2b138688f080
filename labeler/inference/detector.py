"""The seam to what finds faces: an image to bounding boxes. Which boxes count is decided here, for every detector."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from labeler.records import CROP_SIDE, Face, Faces, Settings

Floats = NDArray[np.float32]
Pixels = NDArray[np.uint8]


class Boxes(NamedTuple):
    """Bounding boxes (n, 4), each left, top, right, bottom in pixels, and their scores (n,) from 0 to 1."""

    boxes: Floats
    scores: Floats


class Detector(Protocol):
    """A loaded detector."""

    decoded_side: int
    """The longer side, in pixels, that an image should at least be decoded at."""
    size_error: float
    """The factor by which a box may be too small."""

    def __call__(self, pixels: Pixels, threshold: float) -> Boxes:
        """Return the faces in upright RGB pixels (height, width, 3) that score above 0 and at least ``threshold``."""


def faces(detector: Detector, pixels: Pixels, width: int, height: int, settings: Settings) -> list[Face]:
    """Return the faces of an upright RGB image, largest first, in pixels of its full ``width`` and ``height``."""
    found = detector(pixels, settings.face_threshold)
    scale = np.array([width / pixels.shape[1], height / pixels.shape[0]] * 2)
    corners = (found.boxes * scale).clip(0, (width, height) * 2).tolist()
    every = [_face(box, score) for box, score in zip(corners, found.scores.tolist(), strict=True)]
    large = [
        face
        for face in every
        if face.width > 0 < face.height and detector.size_error * max(face.width, face.height) >= settings.min_face
    ]
    return sorted(large, key=_largest_first)[: settings.max_faces or None]


def is_crop(width: int, height: int, faces: Faces) -> bool:
    """Say whether an image is taken whole, as one face crop."""
    return faces is Faces.WHOLE or (faces is Faces.AUTO and max(width, height) <= CROP_SIDE)


def _face(box: list[float], score: float) -> Face:
    left, top, right, bottom = (round(edge, 1) for edge in box)
    return Face(left, top, round(right - left, 1), round(bottom - top, 1), round(score, 6))


def _largest_first(face: Face) -> tuple[float, float, float]:
    return (-face.width * face.height, face.y, face.x)
