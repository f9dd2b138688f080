"""Quick steps learn what slow ones learn."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from training.networks import architectures, fast_steps

PIXELS = np.random.default_rng(0).integers(0, 256, (3, 8, 64, 64, 3), dtype=np.uint8)
ANSWERS = np.eye(3, dtype=np.float32)[np.random.default_rng(1).integers(0, 3, (3, 8))]


def fresh() -> keras.Model:
    keras.utils.set_random_seed(0)
    return architectures.compiled(architectures.documented(3), 0.001)


def learnt_slowly() -> tuple[keras.Model, float]:
    network = fresh()
    data = tf.data.Dataset.from_tensor_slices((PIXELS.astype(np.float32) * np.float32(fast_steps.SCALE), ANSWERS))
    history = network.fit(data, epochs=2, verbose=0, shuffle=False)
    return network, history.history["loss"][-1]


def learnt_quickly() -> tuple[keras.Model, float]:
    network = fresh()
    fast_steps.speed_up(network)
    history = network.fit(tf.data.Dataset.from_tensors((PIXELS, ANSWERS)), epochs=2, verbose=0, shuffle=False)
    return network, history.history["loss"][-1]


def test_a_stack_of_batches_teaches_what_its_batches_teach_one_by_one() -> None:
    (slow, slow_loss), (quick, quick_loss) = learnt_slowly(), learnt_quickly()

    assert quick_loss == pytest.approx(slow_loss, rel=1e-4)
    assert int(quick.optimizer.iterations) == int(slow.optimizer.iterations) == 6
    for one, other in zip(quick.get_weights(), slow.get_weights(), strict=True):
        assert np.abs(one - other).max() < 1e-4


def test_the_optimizer_that_is_saved_is_keras_own_and_remembers(tmp_path) -> None:  # type: ignore[no-untyped-def]
    quick, _ = learnt_quickly()
    quick.save(tmp_path / "n.keras")
    loaded = keras.saving.load_model(tmp_path / "n.keras")

    assert type(loaded.optimizer) is keras.optimizers.Adam
    for one, other in zip(loaded.optimizer.variables, quick.optimizer.variables, strict=True):
        assert np.array_equal(one.numpy(), other.numpy())
