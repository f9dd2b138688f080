"""Pixels to the batches a network learns from: gathered, scaled, shuffled, augmented."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from labeler.images import Pixels
from labeler.records import INPUT_SIDE
from training.dataset import Dataset, Pictures
from training.steps import scaled

_DRAWS_PER_BATCH = 8
"""More than any augmenting layer draws for one batch, so that no two batches share a random number."""

Stack = tuple[Pixels, NDArray[np.float32], int]


def steps(pictures: Pictures, batch_size: int) -> int:
    """Return how many batches one epoch has."""
    return -(-len(pictures) // batch_size)


def calls(pictures: Pictures, batch_size: int, at_once: int) -> int:
    """Return how many stacks of up to ``at_once`` batches one epoch has; a last batch that is not full stands alone."""
    full, rest = divmod(len(pictures), batch_size)
    return -(-full // at_once) + bool(rest)


def order(size: int, seed: int, epoch: int) -> NDArray[np.int64]:
    """Return the order of an epoch's pictures; it depends on nothing but the arguments."""
    return np.random.default_rng([seed, epoch]).permutation(size)


def training(
    dataset: Dataset, batch_size: int, *, seed: int, augment: bool, first_epoch: int = 0, at_once: int = 1
) -> tf.data.Dataset:
    """Return the training batches of all epochs from ``first_epoch`` on, without end, in stacks of up to ``at_once``.

    An element is pixels (stack, batch, 64, 64, 3), uint8 or, augmented, 0..1, and answers (stack, batch, classes).
    """
    augmented = Augmentation(seed) if augment else None
    pictures = dataset.training
    one_hot = np.eye(len(dataset.class_names), dtype=np.float32)

    def stacks() -> Iterator[Stack]:
        for epoch in count(first_epoch):
            shuffled = order(len(pictures), seed, epoch)
            number = epoch * steps(pictures, batch_size)
            for chosen in _stacked(shuffled, batch_size, at_once):
                yield dataset.pixels[pictures.places[chosen]], one_hot[pictures.labels[chosen]], number
                number += len(chosen)

    def vary(pixels: tf.Tensor, answers: tf.Tensor, number: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        if not augmented:
            return pixels, answers
        return augmented(scaled(pixels[0]), number)[None], answers

    signature = tuple(tf.TensorSpec((None, *spec.shape), spec.dtype) for spec in _signature(dataset))
    generated = tf.data.Dataset.from_generator(stacks, output_signature=(*signature, tf.TensorSpec((), tf.int64)))
    return generated.map(vary).prefetch(2)


def validation(dataset: Dataset, batch_size: int) -> tf.data.Dataset:
    """Return the validation batches of one epoch, in order and never augmented."""

    def batches() -> Iterator[tuple[Pixels, NDArray[np.float32]]]:
        yield from _gathered(dataset, dataset.validation, batch_size)

    known = tf.data.experimental.assert_cardinality(steps(dataset.validation, batch_size))
    generated = tf.data.Dataset.from_generator(batches, output_signature=_signature(dataset)).apply(known)
    return generated.map(lambda pixels, answers: (scaled(pixels), answers)).prefetch(4)


class Augmentation:
    """Flip, turn, shift, zoom and change the contrast of whole batches, as their numbers say."""

    def __init__(self, seed: int) -> None:
        self._layers = (
            keras.layers.RandomFlip("horizontal", seed=seed),
            keras.layers.RandomRotation(0.03, fill_mode="nearest", seed=seed + 1),
            keras.layers.RandomTranslation(0.08, 0.08, fill_mode="nearest", seed=seed + 2),
            keras.layers.RandomZoom(0.1, fill_mode="nearest", seed=seed + 3),
            keras.layers.RandomContrast(0.2, value_range=(0, 1), seed=seed + 4),
        )

    def __call__(self, pixels: tf.Tensor, number: tf.Tensor) -> tf.Tensor:
        """Return ``pixels`` (n, 64, 64, 3) in 0..1, changed in a way that depends on ``number`` alone.

        So a training that is resumed continues with the very pictures it would have seen.
        """
        for layer in self._layers:
            state = layer.generator.state
            drawn = tf.cast(number * _DRAWS_PER_BATCH, state.dtype)
            state.assign(tf.stack([tf.cast(layer.seed, state.dtype), drawn]))
            pixels = layer(pixels, training=True)
        return pixels


def _gathered(dataset: Dataset, pictures: Pictures, batch_size: int) -> Iterator[tuple[Pixels, NDArray[np.float32]]]:
    one_hot = np.eye(len(dataset.class_names), dtype=np.float32)
    for at in range(0, len(pictures), batch_size):
        chosen = slice(at, at + batch_size)
        yield dataset.pixels[pictures.places[chosen]], one_hot[pictures.labels[chosen]]


def _stacked(places: NDArray[np.int64], batch_size: int, at_once: int) -> Iterator[NDArray[np.int64]]:
    """Yield places as (stack, batch)."""
    full = len(places) - len(places) % batch_size
    for at in range(0, full, batch_size * at_once):
        yield places[at : min(at + batch_size * at_once, full)].reshape(-1, batch_size)
    if full < len(places):
        yield places[None, full:]


def _signature(dataset: Dataset) -> tuple[tf.TensorSpec, ...]:
    return (
        tf.TensorSpec((None, INPUT_SIDE, INPUT_SIDE, 3), tf.uint8),
        tf.TensorSpec((None, len(dataset.class_names)), tf.float32),
    )
