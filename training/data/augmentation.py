"""Training pictures varied, whole batches at once, in a way that their numbers decide.

So a training that is resumed continues with the very pictures it would have seen.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

import keras
import numpy as np
import tensorflow as tf

from labeler.records import INPUT_SIDE
from training.networks.architectures import LUMA

_DRAWS_PER_BATCH: Final = 8
"""More than any layer of `Mild` draws for one batch, so that no two batches share a random number."""

_TURN: Final = math.radians(20)
_SCALE: Final = (0.85, 1.2)
_STRETCH: Final = 1.08
_SHIFT_PX: Final = 0.12 * INPUT_SIDE
_GAMMA: Final = 1.7
_SHADE: Final = 0.35
_CONTRAST: Final = (0.7, 1.5)
_COARSE: Final = 0.2
_COARSE_SIDE: Final = (26, 48)
_FOCUS: Final = (-0.8, 0.8)
_NOISE: Final = 0.25
_JPEG: Final = 0.25
_JPEG_QUALITY: Final = (15, 80)
_CUTOUT: Final = 0.5
_CUTOUT_SIDE: Final = (0.15, 0.45)

_KERNEL: Final = np.outer([1, 4, 6, 4, 1], [1, 4, 6, 4, 1]).astype(np.float32)[..., None, None] / 256

_SPAN: Final = (np.arange(INPUT_SIDE, dtype=np.float32) + 0.5) / INPUT_SIDE - 0.5
"""Where a pixel's middle lies, -0.5 to 0.5 from edge to edge."""


Augmentation = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]
"""Takes pictures (n, 64, 64, 3) in 0..1 and the number of their batch, returns such pictures."""

Maker = Callable[[int], Augmentation]
"""Takes a seed."""


class Mild:
    """Flip, turn, shift, zoom and change the contrast."""

    def __init__(self, seed: int) -> None:
        self._layers = (
            keras.layers.RandomFlip("horizontal", seed=seed),
            keras.layers.RandomRotation(0.03, fill_mode="nearest", seed=seed + 1),
            keras.layers.RandomTranslation(0.08, 0.08, fill_mode="nearest", seed=seed + 2),
            keras.layers.RandomZoom(0.1, fill_mode="nearest", seed=seed + 3),
            keras.layers.RandomContrast(0.2, value_range=(0, 1), seed=seed + 4),
        )

    def __call__(self, pixels: tf.Tensor, number: tf.Tensor) -> tf.Tensor:
        """Vary a batch."""
        for layer in self._layers:
            state = layer.generator.state
            drawn = tf.cast(number * _DRAWS_PER_BATCH, state.dtype)
            state.assign(tf.stack([tf.cast(layer.seed, state.dtype), drawn]))
            pixels = layer(pixels, training=True)
        return pixels


