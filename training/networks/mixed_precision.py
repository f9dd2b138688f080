"""Mixed precision: train in bfloat16 where the processor has instructions for it, with a fused batch normalization."""

from __future__ import annotations

from pathlib import Path

import keras
import tensorflow as tf

from labeler.inference import keras_network
from labeler.inference.keras_network import FLOAT32

BFLOAT16 = "mixed_bfloat16"

_FLAGS = {"avx512_bf16", "amx_bf16"}
"""Flags in /proc/cpuinfo of the bfloat16 instructions; without them bfloat16 is slower than float32."""

_EXACT = frozenset({"gray", "brightness", "centred", "standardised", "probabilities"})
"""Layers of `architectures.default` that always compute in float32: the first ones, on pixels, and the softmax."""


@keras.saving.register_keras_serializable("labeler")
class FusedNormalization(keras.layers.BatchNormalization):  # type: ignore[misc] # Keras has no types.
    """Batch normalization by one fused operation of TensorFlow in training; it accepts bfloat16.

    `labeler.inference.keras_network` knows its name, to load a file of an unfinished run.
    """

    def call(self, inputs: tf.Tensor, training: bool | None = None, mask: tf.Tensor | None = None) -> tf.Tensor:
        if not (training and self.trainable):
            return super().call(inputs, training=training, mask=mask)
        outputs, mean, variance = tf.compat.v1.nn.fused_batch_norm(
            inputs, self.gamma, self.beta, epsilon=self.epsilon, is_training=True
        )
        for moving, value in ((self.moving_mean, mean), (self.moving_variance, variance)):
            moving.assign(moving * self.momentum + value * (1 - self.momentum))
        return outputs


def best() -> str:
    """Return the dtype policy that trains fastest on this processor."""
    try:
        flags = set(Path("/proc/cpuinfo").read_text("utf-8").split())
    except OSError:
        return FLOAT32
    return BFLOAT16 if flags & _FLAGS else FLOAT32


def fast(network: keras.Model, precision: str) -> keras.Model:
    """Return a copy of ``network`` for training in ``precision``."""

    def choose(layer: keras.Layer) -> tuple[type[keras.Layer], str]:
        fused = FusedNormalization if type(layer) is keras.layers.BatchNormalization else type(layer)
        return fused, FLOAT32 if layer.name in _EXACT else precision

    return keras_network.rebuilt(network, choose)
