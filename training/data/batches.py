"""Turn pixels into the batches of training and validation: shuffled, scaled, augmented."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from labeler.images.picture import Pixels
from labeler.records import INPUT_SIDE
from labeler.tables.votes import Votes
from training.data.augmentation import Augmentation
from training.data.dataset import Dataset, Subset
from training.networks.fast_steps import AT_ONCE, scaled

_SHOWN = 16
"""Batches for the statistics of batch normalization: 16 of 128 images estimate an activation to about 2%."""

Shown = tuple[Pixels, Votes, NDArray[np.float32], int]
"""Pixels, targets and sample weights of a batch, and its number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchSettings:
    """How training batches are made."""

    batch_size: int
    seed: int
    vary: Augmentation | None = None
    smoothing: float = 0.0
    """Label smoothing: the probability that a one-hot target gives to all classes equally. Votes stay as they are."""
    balance: float = 0.0
    """Class weighting: 0 gives every image the same weight, 1 every class; values between interpolate."""
    single: bool = False
    """Whether each call of the network gets one batch, which several devices can divide."""

    @property
    def at_once(self) -> int:
        """Batches per call of the network; one with augmentation, which takes far longer than a call's overhead."""
        return 1 if self.vary or self.single else AT_ONCE


def steps(images: Subset, batch_size: int) -> int:
    """Return the number of batches in an epoch."""
    return -(-len(images) // batch_size)


def calls(images: Subset, settings: BatchSettings) -> int:
    """Return the number of elements of `training` in an epoch; a last batch that is not full is one of them."""
    full, rest = divmod(len(images), settings.batch_size)
    return -(-full // settings.at_once) + bool(rest)


def order(size: int, seed: int, epoch: int) -> NDArray[np.int64]:
    """Return the order of the images in an epoch; only the arguments decide it."""
    return np.random.default_rng([seed, epoch]).permutation(size)


def training(dataset: Dataset, settings: BatchSettings, first_epoch: int = 0) -> tf.data.Dataset:
    """Return the training batches of all epochs from ``first_epoch`` on, without end.

    An element is pixels (batch, 64, 64, 3) in 0..1, targets (batch, classes) and, with class weighting, sample weights
    (batch,). When `BatchSettings.at_once` exceeds one, an element is a stack of up to that many batches, and its pixels
    are still uint8.
    """
    places = dataset.training.places
    per_epoch = steps(dataset.training, settings.batch_size)
    targets, weights = _targets(dataset, settings.smoothing), _weights(dataset, settings.balance)

    def elements() -> Iterator[Shown]:
        for epoch in count(first_epoch):
            shuffled = order(len(places), settings.seed, epoch)
            for number, chosen in enumerate(_chosen(shuffled, settings), epoch * per_epoch):
                yield dataset.pixels[places[chosen]], targets[chosen], weights[chosen], number

    def prepared(pixels: tf.Tensor, answers: tf.Tensor, weighed: tf.Tensor, number: tf.Tensor) -> tuple[tf.Tensor, ...]:
        ready = scaled(pixels) if settings.at_once == 1 else pixels
        varied = settings.vary(ready, number) if settings.vary else ready
        return (varied, answers, weighed) if settings.balance else (varied, answers)

    stack = (None,) if settings.at_once > 1 else ()
    specs = (*_signature(dataset), tf.TensorSpec((None,), tf.float32))
    signature = tuple(tf.TensorSpec((*stack, *spec.shape), spec.dtype) for spec in specs)
    generated = tf.data.Dataset.from_generator(elements, output_signature=(*signature, tf.TensorSpec((), tf.int64)))
    return generated.map(prepared).prefetch(4)


def shown(dataset: Dataset, settings: BatchSettings) -> tf.data.Dataset:
    """Return the first batches of the first epoch without targets; every call returns the same ones."""
    elements = training(dataset, settings)
    single = elements.unbatch() if settings.at_once > 1 else elements
    return single.take(_SHOWN).map(lambda pixels, *_: scaled(pixels))


def validation(dataset: Dataset, batch_size: int) -> tf.data.Dataset:
    """Return the validation batches of an epoch, in order and without augmentation."""
    places, targets = dataset.validation.places, dataset.targets(dataset.validation)

    def batches() -> Iterator[tuple[Pixels, Votes]]:
        for at in range(0, len(places), batch_size):
            yield dataset.pixels[places[at : at + batch_size]], targets[at : at + batch_size]

    known = tf.data.experimental.assert_cardinality(steps(dataset.validation, batch_size))
    generated = tf.data.Dataset.from_generator(batches, output_signature=_signature(dataset)).apply(known)
    return generated.map(lambda pixels, answers: (scaled(pixels), answers)).prefetch(4)


def _targets(dataset: Dataset, smoothing: float) -> Votes:
    targets = dataset.targets(dataset.training)
    if dataset.shares is not None or not smoothing:
        return targets
    return targets * np.float32(1 - smoothing) + np.float32(smoothing / targets.shape[1])


def _weights(dataset: Dataset, balance: float) -> NDArray[np.float32]:
    """Return the sample weight of each training image, 1 on average: the rarer its classes, the higher."""
    targets = dataset.targets(dataset.training)
    weights: NDArray[np.float32] = targets @ np.maximum(targets.sum(axis=0), 1) ** np.float32(-balance)
    weights /= weights.mean()
    return weights


def _chosen(places: NDArray[np.int64], settings: BatchSettings) -> Iterator[NDArray[np.int64]]:
    """Yield the indices of each batch, or of each stack of batches (stack, batch)."""
    size = settings.batch_size
    full = len(places) - len(places) % size
    for at in range(0, full, size * settings.at_once):
        stack = places[at : min(at + size * settings.at_once, full)].reshape(-1, size)
        yield stack if settings.at_once > 1 else stack[0]
    if full < len(places):
        yield places[None, full:] if settings.at_once > 1 else places[full:]


def _signature(dataset: Dataset) -> tuple[tf.TensorSpec, ...]:
    return (
        tf.TensorSpec((None, INPUT_SIDE, INPUT_SIDE, 3), tf.uint8),
        tf.TensorSpec((None, len(dataset.class_names)), tf.float32),
    )
