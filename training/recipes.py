"""The recipe of each architecture: the network, its optimizer and schedule, and the default settings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final

import keras

from training.data import augmentation
from training.networks import architectures, mixed_precision

_WARM_UP: Final = 20
"""The linear warm-up (Goyal et al., 2017) takes one step in 20."""

_DECAY: Final = 0.005
"""Decoupled weight decay of kernels (Loshchilov and Hutter, 2019), as a share of the learning rate in each step: 5e-4,
times the ten steps over which a momentum of 0.9 would repeat it."""

_LONGEST_AVERAGE: Final = 1000
"""Upper limit on the steps over which the EMA of the weights averages; in a short run, a twentieth of all steps."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How an architecture is trained. Fields that `TrainSettings` has too are the defaults."""

    network: Callable[[int], keras.Model]
    """Builds the network for a number of classes."""
    ready: Callable[[keras.Model, float, int], keras.Model]
    """Compiles the network for a learning rate and a number of steps."""
    varied: augmentation.Maker
    """Makes the augmentation from a seed."""
    epochs: int
    patience: int
    batch_size: int
    learning_rate: float
    augment: bool
    smoothing: float = 0.0
    """Label smoothing (Szegedy et al., 2016). Votes stay as they are."""
    scheduled: bool = False
    """Whether the learning rate follows a schedule over all epochs. Their number then cannot change when a run is
    resumed, and there is no early stopping unless a patience is given."""


@keras.saving.register_keras_serializable("labeler")
class KernelDecay(keras.optimizers.SGD):  # type: ignore[misc] # Keras has no types.
    """SGD with weight decay for kernels only, also after it was saved and loaded."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])


def fine_tuning(recipe: Recipe) -> Recipe:
    """Return the recipe for fine-tuning a trained network on few images, such as 500, in minutes.

    Measured on 400 images with `architectures.large`: learning rates from 0.003 to 0.01 are about equal.
    """
    return replace(recipe, epochs=20, patience=10, batch_size=32, learning_rate=recipe.learning_rate / 10)


def cosine_decay(learning_rate: float, steps: int) -> keras.optimizers.schedules.LearningRateSchedule:
    """Return the learning rate schedule: a linear warm-up, then cosine decay to 0 (Loshchilov and Hutter, 2017)."""
    rising = max(steps // _WARM_UP, 1)
    return keras.optimizers.schedules.CosineDecay(
        0.0, max(steps - rising, 1), warmup_target=learning_rate, warmup_steps=rising
    )


def ema_momentum(steps: int) -> float:
    """Return the momentum of the EMA of the weights (averaging: Polyak and Juditsky, 1992)."""
    return 1 - 1 / min(max(steps / _WARM_UP, 1), _LONGEST_AVERAGE)


def _ready_as_documented(network: keras.Model, learning_rate: float, _: int) -> keras.Model:
    return architectures.compiled(network, learning_rate)


def _ready_for_the_schedule(network: keras.Model, learning_rate: float, steps: int) -> keras.Model:
    fast = mixed_precision.fast(network, mixed_precision.best())
    optimizer = KernelDecay(
        cosine_decay(learning_rate, steps),
        momentum=0.9,
        nesterov=True,
        weight_decay=_DECAY,
        use_ema=True,
        ema_momentum=ema_momentum(steps),
    )
    # On a CPU, a step compiled by XLA takes 1.6 times as long.
    fast.compile(optimizer, loss="categorical_crossentropy", metrics=["accuracy"], jit_compile=False)
    return fast


_DEFAULT = Recipe(
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
)

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
    "default": _DEFAULT,
    "large": replace(_DEFAULT, network=architectures.large),
}
"""The choices of ``--arch``. A new network is one function and one entry here."""
