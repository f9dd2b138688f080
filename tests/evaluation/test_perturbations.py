"""Pictures varied: by what they say, and by the same whenever they are seen."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from labeler.evaluation import perturbations
from labeler.images.picture import Pixels

GRAY = np.repeat(np.random.default_rng(3).integers(0, 256, (50, 40, 1), dtype=np.uint8), 3, axis=2)


def bright_at(row: int, column: int) -> Pixels:
    """Return a dark picture of 60 x 60 with one bright spot."""
    pixels = np.zeros((60, 60, 3), np.uint8)
    pixels[row - 1 : row + 2, column - 1 : column + 2] = 255
    return pixels


def spot(pixels: Pixels) -> tuple[int, int]:
    """Return where a picture is brightest, as row and column."""
    blurred = cv2.GaussianBlur(pixels[..., 0], (5, 5), 0)
    row, column = np.unravel_index(blurred.argmax(), blurred.shape)
    return int(row), int(column)


@pytest.mark.parametrize("vary", perturbations.PERTURBATIONS.values(), ids=perturbations.PERTURBATIONS)
def test_the_size_stays_and_the_pixels_do_not(vary: perturbations.Perturbation) -> None:
    varied = vary(GRAY)

    assert (varied.shape, varied.dtype) == (GRAY.shape, np.uint8)
    assert not np.array_equal(varied, GRAY)


@pytest.mark.parametrize("vary", perturbations.PERTURBATIONS.values(), ids=perturbations.PERTURBATIONS)
def test_a_picture_is_always_varied_alike(vary: perturbations.Perturbation) -> None:
    assert np.array_equal(vary(GRAY.copy()), vary(GRAY))


def test_gray_becomes_warm() -> None:
    red, green, blue = perturbations.coloured(np.full((4, 4, 3), 128, np.uint8))[0, 0]

    assert red > green > blue


def test_a_rotation_is_by_fifteen_degrees_around_the_middle() -> None:
    row, column = spot(perturbations.rotated(bright_at(30, 50)))
    angle = np.degrees(np.arctan2(row - 29.5, column - 29.5)) - np.degrees(np.arctan2(0.5, 20.5))

    assert abs(angle) == pytest.approx(15, abs=3)


def test_a_shift_aside_is_by_a_tenth() -> None:
    row, column = spot(perturbations.shifted_aside(bright_at(30, 30)))

    assert sorted((abs(row - 30), abs(column - 30))) == [0, 6]


def test_a_shift_to_a_corner_is_by_a_tenth_of_both_sides() -> None:
    row, column = spot(perturbations.shifted_to_a_corner(bright_at(30, 30)))

    assert (abs(row - 30), abs(column - 30)) == (6, 6)


def test_both_directions_occur() -> None:
    rows = {spot(perturbations.rotated(bright_at(30, column)))[0] > 30 for column in range(45, 55)}

    assert rows == {True, False}
