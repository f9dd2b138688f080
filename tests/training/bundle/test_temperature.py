"""A temperature makes scores honest, changes no answer, and is in the network."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from scipy.special import softmax

from training.bundle.temperature import calibrated, fit, with_temperature
from training.networks import architectures

RANDOM = np.random.default_rng(1)
LOGITS = RANDOM.normal(0, 2, (4000, 5))
HONEST = softmax(LOGITS, axis=1)
TRUTH = np.array([RANDOM.choice(5, p=row) for row in HONEST])


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.5])
def test_the_temperature_that_spoiled_the_scores_is_found(temperature: float) -> None:
    spoiled = softmax(LOGITS * temperature, axis=1).astype(np.float32)

    assert fit(spoiled, TRUTH).temperature == pytest.approx(temperature, rel=0.05)


def test_the_error_is_told_before_and_after() -> None:
    found = fit(softmax(LOGITS * 2.5, axis=1), TRUTH)

    assert (found.ece_before > 0.1, found.ece < 0.02, found.n) == (True, True, 4000)


def test_few_pictures_calibrate_nothing() -> None:
    assert fit(HONEST[:49], HONEST[:49].argmax(axis=1)).temperature == 1


def test_tempering_is_what_dividing_the_logits_is() -> None:
    assert np.allclose(with_temperature(HONEST, 1.7), softmax(LOGITS / 1.7, axis=1))


@pytest.mark.parametrize("temperature", [0.2, 1.7, 5.0])
def test_the_calibrated_network_gives_tempered_probabilities(temperature: float) -> None:
    keras.utils.set_random_seed(0)
    network = architectures.documented(5)
    pixels = RANDOM.random((20, 64, 64, 3), np.float32)
    expected = with_temperature(network.predict_on_batch(pixels), temperature)

    assert np.allclose(calibrated(network, temperature).predict_on_batch(pixels), expected, atol=1e-6)


def test_a_temperature_of_one_is_no_change() -> None:
    network = architectures.documented(3)

    assert calibrated(network, 1.0) is network
