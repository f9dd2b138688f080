"""What the last layer is given: the same from a bundle and from the Keras file that it was made of."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import keras
import numpy as np
import onnx
import pytest
from any_networks import convolutional, quantised, transformer
from conftest import ROOT, make_bundle
from onnx import TensorProto, helper

from labeler.errors import ModelError
from labeler.inference import embeddings
from labeler.inference.classifier import Classifier
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


SIDE = 96
BIG = np.random.default_rng(1).integers(0, 256, (9, SIDE, SIDE, 3), dtype=np.uint8)


def remade(path: Path, change: Callable[[onnx.GraphProto], None]) -> Path:
    """Change the graph of a bundle."""
    model = onnx.load(path)
    change(model.graph)
    onnx.save(model, path)
    return path


@pytest.mark.parametrize("make", [convolutional, transformer, quantised, partial(quantised, dynamic=True)])
def test_features_of_any_network_are_those_of_its_head_whatever_stands_beside(
    make: Callable[..., Path], tmp_path: Path
) -> None:
    look = embeddings.network(make(tmp_path / "any.onnx", side=SIDE, classes=10))
    together, alone = look(BIG), np.concatenate([look(BIG[at : at + 1]) for at in range(len(BIG))])

    assert together.shape in {(9, 8), (9, 16)}
    assert np.allclose(together, alone, atol=1e-5)
    assert together.std(axis=0).max() > 0


def ends_in_a_convolution(graph: onnx.GraphProto) -> None:
    """Let the last layer be a convolution, and take its means."""
    del graph.node[-6:], graph.output[:]
    kernel = np.random.default_rng(2).normal(0, 1, (3, 8, 1, 1)).astype(np.float32)
    graph.initializer.append(onnx.numpy_helper.from_array(kernel, "kernel"))
    graph.node.extend(
        [
            helper.make_node("Conv", [graph.node[-1].output[0], "kernel"], ["maps"]),
            helper.make_node("GlobalAveragePool", ["maps"], ["pooled"]),
            helper.make_node("Flatten", ["pooled"], ["logits"]),
            helper.make_node("Softmax", ["logits"], ["probabilities"]),
        ]
    )
    graph.output.append(helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["batch", 3]))


def test_a_network_that_ends_in_a_convolution_gives_the_means_of_what_that_is_given(tmp_path: Path) -> None:
    path = remade(convolutional(tmp_path / "any.onnx", side=SIDE), ends_in_a_convolution)
    kernel = onnx.numpy_helper.to_array(onnx.load(path).graph.initializer[-1])[..., 0, 0]
    features = embeddings.network(path)(BIG)
    shares = np.exp(features @ kernel.T)

    assert features.shape == (9, 8)
    assert np.allclose(shares / shares.sum(axis=1, keepdims=True), Classifier(path).predict(BIG), atol=1e-5)


def test_a_head_given_a_constant_gives_no_features(tmp_path: Path) -> None:
    def swap(graph: onnx.GraphProto) -> None:
        """Multiply by the weights from the left, with the images along the columns."""
        head = [node for node in graph.node if node.op_type == "MatMul"][-1]
        place = list(graph.node).index(head)
        features, weights = head.input
        head.input[:], head.output[:], out = ["turned_weights", "turned"], ["columns"], head.output[0]
        graph.node.insert(place, helper.make_node("Transpose", [features], ["turned"]))
        graph.node.insert(place, helper.make_node("Transpose", [weights], ["turned_weights"]))
        graph.node.insert(place + 3, helper.make_node("Transpose", ["columns"], [out]))

    path = remade(convolutional(tmp_path / "any.onnx", side=SIDE), swap)
    Classifier(path).predict(BIG)
    with pytest.raises(ModelError, match="gives no features: what its last dense layer is given is not of each image"):
        embeddings.network(path)


def test_features_that_the_network_returns_already_are_the_same(tmp_path: Path) -> None:
    path = convolutional(tmp_path / "any.onnx", side=SIDE)
    wanted, name = embeddings.network(path)(BIG), embeddings.layer(path).name

    def give(graph: onnx.GraphProto) -> None:
        graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", 8]))

    assert np.array_equal(embeddings.network(remade(path, give))(BIG), wanted)


def test_a_network_of_a_fixed_number_of_images_is_given_as_many(tmp_path: Path) -> None:
    path = convolutional(tmp_path / "any.onnx", side=SIDE, block=4)
    wanted = embeddings.network(path)(BIG)

    def fix(graph: onnx.GraphProto) -> None:
        graph.input[0].type.tensor_type.shape.dim[0].dim_value = 4

    assert np.allclose(embeddings.network(remade(path, fix))(BIG), wanted, atol=1e-6)
