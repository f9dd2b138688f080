"""The documented network is the documented network, to the last parameter."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from numpy.typing import NDArray

from training import recipes
from training.networks import architectures


def test_the_documented_layers() -> None:
    layers = architectures.documented(7).layers

    assert [type(layer) for layer in layers] == [keras.layers.Flatten, keras.layers.Dense, keras.layers.Dense]
    assert [(layer.units, layer.activation.__name__) for layer in layers[1:]] == [(128, "relu"), (7, "softmax")]


def test_the_documented_network_is_a_plain_sequence() -> None:
    assert type(architectures.documented(7)) is keras.Sequential


def test_the_documented_shapes() -> None:
    network = architectures.documented(7)

    assert (network.input_shape, network.output_shape) == ((None, 64, 64, 3), (None, 7))


def test_the_documented_network_has_1_573_895_parameters_for_seven_classes() -> None:
    assert architectures.documented(7).count_params() == 1_573_895


def test_the_number_of_classes_is_that_of_the_folders() -> None:
    assert architectures.documented(3).output_shape == (None, 3)


def test_it_gives_probabilities() -> None:
    pixels = np.random.default_rng(0).random((5, 64, 64, 3), np.float32)

    assert np.allclose(architectures.documented(7).predict_on_batch(pixels).sum(axis=1), 1, atol=1e-6)


def test_the_documented_loss_and_optimizer() -> None:
    network = architectures.compiled(architectures.documented(7), 0.001)
    given, default = (optimizer.get_config() for optimizer in (network.optimizer, keras.optimizers.Adam()))

    assert network.loss == "categorical_crossentropy"
    assert type(network.optimizer) is keras.optimizers.Adam
    assert given | {"name": "adam", "learning_rate": 0.001} == default | {"name": "adam", "learning_rate": 0.001}
    assert given["learning_rate"] == pytest.approx(default["learning_rate"])


def test_the_documented_metric() -> None:
    network = architectures.compiled(architectures.documented(2), 0.001)
    logs = network.test_on_batch(np.zeros((1, 64, 64, 3)), np.array([[1.0, 0.0]]), return_dict=True)

    assert set(logs) == {"loss", "accuracy"}


def test_the_command_line_offers_the_documented_network() -> None:
    assert recipes.RECIPES["documented"].network is architectures.documented


@pytest.fixture(scope="module", params=[architectures.default, architectures.large])
def default(request: pytest.FixtureRequest) -> keras.Model:
    """The network that ships, and the larger one of the same kind."""
    keras.utils.set_random_seed(0)
    network: keras.Model = request.param(3)
    return network


@pytest.fixture
def pixels() -> NDArray[np.float32]:
    return np.random.default_rng(0).random((5, 64, 64, 3), np.float32)


def test_the_networks_keep_their_sizes() -> None:
    """As 8-bit integers the default network takes less than 3 MB; in float32 the large one takes less than 8."""
    assert architectures.default(7).count_params() < 1_200_000
    assert architectures.large(7).count_params() * 4 < 7_800_000


def test_only_the_large_network_has_gates() -> None:
    kinds = [{type(layer) for layer in network(7).layers} for network in (architectures.default, architectures.large)]

    assert [keras.layers.Multiply in found for found in kinds] == [False, True]


def test_the_default_shapes(default: keras.Model) -> None:
    assert (default.input_shape, default.output_shape) == ((None, 64, 64, 3), (None, 3))


def test_the_default_network_is_made_of_layers_that_any_keras_has(default: keras.Model) -> None:
    assert {type(layer).__module__.split(".")[0] for layer in default.layers} == {"keras"}


def test_the_default_network_sees_no_colour(default: keras.Model, pixels: NDArray[np.float32]) -> None:
    gray = np.repeat(pixels @ np.array(architectures.LUMA, np.float32)[:, None], 3, axis=-1)

    assert np.allclose(default.predict_on_batch(gray), default.predict_on_batch(pixels), atol=1e-5)


def test_the_default_network_sees_neither_brightness_nor_contrast(
    default: keras.Model, pixels: NDArray[np.float32]
) -> None:
    dull = pixels * np.float32(0.5) + np.float32(0.3)

    assert np.allclose(default.predict_on_batch(dull), default.predict_on_batch(pixels), atol=5e-3)


def test_the_default_network_sees_nothing_in_a_blank_picture(default: keras.Model) -> None:
    seen = keras.Model(default.inputs, default.get_layer("standardised").output)
    blank = np.ones((3, 64, 64, 3), np.float32) * np.array([0, 0.498, 1], np.float32).reshape(3, 1, 1, 1)

    assert np.abs(seen.predict_on_batch(blank)).max() < 1e-6
