"""The documented network is the documented network, to the last parameter."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from training import networks


def test_the_documented_layers() -> None:
    layers = networks.documented(7).layers

    assert [type(layer) for layer in layers] == [keras.layers.Flatten, keras.layers.Dense, keras.layers.Dense]
    assert [(layer.units, layer.activation.__name__) for layer in layers[1:]] == [(128, "relu"), (7, "softmax")]


def test_the_documented_network_is_a_plain_sequence() -> None:
    assert type(networks.documented(7)) is keras.Sequential


def test_the_documented_shapes() -> None:
    network = networks.documented(7)

    assert (network.input_shape, network.output_shape) == ((None, 64, 64, 3), (None, 7))


def test_the_documented_network_has_1_573_895_parameters_for_seven_classes() -> None:
    assert networks.documented(7).count_params() == 1_573_895


def test_the_number_of_classes_is_that_of_the_folders() -> None:
    assert networks.documented(3).output_shape == (None, 3)


def test_it_gives_probabilities() -> None:
    pixels = np.random.default_rng(0).random((5, 64, 64, 3), np.float32)

    assert np.allclose(networks.documented(7).predict_on_batch(pixels).sum(axis=1), 1, atol=1e-6)


def test_the_documented_loss_and_optimizer() -> None:
    network = networks.compiled(networks.documented(7), 0.001)
    given, default = (optimizer.get_config() for optimizer in (network.optimizer, keras.optimizers.Adam()))

    assert network.loss == "categorical_crossentropy"
    assert type(network.optimizer) is keras.optimizers.Adam
    assert given | {"name": "adam", "learning_rate": 0.001} == default | {"name": "adam", "learning_rate": 0.001}
    assert given["learning_rate"] == pytest.approx(default["learning_rate"])


def test_the_documented_metric() -> None:
    network = networks.compiled(networks.documented(2), 0.001)
    logs = network.test_on_batch(np.zeros((1, 64, 64, 3)), np.array([[1.0, 0.0]]), return_dict=True)

    assert set(logs) == {"loss", "accuracy"}


def test_the_command_line_offers_the_documented_network() -> None:
    assert networks.ARCHITECTURES["documented"] is networks.documented
