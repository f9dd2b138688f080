"""Pictures are varied, each in its own way, the same way every time, and stay pictures."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from numpy.typing import NDArray

from training.data import augmentation
from training.data.augmentation import Augmentation, Maker

PIXELS = np.random.default_rng(0).random((8, 64, 64, 3), np.float32)

makers = pytest.mark.parametrize("maker", [augmentation.Mild, augmentation.Strong])


def varied(vary: Augmentation, pixels: NDArray[np.float32] = PIXELS, number: int = 5) -> NDArray[np.float32]:
    return np.asarray(vary(tf.constant(pixels), tf.constant(number, tf.int64)))


@makers
def test_every_picture_changes(maker: Maker) -> None:
    assert np.abs(varied(maker(0)) - PIXELS).mean(axis=(1, 2, 3)).min() > 0.01


@makers
def test_each_picture_changes_differently(maker: Maker) -> None:
    same = np.repeat(PIXELS[:1], 4, axis=0)

    assert all(np.abs(one - varied(maker(0), same)[0]).mean() > 0.01 for one in varied(maker(0), same)[1:])


@makers
def test_pixels_stay_between_0_and_1(maker: Maker) -> None:
    changed = varied(maker(0))

    assert (changed.min() >= 0, changed.max() <= 1, changed.shape) == (True, True, PIXELS.shape)


@makers
def test_the_number_of_a_batch_decides_what_it_looks_like(maker: Maker) -> None:
    assert np.array_equal(varied(maker(0), number=3), varied(maker(0), number=3))
    assert not np.array_equal(varied(maker(0), number=3), varied(maker(0), number=4))


@makers
def test_the_seed_decides_too(maker: Maker) -> None:
    assert not np.array_equal(varied(maker(1)), varied(maker(2)))


def test_what_is_varied_strongly_is_gray() -> None:
    changed = varied(augmentation.Strong(0))

    assert np.array_equal(changed[..., 0], changed[..., 1])
    assert np.array_equal(changed[..., 0], changed[..., 2])


def test_a_face_stays_about_where_it_is() -> None:
    pixels = np.zeros((200, 64, 64, 3), np.float32)
    pixels[:, 24:40, 24:40] = 1
    bright = varied(augmentation.Strong(0), pixels).mean(axis=(0, 3))

    assert bright[28:36, 28:36].mean() > 2 * bright.mean()
    assert np.allclose(np.average(np.indices(bright.shape), axis=(1, 2), weights=bright**4), 31.5, atol=1.5)


def test_a_last_batch_of_one_picture_is_varied_too() -> None:
    assert varied(augmentation.Strong(0), PIXELS[:1]).shape == (1, 64, 64, 3)
