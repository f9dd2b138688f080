"""The networks that can be trained: every one takes 64x64 RGB scaled to 0..1 and gives probabilities."""

from __future__ import annotations

import keras

from labeler.records import INPUT_SIDE

LUMA = (0.299, 0.587, 0.114)
"""What red, green and blue give to gray (ITU-R BT.601, 2011)."""

_STAGES = ((32, 1), (64, 2), (128, 3), (256, 1))
"""Channels and residual blocks at 32x32, 16x16, 8x8 and 4x4: about what 400 pictures a second on one core leave."""

_FLATTEST = 0.01
"""The contrast, as a standard deviation of 0..1, about below which a picture counts as blank and is not stretched."""

_SQUEEZED = 8
"""How many channels share one unit of a gate (Hu et al., 2018, halved for narrow layers)."""

_DROPPED = 0.2


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


def default(num_classes: int) -> keras.Model:
    """Build the accurate network: residual blocks (He et al., 2016) with gated channels (Hu et al., 2018).

    It sees gray pictures of equal brightness and contrast, whatever it is given. Where it halves its resolution the
    shortcut is averaged, not skipped over (ResNet-D; He et al., 2019).
    """
    pixels = keras.layers.Input((INPUT_SIDE, INPUT_SIDE, 3))
    features = keras.layers.ReLU()(_convolved(_standardised(pixels), _STAGES[0][0], 3, 2))
    for place, (channels, blocks) in enumerate(_STAGES):
        for block in range(blocks):
            features = _residual(features, channels, stride=2 if place and not block else 1)
    features = keras.layers.GlobalAveragePooling2D()(features)
    features = keras.layers.Dropout(_DROPPED)(features)
    probabilities = keras.layers.Dense(num_classes, activation="softmax", name="probabilities")(features)
    return keras.Model(pixels, probabilities, name="default")


def compiled(network: keras.Model, learning_rate: float) -> keras.Model:
    """Return ``network`` ready to learn one-hot labels: Adam, cross-entropy, accuracy."""
    network.compile(
        optimizer=keras.optimizers.Adam(learning_rate=learning_rate),
        loss="categorical_crossentropy",
        metrics=["accuracy"],
    )
    return network


def _standardised(pixels: keras.KerasTensor) -> keras.KerasTensor:
    """Return the pictures in gray, each with mean 0 and standard deviation 1; a blank one stays 0."""
    weights = [[[[share] for share in LUMA]]]
    gray = keras.layers.Conv2D(
        1, 1, use_bias=False, trainable=False, kernel_initializer=keras.initializers.Constant(weights), name="gray"
    )(pixels)
    # The last layer subtracts the mean, too, but alone it would stretch what rounding leaves of a blank picture.
    brightness = keras.layers.GlobalAveragePooling2D(keepdims=True, name="brightness")(gray)
    centred = keras.layers.Subtract(name="centred")([gray, brightness])
    return keras.layers.LayerNormalization(
        axis=(1, 2, 3), center=False, scale=False, epsilon=_FLATTEST**2, name="standardised"
    )(centred)


def _residual(features: keras.KerasTensor, channels: int, stride: int) -> keras.KerasTensor:
    changed = keras.layers.ReLU()(_convolved(features, channels, 3, stride))
    changed = _gated(_convolved(changed, channels, 3, 1))
    if stride > 1:
        features = keras.layers.AveragePooling2D(stride)(features)
    if features.shape[-1] != channels:
        features = _convolved(features, channels, 1, 1)
    return keras.layers.ReLU()(keras.layers.Add()([features, changed]))


def _convolved(features: keras.KerasTensor, channels: int, side: int, stride: int) -> keras.KerasTensor:
    convolution = keras.layers.Conv2D(
        channels, side, stride, padding="same", use_bias=False, kernel_initializer="he_normal"
    )
    return keras.layers.BatchNormalization()(convolution(features))


def _gated(features: keras.KerasTensor) -> keras.KerasTensor:
    channels = features.shape[-1]
    gate = keras.layers.GlobalAveragePooling2D(keepdims=True)(features)
    gate = keras.layers.Conv2D(max(channels // _SQUEEZED, _SQUEEZED), 1, activation="relu")(gate)
    gate = keras.layers.Conv2D(channels, 1, activation="sigmoid")(gate)
    return keras.layers.Multiply()([features, gate])
