"""Pixels to the batches a network learns from: gathered, shuffled, scaled, varied."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from labeler.images.decode import Pixels
from labeler.records import INPUT_SIDE
from labeler.tables.votes import Votes
from training.data.augmentation import Augmentation
from training.data.dataset import Dataset, Pictures
from training.networks.fast_steps import AT_ONCE, scaled

_SHOWN = 16
"""So many batches of 128 pictures say what an activation is like to about 2%."""

Shown = tuple[Pixels, Votes, NDArray[np.float32], int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lessons:
    """How training pictures are shown."""

    batch_size: int
    seed: int
    vary: Augmentation | None = None
    smoothing: float = 0.0
    """What a label leaves to be shared by all classes; votes are left as they are."""
    balance: float = 0.0
    """0 for every picture counting the same, 1 for every class, and what lies between."""

    @property
    def at_once(self) -> int:
        """How many batches come stacked; varied ones come one by one, for varying them takes far longer than a call."""
        return 1 if self.vary else AT_ONCE


def steps(pictures: Pictures, batch_size: int) -> int:
    """Return how many batches one epoch has."""
    return -(-len(pictures) // batch_size)


def calls(pictures: Pictures, lessons: Lessons) -> int:
    """Return how many elements of `training` one epoch is; a last batch that is not full is one by itself."""
    full, rest = divmod(len(pictures), lessons.batch_size)
    return -(-full // lessons.at_once) + bool(rest)


def order(size: int, seed: int, epoch: int) -> NDArray[np.int64]:
    """Return the order of an epoch's pictures; it depends on nothing but the arguments."""
    return np.random.default_rng([seed, epoch]).permutation(size)


def training(dataset: Dataset, lessons: Lessons, first_epoch: int = 0) -> tf.data.Dataset:
    """Return the training batches of all epochs from ``first_epoch`` on, without end.

    An element is pixels (batch, 64, 64, 3) in 0..1, targets (batch, classes) and, if classes are balanced, weights
    (batch,); or where `Lessons.at_once` is more than one, a stack of up to so many, its pixels still uint8.
    """
    places = dataset.training.places
    per_epoch = steps(dataset.training, lessons.batch_size)
    targets, weights = _targets(dataset, lessons.smoothing), _weights(dataset, lessons.balance)

    def elements() -> Iterator[Shown]:
        for epoch in count(first_epoch):
            shuffled = order(len(places), lessons.seed, epoch)
            for number, chosen in enumerate(_chosen(shuffled, lessons), epoch * per_epoch):
                yield dataset.pixels[places[chosen]], targets[chosen], weights[chosen], number

    def ready(pixels: tf.Tensor, answers: tf.Tensor, weighed: tf.Tensor, number: tf.Tensor) -> tuple[tf.Tensor, ...]:
        varied = lessons.vary(scaled(pixels), number) if lessons.vary else pixels
        return (varied, answers, weighed) if lessons.balance else (varied, answers)

    stack = (None,) if lessons.at_once > 1 else ()
    specs = (*_signature(dataset), tf.TensorSpec((None,), tf.float32))
    signature = tuple(tf.TensorSpec((*stack, *spec.shape), spec.dtype) for spec in specs)
    generated = tf.data.Dataset.from_generator(elements, output_signature=(*signature, tf.TensorSpec((), tf.int64)))
    return generated.map(ready).prefetch(4)


def shown(dataset: Dataset, lessons: Lessons) -> tf.data.Dataset:
    """Return some batches of pictures as the first epoch shows them, without answers: the same whenever asked."""
    elements = training(dataset, lessons)
    single = elements.unbatch() if lessons.at_once > 1 else elements
    return single.take(_SHOWN).map(lambda pixels, *_: scaled(pixels))


def validation(dataset: Dataset, batch_size: int) -> tf.data.Dataset:
    """Return the validation batches of one epoch, in order and never augmented."""
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
    """Return what each training picture counts for, 1 on average: the rarer its classes, the more."""
    targets = dataset.targets(dataset.training)
    weights: NDArray[np.float32] = targets @ np.maximum(targets.sum(axis=0), 1) ** np.float32(-balance)
    weights /= weights.mean()
    return weights


def _chosen(places: NDArray[np.int64], lessons: Lessons) -> Iterator[NDArray[np.int64]]:
    """Yield the places of each batch, or of each stack of batches (stack, batch)."""
    size = lessons.batch_size
    full = len(places) - len(places) % size
    for at in range(0, full, size * lessons.at_once):
        stack = places[at : min(at + size * lessons.at_once, full)].reshape(-1, size)
        yield stack if lessons.at_once > 1 else stack[0]
    if full < len(places):
        yield places[None, full:] if lessons.at_once > 1 else places[full:]


def _signature(dataset: Dataset) -> tuple[tf.TensorSpec, ...]:
    return (
        tf.TensorSpec((None, INPUT_SIDE, INPUT_SIDE, 3), tf.uint8),
        tf.TensorSpec((None, len(dataset.class_names)), tf.float32),
    )
