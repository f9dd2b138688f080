"""The networks that can be trained: every one takes 64x64 RGB scaled to 0..1 and gives probabilities."""

from __future__ import annotations

from collections.abc import Callable

import keras

from labeler.records import INPUT_SIDE

Network = Callable[[int], keras.Model]


def documented(num_classes: int) -> keras.Model:
    """Build the documented network; 1,573,895 parameters for seven classes."""
    return keras.Sequential(
        [
            keras.layers.Input((INPUT_SIDE, INPUT_SIDE, 3)),
            keras.layers.Flatten(),
            keras.layers.Dense(128, activation="relu"),
            keras.layers.Dense(num_classes, activation="softmax"),
        ],
        name="documented",
    )


ARCHITECTURES: dict[str, Network] = {"documented": documented}
"""What ``--arch`` offers. A further network is one function and one entry."""


def compiled(network: keras.Model, learning_rate: float) -> keras.Model:
    """Return ``network`` ready to learn one-hot labels: Adam, cross-entropy, accuracy."""
    network.compile(
        optimizer=keras.optimizers.Adam(learning_rate=learning_rate),
        loss="categorical_crossentropy",
        metrics=["accuracy"],
    )
    return network
