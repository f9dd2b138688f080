"""Augment whole batches of training images with random numbers that the seed and the number of the batch decide.

So a resumed run continues with exactly the images that it would have seen.
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
"""Upper limit on the draws of a layer of `Mild` for one batch, so that no two batches share a random number."""

_TURN: Final = math.radians(20)
"""Upper limit on the angle of a rotation, either way."""

_SCALE: Final = (0.85, 1.2)
"""Limits of the zoom factor."""

_STRETCH: Final = 1.08
"""Upper limit on the factor that stretches one axis and shrinks the other."""

_SHIFT_PX: Final = 0.12 * INPUT_SIDE
"""Upper limit on a shift, in each direction."""

_GAMMA: Final = 1.7
"""Upper limit on the gamma of the tone curve; its inverse is the lower limit."""

_SHADE: Final = 0.35
"""Upper limit on the slope of a brightness gradient: the relative change from the middle to an edge."""

_CONTRAST: Final = (0.7, 1.5)
"""Limits of the contrast factor."""

_COARSE: Final = 0.2
"""Share of images that are downscaled and upscaled again."""

_COARSE_SIDE: Final = (26, 48)
"""Limits of the side of the downscaled image, in pixels."""

_FOCUS: Final = (-0.8, 0.8)
"""Limits of unsharp masking: negative amounts blur."""

_NOISE: Final = 0.25
"""Upper limit on the standard deviation of noise, as a share of the contrast."""

_JPEG: Final = 0.25
"""Share of images that are compressed as JPEG."""

_JPEG_QUALITY: Final = (15, 80)
"""Limits of the quality."""

_CUTOUT: Final = 0.5
"""Share of images with an erased rectangle."""

_CUTOUT_SIDE: Final = (0.15, 0.45)
"""Limits of the sides of the erased rectangle, as shares of the image's side."""

_KERNEL: Final = np.outer([1, 4, 6, 4, 1], [1, 4, 6, 4, 1]).astype(np.float32)[..., None, None] / 256
"""Binomial blur kernel of 5 x 5 pixels."""

_SPAN: Final = (np.arange(INPUT_SIDE, dtype=np.float32) + 0.5) / INPUT_SIDE - 0.5
"""Centres of the pixels along a side, from -0.5 at one edge to 0.5 at the other."""


Augmentation = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]
"""Takes images (n, 64, 64, 3) in 0..1 and the number of their batch; returns augmented images of the same shape."""

Maker = Callable[[int], Augmentation]
"""Makes an augmentation from a seed."""


class Mild:
    """Random flip, rotation, translation, zoom and contrast."""

    def __init__(self, seed: int) -> None:
        self._layers = (
            keras.layers.RandomFlip("horizontal", seed=seed),
            keras.layers.RandomRotation(0.03, fill_mode="nearest", seed=seed + 1),
            keras.layers.RandomTranslation(0.08, 0.08, fill_mode="nearest", seed=seed + 2),
            keras.layers.RandomZoom(0.1, fill_mode="nearest", seed=seed + 3),
            keras.layers.RandomContrast(0.2, value_range=(0, 1), seed=seed + 4),
        )

    def __call__(self, pixels: tf.Tensor, number: tf.Tensor) -> tf.Tensor:
        """Augment a batch."""
        for layer in self._layers:
            state = layer.generator.state
            drawn = tf.cast(number * _DRAWS_PER_BATCH, state.dtype)
            state.assign(tf.stack([tf.cast(layer.seed, state.dtype), drawn]))
            pixels = layer(pixels, training=True)
        return pixels


