"""A picture to face boxes. The only place that knows a detector.

The detector is one in YuNet's format (W. Wu, H. Peng, S. Yu: YuNet: A Tiny Millisecond-level Face Detector, 2023):
for strides of 8, 16 and 32 pixels a class score, an objectness and a box for each cell.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from labeler.errors import ModelError
from labeler.inference import session
from labeler.records import CROP_SIDE, Device, Face, Faces, Settings

Floats = NDArray[np.float32]
Pixels = NDArray[np.uint8]

DECODED_SIDE = 1280
"""The longer side, at least, that a picture should be decoded at: the detector sees half of it, and the crops of
small faces need the rest (at 640, half of the faces in large photographs would come from under 32 pixels)."""

_SEEN_SIDE = 640
"""The longer side of what the detector sees; smaller pictures stay as they are."""

_LEAST_SIDE = 192
"""Smaller pictures are enlarged to it: 48-pixel crops are found to 98% then, to 79% as they are."""

_OVERLAP = 0.3
"""Boxes with a larger intersection over union are one face."""

_SAME = 0.5
"""Boxes with at least this one are averaged: a lone best box jumps by up to 14% of its side when the picture moves
by half a pixel, the mean by up to 2.4%."""

_SIZE_ERROR = 1.15
"""A box is up to so much too small: three times the standard deviation of 4.8% that was measured on small faces."""

_STRIDES = (8, 16, 32)
_OUTPUTS = tuple(f"{kind}_{stride}" for kind in ("cls", "obj", "bbox") for stride in _STRIDES)


class _Found(NamedTuple):
    """Boxes (n, 4) as left, top, right, bottom in pixels of what the detector saw, and their scores (n,)."""

    boxes: Floats
    scores: Floats


class Finder:
    """A loaded detector.

    Raises:
        ModelError: the file is no detector.
    """

    def __init__(self, path: Path, device: Device = Device.CPU) -> None:
        self._session = session.load(path, device)
        missing = set(_OUTPUTS) - {output.name for output in self._session.get_outputs()}
        if missing:
            names = ", ".join(sorted(missing))
            raise ModelError(f"{path} is not a face detector in YuNet's format: it has no output {names}")
        self._input = self._session.get_inputs()[0].name

    def find(self, pixels: Pixels, width: int, height: int, settings: Settings) -> list[Face]:
        """Return the faces of an upright RGB picture, largest first, in pixels of its full ``width`` and ``height``."""
        found = self._look(pixels, settings.face_threshold)
        scale = np.array([width / pixels.shape[1], height / pixels.shape[0]] * 2)
        corners = (found.boxes * scale).clip(0, (width, height) * 2).tolist()
        faces = [_face(box, score) for box, score in zip(corners, found.scores.tolist(), strict=True)]
        large = [
            face
            for face in faces
            if face.width > 0 < face.height and _SIZE_ERROR * max(face.width, face.height) >= settings.min_face
        ]
        return sorted(large, key=_largest_first)[: settings.max_faces or None]

    def _look(self, pixels: Pixels, threshold: float) -> _Found:
        seen = _fitted(pixels)
        outputs = self._session.run(_OUTPUTS, {self._input: _padded(seen)})
        found = _joined(_decoded([output[0] for output in outputs], seen.shape[1], threshold))
        scale = np.array([pixels.shape[1] / seen.shape[1], pixels.shape[0] / seen.shape[0]] * 2, np.float32)
        return _Found(found.boxes * scale, found.scores)


def is_crop(width: int, height: int, faces: Faces) -> bool:
    """Say whether a picture is taken whole, as one face crop."""
    return faces is Faces.WHOLE or (faces is Faces.AUTO and max(width, height) <= CROP_SIDE)


def _face(box: list[float], score: float) -> Face:
    left, top, right, bottom = (round(edge, 1) for edge in box)
    return Face(left, top, round(right - left, 1), round(bottom - top, 1), round(score, 6))


def _largest_first(face: Face) -> tuple[float, float, float]:
    return (-face.width * face.height, face.y, face.x)


def _fitted(pixels: Pixels) -> Pixels:
    """Return the picture at the size that the detector sees."""
    height, width = pixels.shape[:2]
    scale = min(max(height, width, _LEAST_SIDE), _SEEN_SIDE) / max(height, width)
    rows, columns = max(1, round(height * scale)), max(1, round(width * scale))
    while pixels.shape[0] >= 2 * rows and pixels.shape[1] >= 2 * columns:  # As good as area, ten times as fast.
        pixels = _resized(pixels, pixels.shape[0] // 2, pixels.shape[1] // 2)
    return _resized(pixels, rows, columns)


def _resized(pixels: Pixels, rows: int, columns: int) -> Pixels:
    if pixels.shape[:2] == (rows, columns):
        return pixels
    return cv2.resize(pixels, (columns, rows), interpolation=cv2.INTER_LINEAR)  # type: ignore[no-any-return]


def _padded(pixels: Pixels) -> Floats:
    """Return RGB pixels as the network takes them: BGR planes (1, 3, height, width), sides multiples of 32."""
    height, width = pixels.shape[:2]
    planes = np.zeros((1, 3, _multiple(height), _multiple(width)), np.float32)
    planes[0, :, :height, :width] = pixels.transpose(2, 0, 1)[::-1]
    return planes


def _multiple(side: int) -> int:
    return -(-side // 32) * 32


def _decoded(outputs: list[Floats], width: int, threshold: float) -> _Found:
    """Turn the network's outputs into the boxes that reach ``threshold`` and score above 0, in no order."""
    levels = [
        _level(*outputs[at::3], stride=stride, columns=_multiple(width) // stride, threshold=threshold)
        for at, stride in enumerate(_STRIDES)
    ]
    return _Found(*(np.concatenate(parts) for parts in zip(*levels, strict=True)))


def _level(classes: Floats, objects: Floats, boxes: Floats, *, stride: int, columns: int, threshold: float) -> _Found:
    """Decode one stride: class score (n, 1), objectness (n, 1) and box (n, 4), one row per cell."""
    scores = np.sqrt(classes[:, 0] * objects[:, 0])
    cells = np.flatnonzero((scores >= threshold) & (scores > 0))
    corner = np.stack([cells % columns, cells // columns], axis=1).astype(np.float32)
    centre, half = corner + boxes[cells, :2], np.exp(boxes[cells, 2:]) / 2
    return _Found(np.concatenate([centre - half, centre + half], axis=1) * stride, scores[cells])


def _joined(found: _Found) -> _Found:
    """Make one box of those that overlap, best first: their mean, weighted by score, with the best one's score."""
    order = np.argsort(-found.scores, kind="stable")
    boxes, scores = [], []
    while len(order):
        overlap = _overlaps(found.boxes[order[0]], found.boxes[order])
        same = order[overlap >= _SAME]
        boxes.append(np.average(found.boxes[same], axis=0, weights=found.scores[same]))
        scores.append(found.scores[order[0]])
        order = order[1:][overlap[1:] <= _OVERLAP]
    return _Found(np.array(boxes, np.float32).reshape(-1, 4), np.array(scores, np.float32))


def _overlaps(box: Floats, others: Floats) -> Floats:
    """Return the intersection over union of one box with each of the others."""
    sides = np.minimum(box[2:], others[:, 2:]) - np.maximum(box[:2], others[:, :2])
    shared = sides.clip(0).prod(axis=1)
    areas = (others[:, 2:] - others[:, :2]).prod(axis=1)
    return shared / ((box[2:] - box[:2]).prod() + areas - shared)  # type: ignore[no-any-return]
