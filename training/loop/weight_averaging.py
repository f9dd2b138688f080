"""EMA of the weights: the average is validated and saved, while training goes on with the weights themselves."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import keras
import tensorflow as tf

ApplyAverage = Callable[[keras.Model], None]
"""Replaces the weights of a network by their average."""

Logs = Mapping[str, float] | None


class ValidateAverage(keras.callbacks.Callback):  # type: ignore[misc] # Keras has no types.
    """Use the averaged weights in validation and in later callbacks at the end of an epoch."""

    def __init__(self, apply_average: ApplyAverage) -> None:
        super().__init__()
        self._apply_average = apply_average

    def on_test_begin(self, logs: Logs = None) -> None:  # noqa: ARG002
        self._own = self.model.get_weights()
        self._apply_average(self.model)
        self._average = self.model.get_weights()

    def on_test_end(self, logs: Logs = None) -> None:  # noqa: ARG002
        self.model.set_weights(self._own)

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:  # noqa: ARG002
        self.model.set_weights(self._average)

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:  # noqa: ARG002
        if hasattr(self, "_own"):
            self.model.set_weights(self._own)


def apply_average(network: keras.Model, shown: tf.data.Dataset) -> None:
    """Replace the weights of ``network`` by the EMA that its optimizer keeps; do nothing when it keeps none.

    The statistics of batch normalization are computed anew on ``shown``, batches of training images: those gathered in
    training belong to other weights and would spoil the average (Izmailov et al., 2018).
    """
    if not network.optimizer.use_ema:
        return
    network.optimizer.finalize_variable_values(network.trainable_variables)
    layers = [layer for layer in network.layers if isinstance(layer, keras.layers.BatchNormalization)]
    momenta = [layer.momentum for layer in layers]
    for seen, pixels in enumerate(shown):
        for layer in layers:
            layer.momentum = seen / (seen + 1)  # So that all batches have the same weight.
        network(pixels, training=True)
    for layer, momentum in zip(layers, momenta, strict=True):
        layer.momentum = momentum
