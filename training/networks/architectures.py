"""The network architectures: each takes RGB images of 64x64 in 0..1 and ends in a softmax."""

from __future__ import annotations

import keras

from labeler.records import INPUT_SIDE

LUMA = (0.299, 0.587, 0.114)
"""Weights of red, green and blue in gray (ITU-R BT.601, 2011)."""

Stages = tuple[tuple[int, int], ...]
"""Channels and residual blocks at 32x32, 16x16, 8x8 and 4x4."""

STAGES: Stages = ((16, 1), (32, 2), (64, 4), (128, 3))
"""44 million multiply-adds: about the largest network at 2,500 images/s on a core, as 8-bit integers."""

_LARGE_STAGES: Stages = ((32, 1), (64, 2), (128, 3), (256, 1))
"""120 million multiply-adds: about the largest network at 400 images/s on a core, in float32."""

FLATTEST = 0.01
"""Standard deviation of an image in 0..1 below which it counts as blank, about, and its contrast is not amplified."""

_SQUEEZED = 8
"""Reduction ratio of squeeze-and-excitation: half of the 16 of Hu et al. (2018), because the layers are narrow."""

_DROPPED = 0.2
"""Dropout rate before the last layer."""


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
    """Build the network that ships: residual blocks (He et al., 2016) of convolutions only, fast as 8-bit integers.

    The first layers convert any image to gray and normalize its brightness and contrast. Where a block halves the
    resolution, its shortcut uses average pooling instead of a stride (ResNet-D; He et al., 2019).
    """
    return _residual_network("default", STAGES, num_classes, gated=False)


def large(num_classes: int) -> keras.Model:
    """Build a network like `default`, of three times the work, with squeeze-and-excitation (Hu et al., 2018)."""
    return _residual_network("large", _LARGE_STAGES, num_classes, gated=True)


def compiled(network: keras.Model, learning_rate: float) -> keras.Model:
    """Compile ``network`` with Adam, categorical cross-entropy and accuracy, and return it."""
    network.compile(
        optimizer=keras.optimizers.Adam(learning_rate=learning_rate),
        loss="categorical_crossentropy",
        metrics=["accuracy"],
    )
    return network


def _residual_network(name: str, stages: Stages, num_classes: int, *, gated: bool) -> keras.Model:
    pixels = keras.layers.Input((INPUT_SIDE, INPUT_SIDE, 3))
    features = keras.layers.ReLU()(_convolved(_standardised(pixels), stages[0][0], 3, 2))
    for place, (channels, blocks) in enumerate(stages):
        for block in range(blocks):
            features = _residual(features, channels, stride=2 if place and not block else 1, gated=gated)
    features = keras.layers.GlobalAveragePooling2D()(features)
    features = keras.layers.Dropout(_DROPPED)(features)
    probabilities = keras.layers.Dense(num_classes, activation="softmax", name="probabilities")(features)
    return keras.Model(pixels, probabilities, name=name)


def _standardised(pixels: keras.KerasTensor) -> keras.KerasTensor:
    """Return the images in gray, each with mean 0 and standard deviation 1; a blank image becomes 0."""
    weights = [[[[share] for share in LUMA]]]
    gray = keras.layers.Conv2D(
        1, 1, use_bias=False, trainable=False, kernel_initializer=keras.initializers.Constant(weights), name="gray"
    )(pixels)
    # LayerNormalization subtracts the mean too, but alone it would amplify the rounding errors of a blank image.
    brightness = keras.layers.GlobalAveragePooling2D(keepdims=True, name="brightness")(gray)
    centred = keras.layers.Subtract(name="centred")([gray, brightness])
    return keras.layers.LayerNormalization(
        axis=(1, 2, 3), center=False, scale=False, epsilon=FLATTEST**2, name="standardised"
    )(centred)


def _residual(features: keras.KerasTensor, channels: int, stride: int, *, gated: bool) -> keras.KerasTensor:
    changed = keras.layers.ReLU()(_convolved(features, channels, 3, stride))
    changed = _convolved(changed, channels, 3, 1)
    if gated:
        changed = _gated(changed)
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
