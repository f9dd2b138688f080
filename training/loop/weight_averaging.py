"""The average of a network's weights: what is judged and kept, while the weights themselves go on learning."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import keras
import tensorflow as tf

Settle = Callable[[keras.Model], None]
"""Puts the average of its weights into a network."""

Logs = Mapping[str, float] | None


class Averages(keras.callbacks.Callback):  # type: ignore[misc] # Keras has no types.
    """Let validation, and the callbacks after this one at the end of an epoch, see the average."""

    def __init__(self, settle: Settle) -> None:
        super().__init__()
        self._settle = settle

    def on_test_begin(self, logs: Logs = None) -> None:  # noqa: ARG002
        self._own = self.model.get_weights()
        self._settle(self.model)
        self._average = self.model.get_weights()

    def on_test_end(self, logs: Logs = None) -> None:  # noqa: ARG002
        self.model.set_weights(self._own)

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:  # noqa: ARG002
        self.model.set_weights(self._average)

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:  # noqa: ARG002
        if hasattr(self, "_own"):
            self.model.set_weights(self._own)


def settle(network: keras.Model, shown: tf.data.Dataset) -> None:
    """Put the average that its optimizer keeps, where it keeps one, into ``network``.

    Batch normalisation gets the statistics that the average has on ``shown``, batches of training pictures: those
    gathered while learning are of other weights and spoil it (Izmailov et al., 2018).
    """
    if not network.optimizer.use_ema:
        return
    network.optimizer.finalize_variable_values(network.trainable_variables)
    layers = [layer for layer in network.layers if isinstance(layer, keras.layers.BatchNormalization)]
    momenta = [layer.momentum for layer in layers]
    for seen, pixels in enumerate(shown):
        for layer in layers:
            layer.momentum = seen / (seen + 1)  # So that every batch counts the same.
        network(pixels, training=True)
    for layer, momentum in zip(layers, momenta, strict=True):
        layer.momentum = momentum
