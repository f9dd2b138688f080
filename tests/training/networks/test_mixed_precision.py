"""A network made for fast training is the same network."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest

from labeler.inference import keras_network
from training.networks import architectures, mixed_precision

PIXELS = np.random.default_rng(0).random((8, 64, 64, 3), np.float32)
ANSWERS = np.eye(2, dtype=np.float32)[[0, 1] * 4]


@pytest.fixture(scope="module")
def network() -> keras.Model:
    keras.utils.set_random_seed(0)
    return architectures.large(2)


@pytest.fixture(scope="module")
def trained(network: keras.Model) -> keras.Model:
    """A fast copy that has learnt for three steps."""
    fast = mixed_precision.fast(network, mixed_precision.BFLOAT16)
    fast.compile(keras.optimizers.SGD(0.01), "categorical_crossentropy", jit_compile=False)
    for _ in range(3):
        fast.train_on_batch(PIXELS, ANSWERS)
    return fast


def test_a_fast_copy_starts_with_the_same_weights(network: keras.Model) -> None:
    assert np.allclose(
        mixed_precision.fast(network, mixed_precision.BFLOAT16).predict_on_batch(PIXELS),
        network.predict_on_batch(PIXELS),
        atol=0.02,
    )


def test_pixels_and_probabilities_are_computed_in_float32(trained: keras.Model) -> None:
    exact = {layer.name for layer in trained.layers if layer.compute_dtype == "float32" and layer.weights}

    assert exact == {"gray", "probabilities"}


def test_weights_are_kept_in_float32(trained: keras.Model) -> None:
    assert {weight.dtype for weight in trained.weights} == {"float32"}


def test_fused_normalisation_learns_what_keras_normalisation_learns() -> None:
    features = np.random.default_rng(1).normal(3, 2, (16, 8, 8, 4)).astype(np.float32)
    layers = [mixed_precision.FusedNormalization(), keras.layers.BatchNormalization()]
    outputs = [layer(features, training=True) for layer in layers]

    assert np.allclose(*outputs, atol=1e-4)
    assert np.allclose(*[layer.moving_mean for layer in layers], rtol=1e-4)
    assert np.allclose(*[layer.moving_variance for layer in layers], rtol=2e-3)  # The fused one is unbiased.


def test_what_was_trained_fast_is_the_same_in_float32(trained: keras.Model) -> None:
    plain = keras_network.plain(trained)

    assert {layer.compute_dtype for layer in plain.layers} == {"float32"}
    assert all(map(np.array_equal, plain.get_weights(), trained.get_weights()))
    assert np.allclose(plain.predict_on_batch(PIXELS), trained.predict_on_batch(PIXELS), atol=0.02)


def test_a_plain_network_is_left_alone(network: keras.Model) -> None:
    assert keras_network.plain(network) is network


def test_a_fast_network_can_be_saved_and_loaded_safely(trained: keras.Model, tmp_path: Path) -> None:
    trained.save(tmp_path / "fast.keras")
    loaded = keras.saving.load_model(tmp_path / "fast.keras", safe_mode=True)

    assert np.array_equal(loaded.predict_on_batch(PIXELS), trained.predict_on_batch(PIXELS))
