"""What an architecture is trained with unless told otherwise."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest

from training import recipes
from training.data import augmentation
from training.networks import architectures
from training.settings import TrainSettings, recipe_of


@pytest.fixture(scope="module")
def ready() -> keras.Model:
    network = recipes.RECIPES["default"].ready(architectures.default(2), 0.1, 200)
    network.optimizer.build(network.trainable_variables)
    return network


def test_the_documented_recipe() -> None:
    documented = recipes.RECIPES["documented"]
    network = documented.ready(documented.network(2), 0.001, 100)

    assert (documented.epochs, documented.patience, documented.batch_size) == (500, 10, 32)
    assert (documented.learning_rate, documented.augment, documented.smoothing) == (0.001, False, 0)
    assert documented.varied is augmentation.Mild
    assert (type(network.optimizer), network.loss) == (keras.optimizers.Adam, "categorical_crossentropy")
    assert not documented.scheduled


@pytest.mark.parametrize("arch", ["documented", "default", "large"])
def test_a_trained_network_is_adapted_gently(arch: str) -> None:
    usual = recipes.RECIPES[arch]
    adapted = recipe_of(TrainSettings(data=Path("data"), out=Path("run"), arch=arch, start="mine"))

    assert (adapted.epochs, adapted.patience, adapted.batch_size) == (20, 10, 32)
    assert adapted.learning_rate == usual.learning_rate / 10
    assert (adapted.network, adapted.varied, adapted.augment) == (usual.network, usual.varied, usual.augment)


def test_the_learning_rate_rises_and_falls_to_0() -> None:
    rate = recipes.cosine_decay(0.1, 200)

    assert [float(rate(step)) for step in (0, 5, 10, 105, 200)] == pytest.approx([0, 0.05, 0.1, 0.05, 0], abs=1e-6)


@pytest.mark.parametrize("steps", [1, 2, 19])
def test_a_training_of_few_steps_has_a_learning_rate(steps: int) -> None:
    assert np.isfinite([float(recipes.cosine_decay(0.1, steps)(step)) for step in range(steps + 1)]).all()


@pytest.mark.parametrize(("steps", "over"), [(1, 1), (200, 10), (1_000_000, 1000)])
def test_the_average_fits_the_length_of_the_training(steps: int, over: int) -> None:
    assert 1 / (1 - recipes.ema_momentum(steps)) == pytest.approx(over)


def test_only_kernels_decay(ready: keras.Model) -> None:
    decaying = {one.name for one in ready.trainable_variables if ready.optimizer._use_weight_decay(one)}

    assert decaying == {"kernel"}


def test_only_kernels_decay_after_a_resume(ready: keras.Model, tmp_path: Path) -> None:
    ready.save(tmp_path / "ready.keras")
    loaded = keras.saving.load_model(tmp_path / "ready.keras", safe_mode=True)
    decaying = {one.name for one in loaded.trainable_variables if loaded.optimizer._use_weight_decay(one)}

    assert decaying == {"kernel"}


def test_the_default_network_learns(ready: keras.Model) -> None:
    dark = np.random.default_rng(0).random((16, 64, 64, 3), np.float32)
    dark[::2, :32] *= 0.2
    answers = np.eye(2, dtype=np.float32)[[0, 1] * 8]
    losses = [ready.train_on_batch(dark, answers)[0] for _ in range(8)]

    assert losses[-1] < 0.5 * losses[0]