class Strong:
    """Random flip, affine warp, lighting, resolution, blur or sharpening, noise, JPEG compression and erasing; in gray.

    For networks that normalize brightness and contrast of gray images, which would undo changes of these alone. The
    amounts were set by eye, so that most expressions stay recognisable.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def __call__(self, pixels: tf.Tensor, number: tf.Tensor) -> tf.Tensor:
        """Augment a batch."""
        random = _Random(self._seed, number, tf.shape(pixels)[0])
        gray = tf.tensordot(pixels, tf.constant(LUMA), 1)[..., None]
        for change in (_warped, _relit, _coarsened, _focused, _disturbed, _compressed, _covered):
            gray = tf.clip_by_value(change(gray, random), 0, 1)
        return tf.repeat(gray, 3, axis=-1)


class _Random:
    """Random numbers for the images of a batch; the same sequence of calls gives the same numbers."""

    def __init__(self, seed: int, number: tf.Tensor, size: tf.Tensor) -> None:
        self.size = size
        self._key = tf.stack([tf.constant(seed, tf.int64), tf.cast(number, tf.int64)])

    def between(self, low: float, high: float) -> tf.Tensor:
        """Return a uniform number for each image (n, 1, 1, 1)."""
        return tf.random.stateless_uniform((self.size, 1, 1, 1), self._next(), low, high)

    def whole(self, low: int, high: int) -> tf.Tensor:
        """Return one uniform integer, at least ``low`` and below ``high``."""
        return tf.random.stateless_uniform((), self._next(), low, high, tf.int32)

    def happens(self, share: float) -> tf.Tensor:
        """Return for each image (n, 1, 1, 1) true with probability ``share``."""
        return self.between(0, 1) < share

    def normal(self, shape: tf.Tensor) -> tf.Tensor:
        """Return standard normal numbers."""
        return tf.random.stateless_normal(shape, self._next())

    def _next(self) -> tf.Tensor:
        self._key = tf.random.experimental.stateless_fold_in(self._key, 1)
        return self._key


def _warped(gray: tf.Tensor, random: _Random) -> tf.Tensor:
    """Flip, rotate, zoom, stretch and shift in one affine transform; the edge is filled by reflection."""
    angle = random.between(-_TURN, _TURN)
    zoom = tf.exp(random.between(*map(math.log, _SCALE)))
    stretch = tf.exp(random.between(-math.log(_STRETCH), math.log(_STRETCH)))
    flip = tf.where(random.happens(0.5), -1.0, 1.0)
    right, down = (random.between(-_SHIFT_PX, _SHIFT_PX) for _ in range(2))
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


def _relit(gray: tf.Tensor, random: _Random) -> tf.Tensor:
    """Apply a tone curve, a brightness gradient, and a contrast that may clip bright or dark parts."""
    bent = tf.pow(gray, tf.exp(random.between(-math.log(_GAMMA), math.log(_GAMMA))))
    across, along = (random.between(-_SHADE, _SHADE) for _ in range(2))
    shaded = bent * (1 + 2 * (across * _SPAN[None, None, :, None] + along * _SPAN[None, :, None, None]))
    mean = tf.reduce_mean(shaded, axis=(1, 2, 3), keepdims=True)
    return (shaded - mean) * random.between(*_CONTRAST) + mean


def _coarsened(gray: tf.Tensor, random: _Random) -> tf.Tensor:
    """Downscale some images and upscale them again, all of a batch by the same factor."""
    side = random.whole(*_COARSE_SIDE)
    coarse = tf.image.resize(tf.image.resize(gray, (side, side), antialias=True), (INPUT_SIDE, INPUT_SIDE))
    return tf.where(random.happens(_COARSE), coarse, gray)


def _focused(gray: tf.Tensor, random: _Random) -> tf.Tensor:
    """Blur or sharpen (unsharp masking)."""
    padded = tf.pad(gray, ((0, 0), (2, 2), (2, 2), (0, 0)), "REFLECT")
    detail = gray - tf.nn.conv2d(padded, _KERNEL, 1, "VALID")
    return gray + detail * random.between(*_FOCUS)


def _disturbed(gray: tf.Tensor, random: _Random) -> tf.Tensor:
    """Add Gaussian noise to half of the images, in proportion to their contrast."""
    contrast = tf.math.reduce_std(gray, axis=(1, 2, 3), keepdims=True)
    strength = tf.maximum(random.between(-_NOISE, _NOISE), 0)
    return gray + contrast * strength * random.normal(tf.shape(gray))


def _compressed(gray: tf.Tensor, random: _Random) -> tf.Tensor:
    """Compress a share of the images as JPEG: the first ones, for the batch is shuffled already."""
    count = tf.cast(tf.cast(random.size, tf.float32) * _JPEG, tf.int32)
    quality = tf.cast(random.between(*_JPEG_QUALITY)[:count, 0, 0, 0], tf.int32)
    compressed = tf.map_fn(
        lambda one: tf.image.adjust_jpeg_quality(one[0], one[1]),
        (gray[:count], quality),
        fn_output_signature=tf.TensorSpec((INPUT_SIDE, INPUT_SIDE, 1), tf.float32),
    )
    return tf.concat([compressed, gray[count:]], axis=0)


def _covered(gray: tf.Tensor, random: _Random) -> tf.Tensor:
    """Random erasing (Zhong et al., 2017): cover a rectangle of some images with one gray."""
    left, top = (random.between(-0.5, 0.5) for _ in range(2))
    half_width, half_height = (random.between(*_CUTOUT_SIDE) / 2 for _ in range(2))
    across = tf.abs(_SPAN[None, None, :, None] - left) < half_width
    along = tf.abs(_SPAN[None, :, None, None] - top) < half_height
    return tf.where(across & along & random.happens(_CUTOUT), random.between(0, 1), gray)
