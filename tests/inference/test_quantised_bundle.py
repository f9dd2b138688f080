"""Static quantisation of the kinds of networks that people bring; tests/training/bundle has that of our own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import any_networks
import numpy as np
import onnx
import pytest
from conftest import make_bundle

from labeler.errors import ModelError
from labeler.inference import quantised_bundle
from labeler.inference.bundle import card
from labeler.inference.classifier import Classifier


def faces(count: int, seed: int, side: int = 64) -> np.ndarray[Any, np.dtype[np.uint8]]:
    coarse = np.random.default_rng(seed).integers(0, 256, (count, 8, 8, 3), dtype=np.uint8)
    return coarse.repeat(side // 8, axis=1).repeat(side // 8, axis=2)


@pytest.mark.parametrize("make", [any_networks.convolutional, any_networks.transformer])
def test_it_answers_nearly_as_in_float32_and_differs(make: Any, tmp_path: Path) -> None:
    source, out = make(tmp_path / "float32.onnx", side=96, speed=5), tmp_path / "model.onnx"
    quantised_bundle.quantise(source, out, faces(32, 1, 96))
    before, after = (Classifier(path).predict(faces(40, 2, 96)) for path in (source, out))

    assert before.std(axis=0).max() > 0.02
    assert 0 < np.abs(after - before).max() < 0.1
    assert (card(out).weights, card(out).input_size, card(out).speed) == ("int8", 96, None)


def test_of_a_transformer_the_products_with_weights_become_those_of_integers(tmp_path: Path) -> None:
    source, out = any_networks.transformer(tmp_path / "float32.onnx"), tmp_path / "model.onnx"
    quantised_bundle.quantise(source, out, faces(8, 1))
    graph = onnx.load(out).graph
    makers = {name: node.op_type for node in graph.node for name in node.output}
    layers = [node for node in graph.node if node.op_type in {"MatMul", "Conv", "Gemm"}]
    integers = [node for node in layers if makers.get(node.input[1]) == "DequantizeLinear"]
    constants = {one.name for one in graph.initializer}
    exact = [node for node in layers if node not in integers]

    assert len(integers) == 6  # The patches, three and two dense layers.
    assert len([node for node in exact if constants.isdisjoint(node.input)]) == 2  # The attention.
    assert len(exact) == 3  # And the last layer.


def test_operators_of_an_old_version_are_converted(tmp_path: Path) -> None:
    source, out = any_networks.convolutional(tmp_path / "float32.onnx", name="old"), tmp_path / "model.onnx"
    model = onnx.load(source)
    model.opset_import[0].version = 11
    onnx.save(model, source)
    quantised_bundle.quantise(source, out, faces(8, 1))

    assert onnx.load(out).opset_import[0].version >= 13
    assert (card(out).weights, card(out).name) == ("int8", "old")


def test_weights_and_biases_that_nodes_give_become_integers(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """As torch.onnx writes equal biases, and other programs all constants; the convolution stayed in float32."""
    source, out = any_networks.convolutional(tmp_path / "float32.onnx"), tmp_path / "model.onnx"
    model = onnx.load(source)
    convolutions = [node for node in model.graph.node if node.op_type == "Conv"]
    known = {one.name: one for one in model.graph.initializer}
    weights, bias = known[convolutions[0].input[1]], convolutions[1].input[2]
    model.graph.initializer.remove(weights)
    model.graph.node.insert(0, onnx.helper.make_node("Constant", [], [weights.name], value=weights))
    model.graph.node.insert(0, onnx.helper.make_node("Identity", [bias], ["second_name"]))
    convolutions[1].input[2] = "second_name"
    onnx.save(model, source)
    quantised_bundle.quantise(source, out, faces(8, 1))
    graph = onnx.load(out).graph
    makers = {name: node.op_type for node in graph.node for name in node.output}
    given = [[makers.get(name) for name in node.input] for node in graph.node if node.op_type == "Conv"]

    assert given == [["DequantizeLinear"] * 3] * 2
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("dynamic", [False, True])
def test_a_network_that_others_quantised_is_refused(dynamic: bool, tmp_path: Path) -> None:
    source = any_networks.quantised(tmp_path / "float32.onnx", dynamic=dynamic)
    with pytest.raises(ModelError, match="8-bit integers already"):
        quantised_bundle.quantise(source, tmp_path / "model.onnx", faces(2, 1))


def test_a_network_of_one_dense_layer_is_refused(tmp_path: Path) -> None:
    source = make_bundle(tmp_path / "dense.onnx")
    with pytest.raises(ModelError, match="nothing to quantise"):
        quantised_bundle.quantise(source, tmp_path / "model.onnx", faces(2, 1))

    assert not (tmp_path / "model.onnx").exists()


def test_metadata_are_changed_and_taken_away(tmp_path: Path) -> None:
    path = make_bundle(tmp_path / "model.onnx", name="one", validation={"n": 3}, licence="MIT")
    quantised_bundle.describe(path, {"name": "two", "validation": None, "speed": 12.5})
    found = card(path)

    assert (found.name, found.validation, found.speed, found.licence) == ("two", {}, 12.5, "MIT")
