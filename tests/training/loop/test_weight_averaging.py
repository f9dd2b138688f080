"""The average of the weights is judged and kept, with statistics of its own; the weights go on learning."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest
from numpy.typing import NDArray

from training.loop import callbacks, weight_averaging
from training.loop.history import History
from training.networks import mixed_precision

PIXELS = np.random.default_rng(0).random((32, 8, 8, 3), np.float32)
ANSWERS = np.eye(2, dtype=np.float32)[[0, 1] * 16]
SHOWN = [PIXELS[:16], PIXELS[16:]]


@pytest.fixture
def network() -> keras.Model:
    """A network that has learnt for four steps."""
    keras.utils.set_random_seed(0)
    layers = keras.layers
    seen = [layers.Input((8, 8, 3)), layers.Conv2D(4, 3), mixed_precision.FusedNormalization(), layers.Flatten()]
    made = keras.Sequential([*seen, layers.Dense(2, activation="softmax")])
    averaging = keras.optimizers.SGD(0.1, use_ema=True, ema_momentum=0.5)
    made.compile(averaging, "categorical_crossentropy", metrics=["accuracy"])
    for _ in range(4):
        made.train_on_batch(PIXELS, ANSWERS)
    return made


def trainable(network: keras.Model) -> NDArray[np.float32]:
    return np.concatenate([one.numpy().ravel() for one in network.trainable_variables])


def test_the_average_takes_the_place_of_the_weights(network: keras.Model) -> None:
    average = np.concatenate([one.numpy().ravel() for one in network.optimizer._model_variables_moving_average])
    weight_averaging.apply_average(network, SHOWN)

    assert np.array_equal(trainable(network), average)


def test_the_statistics_are_those_of_the_average(network: keras.Model) -> None:
    weight_averaging.apply_average(network, SHOWN)
    [normalisation] = [layer for layer in network.layers if isinstance(layer, keras.layers.BatchNormalization)]
    activations = keras.Model(network.inputs, network.layers[0].output).predict_on_batch(PIXELS)

    assert np.allclose(normalisation.moving_mean, activations.mean(axis=(0, 1, 2)), rtol=1e-3)
    assert np.allclose(normalisation.moving_variance, activations.var(axis=(0, 1, 2)), rtol=0.02)
    assert normalisation.momentum == 0.99


def test_without_an_average_nothing_changes(network: keras.Model) -> None:
    network.compile("adam", "categorical_crossentropy")
    before = network.get_weights()
    weight_averaging.apply_average(network, SHOWN)

    assert all(map(np.array_equal, network.get_weights(), before))


def test_what_is_judged_is_kept_and_what_learns_goes_on(network: keras.Model, tmp_path: Path) -> None:
    epochs = History()
    averaging = weight_averaging.ValidateAverage(lambda one: weight_averaging.apply_average(one, SHOWN))
    kept = [callbacks.Recorder(tmp_path, epochs), averaging, callbacks.checkpoint(tmp_path)]
    network.fit(PIXELS, ANSWERS, 8, epochs=2, validation_data=(PIXELS, ANSWERS), callbacks=kept, verbose=0)
    best, last = (keras.saving.load_model(tmp_path / name) for name in ("best_model.keras", "state.keras"))
    losses = [one.evaluate(PIXELS, ANSWERS, verbose=0)[0] for one in (best, last)]

    assert losses[0] == pytest.approx(epochs.best.val_loss, rel=1e-4)
    assert losses[1] != pytest.approx(epochs.best.val_loss, rel=1e-3)


def test_averaging_does_not_disturb_the_learning(network: keras.Model, tmp_path: Path) -> None:
    network.save(tmp_path / "network.keras")
    alone = keras.saving.load_model(tmp_path / "network.keras")
    averaging = weight_averaging.ValidateAverage(lambda one: weight_averaging.apply_average(one, SHOWN))
    for one, judged in ((network, [averaging, callbacks.Recorder(tmp_path, History())]), (alone, [])):
        one.fit(
            PIXELS, ANSWERS, 8, epochs=3, shuffle=False, validation_data=(PIXELS, ANSWERS), callbacks=judged, verbose=0
        )

    learnt = zip(network.optimizer.variables, alone.optimizer.variables, strict=True)
    assert all(np.allclose(one, other, atol=1e-5) for one, other in learnt)
