"""What belongs to an architecture: the network, and how it is trained unless told otherwise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final

import keras

from training.data import augmentation
from training.networks import architectures, mixed_precision

_WARM_UP: Final = 20
"""One of so many steps belongs to the linear warm-up (Goyal et al., 2017)."""

_DECAY: Final = 0.005
"""Of the learning rate, taken off every kernel each step (Loshchilov and Hutter, 2019): 5e-4 of it, times the ten steps
for which a momentum of 0.9 would repeat it."""

_AVERAGED: Final = 1000
"""At most over so many steps the weights are averaged; in a short training over a twentieth of all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How an architecture is trained; the fields that `TrainSettings` has too are its defaults."""

    network: Callable[[int], keras.Model]
    """Builds it for so many classes."""
    ready: Callable[[keras.Model, float, int], keras.Model]
    """Makes the network ready to learn with this learning rate for so many steps."""
    varied: augmentation.Maker
    """What augmentation means."""
    epochs: int
    patience: int
    batch_size: int
    learning_rate: float
    augment: bool
    smoothing: float = 0.0
    """What a label leaves to be shared by all classes (Szegedy et al., 2016); votes are left as they are."""
    scheduled: bool = False
    """The learning rate follows the number of epochs: it cannot change when a run is continued, and no epoch is left
    out unless a patience was asked for."""


@keras.saving.register_keras_serializable("labeler")
class KernelDecay(keras.optimizers.SGD):  # type: ignore[misc] # Keras has no types.
    """SGD whose weight decay is for kernels only, also after it was saved and loaded."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])


def gentle(recipe: Recipe) -> Recipe:
    """Return how a trained network of this architecture is adapted to few pictures, such as 500, in minutes.

    Found on 400 pictures with a network of 1.9 million parameters: rates from 0.003 to 0.01 do about equally well.
    """
    return replace(recipe, epochs=20, patience=10, batch_size=32, learning_rate=recipe.learning_rate / 10)


def falling(learning_rate: float, steps: int) -> keras.optimizers.schedules.LearningRateSchedule:
    """Return the learning rate of each step: a linear rise, then half a cosine to 0 (Loshchilov and Hutter, 2017)."""
    rising = max(steps // _WARM_UP, 1)
    return keras.optimizers.schedules.CosineDecay(
        0.0, max(steps - rising, 1), warmup_target=learning_rate, warmup_steps=rising
    )


def averaged(steps: int) -> float:
    """Return the momentum of the average of the weights (Polyak and Juditsky, 1992)."""
    return 1 - 1 / min(max(steps / _WARM_UP, 1), _AVERAGED)


def _ready_as_documented(network: keras.Model, learning_rate: float, _: int) -> keras.Model:
    return architectures.compiled(network, learning_rate)


def _ready_for_the_schedule(network: keras.Model, learning_rate: float, steps: int) -> keras.Model:
    fast = mixed_precision.fast(network, mixed_precision.best())
    optimizer = KernelDecay(
        falling(learning_rate, steps),
        momentum=0.9,
        nesterov=True,
        weight_decay=_DECAY,
        use_ema=True,
        ema_momentum=averaged(steps),
    )
    # Compiled by XLA a step takes 1.6 times as long on a processor.
    fast.compile(optimizer, loss="categorical_crossentropy", metrics=["accuracy"], jit_compile=False)
    return fast


RECIPES: dict[str, Recipe] = {
    "documented": Recipe(
        network=architectures.documented,
        ready=_ready_as_documented,
        varied=augmentation.Mild,
        epochs=500,
        patience=10,
        batch_size=32,
        learning_rate=0.001,
        augment=False,
    ),
    "default": Recipe(
        network=architectures.default,
        ready=_ready_for_the_schedule,
        varied=augmentation.Strong,
        epochs=100,
        patience=100,
        batch_size=128,
        learning_rate=0.08,
        augment=True,
        smoothing=0.1,
        scheduled=True,
    ),
}
"""What ``--arch`` offers. A further network is one function and one entry."""
