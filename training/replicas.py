"""Data parallelism: each batch is divided among the devices of this machine by Keras' distribution.

`tf.distribute.MirroredStrategy` keeps a copy of the network (a replica) on each device and adds up their gradients in
every step, so that the steps are those of one device with the same batches, up to rounding. Two things differ: each
replica normalizes by the statistics of its own part of a batch, and draws its own dropout.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import tensorflow as tf

from labeler.errors import LabelerError


@dataclass(frozen=True, slots=True, kw_only=True)
class Replicas:
    """The devices that divide each batch; without a strategy there are none, and Keras chooses the device."""

    strategy: tf.distribute.Strategy | None = None
    devices: tuple[str, ...] = ()

    @contextmanager
    def scope(self) -> Iterator[None]:
        """Create and train networks inside this block."""
        if not self.strategy:
            yield
            return
        with self.strategy.scope():
            yield

    def divided(self, elements: tf.data.Dataset) -> tf.data.Dataset | tf.distribute.DistributedDataset:
        """Return ``elements``, which are single batches, for `keras.Model.fit`: with a strategy divided and endless."""
        if not self.strategy:
            return elements
        parts = divided(elements.repeat(), len(self.devices)).prefetch(len(self.devices))
        return self.strategy.distribute_datasets_from_function(lambda _: parts)

    def told(self, batch_size: int) -> str:
        """Return the line that says where the network is trained."""
        if len(self.devices) == 1:
            return f"mirrored: one replica, on {self.devices[0]}; more devices were not found"
        part = batch_size // len(self.devices)
        return f"mirrored: {len(self.devices)} replicas ({', '.join(self.devices)}), each with {part} images of a batch"


def mirrored(batch_size: int) -> Replicas:
    """Return one replica for each GPU; without a GPU, for each logical processor device, of which there is usually one.

    Raises:
        LabelerError: the devices cannot divide a batch evenly.
    """
    found = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
    names = tuple(device.name.removeprefix("/device:") for device in found)
    if batch_size % len(names):
        fits = -(-batch_size // len(names)) * len(names)
        raise LabelerError(
            f"{len(names)} devices cannot divide batches of {batch_size} images evenly; give --batch-size {fits}"
        )
    return Replicas(strategy=tf.distribute.MirroredStrategy(list(names)), devices=names)


def divided(elements: tf.data.Dataset, replicas: int) -> tf.data.Dataset:
    """Return each batch as ``replicas`` parts of equal size, of which each has a sample weight.

    A batch of a size that is no multiple is filled up with its own first images, of weight 0. The weights make the mean
    of the parts' losses the mean loss of the batch, so that a step is that of the whole batch.
    """

    def parts(pixels: tf.Tensor, targets: tf.Tensor, weights: tf.Tensor | None = None) -> tf.data.Dataset:
        size = tf.shape(pixels)[0]
        part = -(-size // replicas)
        whole = tf.cast(part * replicas, tf.float32) / tf.cast(size, tf.float32)

        def one(replica: tf.Tensor) -> tuple[tf.Tensor, ...]:
            places = replica * part + tf.range(part)
            counted = tf.where(places < size, whole, 0.0)
            chosen = [tf.gather(values, places % size) for values in (pixels, targets)]
            return *chosen, counted if weights is None else counted * tf.gather(weights, places % size)

        return tf.data.Dataset.from_tensor_slices(tf.range(replicas)).map(one)

    return elements.flat_map(parts)