class Strong:
    """Flip, warp, relight, coarsen, blur or sharpen, disturb, compress and cover; what comes out is gray.

    For networks that see gray pictures of one brightness and contrast: changes of these alone would be undone. The
    amounts were set by eye, so that most expressions stay readable.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def __call__(self, pixels: tf.Tensor, number: tf.Tensor) -> tf.Tensor:
        """Vary a batch."""
        chance = _Chance(self._seed, number, tf.shape(pixels)[0])
        gray = tf.tensordot(pixels, tf.constant(LUMA), 1)[..., None]
        for change in (_warped, _relit, _coarsened, _focused, _disturbed, _compressed, _covered):
            gray = tf.clip_by_value(change(gray, chance), 0, 1)
        return tf.repeat(gray, 3, axis=-1)


class _Chance:
    """Random numbers for the pictures of one batch; the same calls give the same numbers."""

    def __init__(self, seed: int, number: tf.Tensor, size: tf.Tensor) -> None:
        self.size = size
        self._key = tf.stack([tf.constant(seed, tf.int64), tf.cast(number, tf.int64)])

    def between(self, low: float, high: float) -> tf.Tensor:
        """Return a number for each picture (n, 1, 1, 1)."""
        return tf.random.stateless_uniform((self.size, 1, 1, 1), self._next(), low, high)

    def whole(self, low: int, high: int) -> tf.Tensor:
        """Return one whole number, at least ``low`` and below ``high``."""
        return tf.random.stateless_uniform((), self._next(), low, high, tf.int32)

    def happens(self, share: float) -> tf.Tensor:
        """Return for each picture (n, 1, 1, 1) whether it is one of about ``share`` of all."""
        return self.between(0, 1) < share

    def normal(self, shape: tf.Tensor) -> tf.Tensor:
        """Return normal numbers."""
        return tf.random.stateless_normal(shape, self._next())

    def _next(self) -> tf.Tensor:
        self._key = tf.random.experimental.stateless_fold_in(self._key, 1)
        return self._key


def _warped(gray: tf.Tensor, chance: _Chance) -> tf.Tensor:
    """Flip, turn, zoom, stretch and shift, in one look-up."""
    angle = chance.between(-_TURN, _TURN)
    zoom = tf.exp(chance.between(*map(math.log, _SCALE)))
    stretch = tf.exp(chance.between(-math.log(_STRETCH), math.log(_STRETCH)))
    flip = tf.where(chance.happens(0.5), -1.0, 1.0)
    right, down = (chance.between(-_SHIFT_PX, _SHIFT_PX) for _ in range(2))
    cos, sin = tf.cos(angle) / zoom, tf.sin(angle) / zoom
    a, b, d, e = flip * cos * stretch, -flip * sin * stretch, sin / stretch, cos / stretch
    middle = (INPUT_SIDE - 1) / 2
    c = middle + right - middle * (a + b)
    f = middle + down - middle * (d + e)
    rows = tf.concat([a, b, c, d, e, f, tf.zeros_like(a), tf.zeros_like(a)], axis=-1)[:, 0, 0]
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=gray,
        transforms=rows,
        output_shape=(INPUT_SIDE, INPUT_SIDE),
        fill_value=0.0,
        interpolation="BILINEAR",
        fill_mode="REFLECT",
    )


def _relit(gray: tf.Tensor, chance: _Chance) -> tf.Tensor:
    """Bend the tones, light one side more than the other, and let bright or dark parts burn out."""
    bent = tf.pow(gray, tf.exp(chance.between(-math.log(_GAMMA), math.log(_GAMMA))))
    across, along = (chance.between(-_SHADE, _SHADE) for _ in range(2))
    shaded = bent * (1 + 2 * (across * _SPAN[None, None, :, None] + along * _SPAN[None, :, None, None]))
    mean = tf.reduce_mean(shaded, axis=(1, 2, 3), keepdims=True)
    return (shaded - mean) * chance.between(*_CONTRAST) + mean


def _coarsened(gray: tf.Tensor, chance: _Chance) -> tf.Tensor:
    """Take some pictures through a smaller size, one for the whole batch."""
    side = chance.whole(*_COARSE_SIDE)
    coarse = tf.image.resize(tf.image.resize(gray, (side, side), antialias=True), (INPUT_SIDE, INPUT_SIDE))
    return tf.where(chance.happens(_COARSE), coarse, gray)


def _focused(gray: tf.Tensor, chance: _Chance) -> tf.Tensor:
    """Blur or sharpen."""
    padded = tf.pad(gray, ((0, 0), (2, 2), (2, 2), (0, 0)), "REFLECT")
    detail = gray - tf.nn.conv2d(padded, _KERNEL, 1, "VALID")
    return gray + detail * chance.between(*_FOCUS)


def _disturbed(gray: tf.Tensor, chance: _Chance) -> tf.Tensor:
    """Add noise to half of the pictures, in proportion to their contrast."""
    contrast = tf.math.reduce_std(gray, axis=(1, 2, 3), keepdims=True)
    strength = tf.maximum(chance.between(-_NOISE, _NOISE), 0)
    return gray + contrast * strength * chance.normal(tf.shape(gray))


def _compressed(gray: tf.Tensor, chance: _Chance) -> tf.Tensor:
    """Compress a share of the pictures as JPEG: the first ones, for their order is chance already."""
    count = tf.cast(tf.cast(chance.size, tf.float32) * _JPEG, tf.int32)
    quality = tf.cast(chance.between(*_JPEG_QUALITY)[:count, 0, 0, 0], tf.int32)
    compressed = tf.map_fn(
        lambda one: tf.image.adjust_jpeg_quality(one[0], one[1]),
        (gray[:count], quality),
        fn_output_signature=tf.TensorSpec((INPUT_SIDE, INPUT_SIDE, 1), tf.float32),
    )
    return tf.concat([compressed, gray[count:]], axis=0)


def _covered(gray: tf.Tensor, chance: _Chance) -> tf.Tensor:
    """Cover a rectangle of some pictures with one gray (random erasing; Zhong et al., 2017)."""
    left, top = (chance.between(-0.5, 0.5) for _ in range(2))
    half_width, half_height = (chance.between(*_CUTOUT_SIDE) / 2 for _ in range(2))
    across = tf.abs(_SPAN[None, None, :, None] - left) < half_width
    along = tf.abs(_SPAN[None, :, None, None] - top) < half_height
    return tf.where(across & along & chance.happens(_CUTOUT), chance.between(0, 1), gray)
