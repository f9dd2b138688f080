"""A face detector in YuNet's format: for strides of 8, 16 and 32 pixels a class score, an objectness and a box a cell.

W. Wu, H. Peng, S. Yu: YuNet: A Tiny Millisecond-level Face Detector, 2023.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from labeler.errors import ModelError
from labeler.inference import session
from labeler.inference.detector import Boxes, Floats, Pixels
from labeler.records import Device

_SEEN_SIDE = 640
"""Upper limit on the longer side, in pixels, of what the detector sees; smaller images stay as they are."""

_LEAST_SIDE = 192
"""Lower limit on the longer side; smaller images are enlarged: of 48-pixel crops 98% give a face then, 79% without."""

_OVERLAP = 0.3
"""Non-maximum suppression: boxes with a larger intersection over union (IoU) are one face."""

_SAME = 0.5
"""IoU from which on boxes are averaged: a lone best box jumps by up to 14% of its side when the image moves by half a
pixel, the mean by up to 2.4%."""

_STRIDES = (8, 16, 32)
_OUTPUTS = tuple(f"{kind}_{stride}" for kind in ("cls", "obj", "bbox") for stride in _STRIDES)


class YuNet:
    """A loaded detector in YuNet's format.

    Raises:
        ModelError: the file is no detector.
    """

    decoded_side = 1280
    """The detector sees half of it, and the crops of small faces need the rest: at 640, half of the faces in large
    photos would come from under 32 pixels."""
    size_error = 1.15
    """Three times the standard deviation of 4.8% that was measured on small faces."""

    def __init__(self, path: Path, device: Device = Device.CPU) -> None:
        self._session = session.load(path, device)
        missing = set(_OUTPUTS) - {output.name for output in self._session.get_outputs()}
        if missing:
            names = ", ".join(sorted(missing))
            raise ModelError(f"{path} is not a face detector in YuNet's format: it has no output {names}")
        self._input = self._session.get_inputs()[0].name

    def __call__(self, pixels: Pixels, threshold: float) -> Boxes:
        """Return the faces in upright RGB pixels: see `Detector`."""
        seen = _fitted(pixels)
        outputs = self._session.run(_OUTPUTS, {self._input: _padded(seen)})
        found = _suppressed(_decoded([output[0] for output in outputs], seen.shape[1], threshold))
        scale = np.array([pixels.shape[1] / seen.shape[1], pixels.shape[0] / seen.shape[0]] * 2, np.float32)
        return Boxes(found.boxes * scale, found.scores)


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


def _decoded(outputs: list[Floats], width: int, threshold: float) -> Boxes:
    """Turn the network's outputs into the boxes that reach ``threshold`` and score above 0, in no order."""
    levels = [
        _level(*outputs[at::3], stride=stride, columns=_multiple(width) // stride, threshold=threshold)
        for at, stride in enumerate(_STRIDES)
    ]
    return Boxes(*(np.concatenate(parts) for parts in zip(*levels, strict=True)))


def _level(classes: Floats, objects: Floats, boxes: Floats, *, stride: int, columns: int, threshold: float) -> Boxes:
    """Decode one stride: class score (n, 1), objectness (n, 1) and box (n, 4), one row per cell."""
    scores = np.sqrt(classes[:, 0] * objects[:, 0])
    cells = np.flatnonzero((scores >= threshold) & (scores > 0))
    corner = np.stack([cells % columns, cells // columns], axis=1).astype(np.float32)
    centre, half = corner + boxes[cells, :2], np.exp(boxes[cells, 2:]) / 2
    return Boxes(np.concatenate([centre - half, centre + half], axis=1) * stride, scores[cells])


def _suppressed(found: Boxes) -> Boxes:
    """Suppress non-maxima: of boxes that overlap, best first, keep the mean, weighted by score, with the best score."""
    order = np.argsort(-found.scores, kind="stable")
    boxes, scores = [], []
    while len(order):
        overlap = _overlaps(found.boxes[order[0]], found.boxes[order])
        same = order[overlap >= _SAME]
        boxes.append(np.average(found.boxes[same], axis=0, weights=found.scores[same]))
        scores.append(found.scores[order[0]])
        order = order[1:][overlap[1:] <= _OVERLAP]
    return Boxes(np.array(boxes, np.float32).reshape(-1, 4), np.array(scores, np.float32))


def _overlaps(box: Floats, others: Floats) -> Floats:
    """Return the intersection over union of one box with each of the others."""
    sides = np.minimum(box[2:], others[:, 2:]) - np.maximum(box[:2], others[:, :2])
    shared = sides.clip(0).prod(axis=1)
    areas = (others[:, 2:] - others[:, :2]).prod(axis=1)
    return shared / ((box[2:] - box[:2]).prod() + areas - shared)  # type: ignore[no-any-return]
