"""What the last layer is given: the same from a bundle and from the Keras file that it was made of."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import onnx
import pytest
from conftest import ROOT, make_bundle
from onnx import TensorProto, helper

from labeler.errors import ModelError
from labeler.inference import embeddings
from labeler.inference.embeddings import Embeddings
from training.bundle import export
from training.networks import mixed_precision

PIXELS = np.random.default_rng(0).integers(0, 256, (70, 64, 64, 3), dtype=np.uint8)


def seen(path: Path, workers: int = 1) -> Embeddings:
    return embeddings.embed(path, PIXELS, workers, lambda *_: None)


@pytest.fixture(scope="module")
def network() -> keras.Model:
    """A small network with every kind of layer that matters here."""
    keras.utils.set_random_seed(0)
    layers = keras.layers
    return keras.Sequential(
        [
            layers.Input((64, 64, 3)),
            layers.Conv2D(8, 3, 4),
            layers.BatchNormalization(),
            layers.Flatten(),
            layers.Dense(6, activation="relu"),
            layers.Dropout(0.5),
            layers.Dense(3, activation="softmax"),
        ]
    )


@pytest.fixture(scope="module")
def keras_file(network: keras.Model, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("run") / "best_model.keras"
    network.save(path)
    return path


def test_a_keras_file_gives_what_its_last_layer_is_given(network: keras.Model, keras_file: Path) -> None:
    weights, bias = network.layers[-1].get_weights()
    logits = seen(keras_file) @ weights + bias

    assert np.allclose(keras.ops.softmax(logits), network.predict_on_batch(PIXELS / np.float32(255)), atol=1e-5)


def test_a_bundle_gives_the_same_as_the_keras_file(network: keras.Model, keras_file: Path, tmp_path: Path) -> None:
    bundle = tmp_path / "model.onnx"
    export.export(network, ("a", "b", "c"), bundle, samples=PIXELS[:8], card={})

    assert np.abs(seen(bundle) - seen(keras_file)).max() < 1e-3


@pytest.mark.parametrize(
    "precision", [pytest.param(mixed_precision.FLOAT32, marks=pytest.mark.slow), mixed_precision.BFLOAT16]
)
def test_a_file_of_an_unfinished_fast_training_needs_no_training_package(
    network: keras.Model, keras_file: Path, tmp_path: Path, precision: str
) -> None:
    fast, pixels, features = tmp_path / "best_model.keras", tmp_path / "pixels.npy", tmp_path / "features.npy"
    mixed_precision.fast(network, precision).save(fast)
    np.save(pixels, PIXELS)
    script = (
        "import sys; from pathlib import Path; import numpy as np; from labeler.inference import embeddings\n"
        f"seen = embeddings.embed(Path({str(fast)!r}), np.load({str(pixels)!r}), 1, lambda *_: None)\n"
        f"np.save({str(features)!r}, seen)\n"
        "assert 'training' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script], check=True, cwd=ROOT, capture_output=True)

    assert np.array_equal(np.load(features), seen(keras_file))


def test_features_do_not_depend_on_the_workers(model: Path) -> None:
    assert np.array_equal(seen(model, workers=1), seen(model, workers=3))


def test_every_picture_has_its_features(model: Path) -> None:
    assert np.allclose(seen(model), PIXELS.reshape(len(PIXELS), -1) / 255, atol=1e-6)


def test_a_bundle_without_a_dense_layer_is_refused(tmp_path: Path) -> None:
    path = make_bundle(tmp_path / "pooled.onnx")
    pooled = onnx.load(path)
    del pooled.graph.node[:], pooled.graph.initializer[:]
    pooled.graph.node.extend(
        [
            helper.make_node("Cast", ["pixels"], ["floats"], to=TensorProto.FLOAT),
            helper.make_node("ReduceMean", ["floats"], ["means"], axes=[1, 2], keepdims=0),
            helper.make_node("Softmax", ["means"], ["probabilities"]),
        ]
    )
    onnx.save(pooled, path)
    with pytest.raises(ModelError, match="has no dense layer at its end"):
        seen(path)


def test_a_keras_network_for_other_pictures_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "gray.keras"
    layers = [keras.layers.Input((48, 48, 1)), keras.layers.Flatten(), keras.layers.Dense(3)]
    keras.Sequential(layers).save(path)
    with pytest.raises(ModelError, match=r"takes \(None, 48, 48, 1\)"):
        seen(path)
