"""The bundle with weights of 8-bit integers: it says what that in float32 says, and no processor saturates."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import keras
import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from labeler.errors import ModelError
from labeler.inference import embeddings, quantised_bundle
from labeler.inference.bundle import card
from labeler.inference.classifier import Classifier
from training import warm_start
from training.bundle import export
from training.networks import architectures

NAMES = ("angry", "happy", "sad")


def faces(count: int, seed: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Return images of blurred noise: those of pure noise all look alike to a network."""
    coarse = np.random.default_rng(seed).integers(0, 256, (count, 8, 8, 3), dtype=np.uint8)
    return coarse.repeat(8, axis=1).repeat(8, axis=2)


@pytest.fixture(scope="module")
def exact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small network in float32 with all that ours are made of, and an output for faces, as if it had been trained."""
    keras.utils.set_random_seed(1)
    stages = architectures._LARGE_STAGES
    architectures._LARGE_STAGES = ((8, 1), (16, 1))
    network = architectures.large(3)
    architectures._LARGE_STAGES = stages
    random = np.random.default_rng(1)
    for layer in network.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.set_weights([random.uniform(0.5, 1.5, weight.shape) for weight in layer.get_weights()])
    kernel, bias = network.layers[-1].get_weights()
    network.layers[-1].set_weights([2 * kernel, bias])
    face = keras.layers.Dense(1, activation="sigmoid")(network.layers[-2].output)
    path = tmp_path_factory.mktemp("exact") / "float32.onnx"
    about = {"name": "mine", "face_threshold": 0.5, "prior": [0.2, 0.5, 0.3], "weights": "float32", "speed": 100}
    export.export(
        keras.Model(network.inputs[0], [network.outputs[0], face]), NAMES, path, samples=faces(8, 0), card=about
    )
    return path


@pytest.fixture(scope="module")
def small(exact: Path) -> Path:
    quantised_bundle.quantise(exact, exact.with_name("model.onnx"), faces(32, 1))
    return exact.with_name("model.onnx")


def constants(path: Path) -> dict[str, np.ndarray[Any, Any]]:
    return {one.name: numpy_helper.to_array(one) for one in onnx.load(path).graph.initializer}


def weights(path: Path) -> list[tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]]:
    """Return the integers of each quantised convolution, and their scales."""
    graph, known = onnx.load(path).graph, constants(path)
    makers = {name: node for node in graph.node for name in node.output}
    sources = [makers.get(node.input[1]) for node in graph.node if node.op_type == "Conv"]
    return [(known[one.input[0]], known[one.input[1]]) for one in sources if one]


def test_it_answers_nearly_as_in_float32(exact: Path, small: Path) -> None:
    before, after = (Classifier(path).answer(faces(60, 2)) for path in (exact, small))

    assert before.probabilities.std(axis=0).max() > 0.02  # Else any network would do.
    assert np.abs(after.probabilities - before.probabilities).max() < 0.05
    assert before.faces is not None
    assert after.faces is not None
    assert np.abs(after.faces - before.faces).max() < 0.05


def test_the_weights_of_every_quantised_convolution_leave_room_for_sums_of_16_bits(small: Path) -> None:
    found = weights(small)
    convolutions = [node for node in onnx.load(small).graph.node if node.op_type == "Conv"]

    assert len(found) == len(convolutions) - 1  # All but the one to gray.
    assert all(integers.dtype == np.int8 and np.abs(integers.astype(int)).max() <= 64 for integers, _ in found)
    assert 255 * 64 * 2 < 2**15


def test_every_output_channel_has_its_scale(small: Path) -> None:
    assert all(scales.shape == integers.shape[:1] for integers, scales in weights(small))


def test_activations_are_unsigned(small: Path) -> None:
    known = constants(small)
    points = [known[node.input[2]] for node in onnx.load(small).graph.node if node.op_type == "QuantizeLinear"]

    assert points
    assert {point.dtype for point in points} == {np.dtype(np.uint8)}


def test_what_comes_before_the_convolutions_and_what_ends_an_output_stays_in_float32(small: Path) -> None:
    graph = onnx.load(small).graph
    makers = {name: node for node in graph.node for name in node.output}
    kinds = {name: node.op_type for name, node in makers.items()}
    of_integers = {node.op_type for node in graph.node for name in node.input if kinds.get(name) == "DequantizeLinear"}

    assert {"Conv", "Add", "Mul"} <= of_integers
    assert of_integers.isdisjoint({"Sub", "ReduceMean", "Sqrt", "Reciprocal", "MatMul", "Softmax"})
    for output, kind in (("probabilities", "Softmax"), ("face", "Sigmoid")):
        assert kinds[output] == kind
        assert kinds[makers[output].input[0]] in {"Add", "MatMul"}  # A bias of 0 is left out of the file.


def test_inputs_outputs_and_card_stay(exact: Path, small: Path) -> None:
    before, after = (onnx.load(path).graph for path in (exact, small))
    about, other = card(exact), card(small)

    assert list(after.input) == list(before.input)
    assert list(after.output) == list(before.output)
    assert (other.name, other.class_names, other.prior, other.face_threshold) == (
        about.name,
        about.class_names,
        about.prior,
        about.face_threshold,
    )
    assert (other.weights, other.speed, other.block) == ("int8", None, 8)


def test_its_embeddings_are_nearly_those_in_float32(exact: Path, small: Path) -> None:
    before, after = (embeddings.embed(path, faces(20, 3), 1, lambda *_: None) for path in (exact, small))

    assert np.abs(after - before).max() < 0.1 * np.abs(before).max()


@pytest.mark.parametrize("method", ["Entropy", "Percentile"])
def test_ranges_may_leave_out_what_is_rare(exact: Path, tmp_path: Path, method: quantised_bundle.Method) -> None:
    quantised_bundle.quantise(exact, tmp_path / "model.onnx", faces(6, 1), method)
    before, after = (Classifier(path).predict(faces(20, 2)) for path in (exact, tmp_path / "model.onnx"))

    assert np.abs(after - before).mean() < 0.05


def test_what_is_quantised_already_is_refused(small: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"is no \.onnx bundle in float32"):
        quantised_bundle.quantise(small, tmp_path / "model.onnx", faces(2, 1))


def test_it_alone_cannot_be_fine_tuned(small: Path, tmp_path: Path) -> None:
    shutil.copy(small, tmp_path / "model.onnx")
    with pytest.raises(ModelError, match="has weights of 8-bit integers"):
        warm_start.load(str(tmp_path))
