"""Perturbations of fixed strength for robustness tests: colour cast, rotation, shift, JPEG compression.

Each takes a face crop at its own resolution (height, width, 3), uint8 RGB, and returns one of the same size. Where a
direction must be chosen, the pixels decide it: the same image always gets the same one, and over many images each
direction occurs about equally often.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import cv2
import numpy as np

from labeler.images.crop import fingerprint
from labeler.images.picture import Pixels

Perturbation = Callable[[Pixels], Pixels]

_DEGREES = 15
"""Angle of a rotation, either way."""

_SHIFT = 0.1
"""Length of a shift, as a share of the side."""

_JPEG_QUALITY = 30

_GAMMAS = (0.8, 1.0, 1.3)
"""Gamma of red, green and blue: a gray face becomes about as warm as skin under a lamp."""


def coloured(pixels: Pixels) -> Pixels:
    """Add a colour cast, stronger in the middle tones, as lamplight does."""
    tones = np.arange(256) / 255
    table = np.stack([255 * tones**gamma for gamma in _GAMMAS], axis=-1).round().astype(np.uint8)
    return np.stack([table[pixels[..., channel], channel] for channel in range(3)], axis=-1)


def rotated(pixels: Pixels) -> Pixels:
    """Rotate by 15 degrees, clockwise or counterclockwise; the corners are filled by reflection."""
    angle = math.radians(_DEGREES if _choice(pixels) % 2 else -_DEGREES)
    cos, sin = math.cos(angle), math.sin(angle)
    middle = (np.array(pixels.shape[1::-1]) - 1) / 2
    turn = np.array([[cos, sin], [-sin, cos]])
    return _moved(pixels, turn, middle - turn @ middle)


def shifted_aside(pixels: Pixels) -> Pixels:
    """Shift by 10% of the side: left, right, up or down; the edge is filled by reflection."""
    return _shifted(pixels, ((-1, 0), (1, 0), (0, -1), (0, 1))[_choice(pixels) % 4])


def shifted_to_a_corner(pixels: Pixels) -> Pixels:
    """Shift by 10% of the side both horizontally and vertically."""
    return _shifted(pixels, ((-1, -1), (1, -1), (-1, 1), (1, 1))[_choice(pixels) % 4])


def compressed(pixels: Pixels) -> Pixels:
    """Compress as a JPEG of quality 30."""
    options = (cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY)
    encoded = cv2.imencode(".jpg", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), options)[1]
    return np.asarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR_RGB), np.uint8)


PERTURBATIONS: dict[str, Perturbation] = {
    "colour cast": coloured,
    "rotated by 15 degrees": rotated,
    "shifted by 10% to a side": shifted_aside,
    "shifted by 10% to a corner": shifted_to_a_corner,
    "JPEG of quality 30": compressed,
}
"""The perturbations of `labeler evaluate --robustness`. A new one is one function and one entry here."""


def _choice(pixels: Pixels) -> int:
    return fingerprint(pixels)[0]


def _shifted(pixels: Pixels, towards: tuple[int, int]) -> Pixels:
    return _moved(pixels, np.eye(2), _SHIFT * np.array(towards) * pixels.shape[1::-1])


def _moved(pixels: Pixels, turn: np.ndarray, offset: np.ndarray) -> Pixels:
    matrix, size = np.column_stack([turn, offset]), pixels.shape[1::-1]
    return cv2.warpAffine(  # type: ignore[no-any-return]
        pixels, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT
    )
