"""Bundles: found, checked, and the same answer whatever the batch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from conftest import make_bundle

from labeler.errors import ModelError
from labeler.inference import bundle, classifier


def pictures(count: int) -> np.ndarray:
    return np.random.default_rng(3).integers(0, 256, (count, 64, 64, 3), dtype=np.uint8)


def test_probabilities_are_those_of_the_network(model: Path) -> None:
    found = classifier.Classifier(model).predict(pictures(5))
    weights = np.random.default_rng(7).normal(0, 0.05, (64 * 64 * 3, 3)).astype(np.float32)
    logits = pictures(5).reshape(5, -1).astype(np.float64) / 255 @ weights
    expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)

    np.testing.assert_allclose(found, expected, atol=1e-4)


@pytest.mark.parametrize("size", [1, 7, 32, 33, 100])
def test_a_picture_gets_the_very_same_probabilities_in_every_batch(size: int) -> None:
    network = classifier.Classifier(bundle.find(""))
    together = network.predict(pictures(100))
    apart = np.concatenate([network.predict(pictures(100)[at : at + size]) for at in range(0, 100, size)])

    assert (apart == together).all()


def test_no_pictures_give_no_probabilities(model: Path) -> None:
    assert classifier.Classifier(model).predict(pictures(0)).shape == (0, 3)


def test_another_input_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="not a labeler bundle"):
        classifier.Classifier(make_bundle(tmp_path / "m.onnx", side=32))


@pytest.mark.parametrize("suffix", [".onnx", ".keras"])
def test_a_file_that_is_no_model_is_refused(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"m{suffix}"
    path.write_bytes(b"no model")
    with pytest.raises(ModelError, match="is not a"):
        classifier.Classifier(path)


class ShortOfMemory:
    """A network that can take only so many pictures, and says so as ONNX Runtime on a full device does."""

    def __init__(self, network: classifier.Network, most: int) -> None:
        self.network = network
        self.most = most

    def __call__(self, pixels: np.ndarray) -> np.ndarray:
        if len(pixels) > self.most:
            raise RuntimeError(
                "BFCArena::AllocateRawInternal: Failed to allocate memory for requested buffer of size 1"
            )
        return self.network(pixels)


def test_when_the_device_is_short_of_memory_the_batch_is_halved_and_the_run_goes_on(model: Path) -> None:
    network = classifier.Classifier(model)
    expected = network.predict(pictures(20))
    network._network = ShortOfMemory(network._network, most=3)

    assert network.predict(pictures(20)) == pytest.approx(expected, abs=1e-6)
    assert network.block == 2


def test_when_not_even_one_picture_fits_the_error_shows(model: Path) -> None:
    network = classifier.Classifier(model)
    network._network = ShortOfMemory(network._network, most=0)
    with pytest.raises(ModelError, match=r"cannot be run: .*Failed to allocate"):
        network.predict(pictures(1))
