"""A recalibration, and a function of the features, are built into networks of any kind."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import onnx
import pytest
from any_networks import convolutional, quantised, transformer
from numpy.typing import NDArray
from onnx import TensorProto, helper

from labeler.errors import ModelError
from labeler.inference import calibrated_bundle, embeddings
from labeler.inference.classifier import Classifier
from training.frozen import graph

SIDE, CLASSES = 96, 10
PIXELS = np.random.default_rng(2).integers(0, 256, (9, SIDE, SIDE, 3), dtype=np.uint8)

Make = Callable[..., Path]

KINDS = pytest.mark.parametrize(
    "make",
    [convolutional, transformer, quantised, partial(quantised, dynamic=True)],
    ids=["conv", "vit", "int8", "dyn"],
)


def softmax(logits: NDArray[np.floating]) -> NDArray[np.floating]:
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(shares / shares.sum(axis=1, keepdims=True))


def adapted(model: Path, out: Path) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    """Return what an adapted bundle answers, and what it should."""
    features = embeddings.network(model)(PIXELS)
    random = np.random.default_rng(3)
    kernel, offsets = random.normal(0, 0.3, (features.shape[1], CLASSES)), random.normal(0, 1, CLASSES)
    calibrated_bundle.write(model, out, 0.5, offsets.tolist(), 1e-6, {}, kernel)
    floored = np.maximum(Classifier(model).predict(PIXELS).round(6), 1e-6)
    return Classifier(out).predict(PIXELS), softmax(0.5 * np.log(floored) + offsets + features @ kernel)


@KINDS
def test_a_temperature_offsets_and_a_kernel_are_added(make: Make, tmp_path: Path) -> None:
    found, wanted = adapted(make(tmp_path / "any.onnx", SIDE, CLASSES), tmp_path / "model.onnx")

    assert np.abs(found - wanted).max() < 1e-4


@KINDS
def test_another_head_takes_the_place_of_the_old_one(make: Make, tmp_path: Path) -> None:
    source, out = make(tmp_path / "any.onnx", SIDE, CLASSES, licence="MIT", block=3), tmp_path / "model.onnx"
    features = embeddings.network(source)(PIXELS)
    random = np.random.default_rng(4)
    kernel, bias = random.normal(0, 0.3, (features.shape[1], 3)), random.normal(0, 1, 3)
    graph.with_head(source, out, kernel, bias, {"class_names": ["a", "b", "c"]})
    made = Classifier(out)

    assert np.abs(made.predict(PIXELS) - softmax(features @ kernel + bias)).max() < 1e-4
    assert (made.card.licence, made.card.input_size, made.card.block) == ("MIT", SIDE, 3)
    assert len(onnx.load(out).graph.initializer) < len(onnx.load(source).graph.initializer) + 3


def test_half_precision_and_probabilities_that_are_used_inside(tmp_path: Path) -> None:
    path = convolutional(tmp_path / "any.onnx", SIDE, CLASSES)
    model = onnx.load(path)
    nodes = model.graph.node
    product = [node for node in nodes if node.op_type == "MatMul"][-1]
    place, (features, weights), out = list(nodes).index(product), product.input, product.output[0]
    product.input[:], product.output[:] = ["half_features", "half_weights"], ["half_product"]
    nodes.insert(place, helper.make_node("Cast", [features], ["half_features"], to=TensorProto.FLOAT16))
    nodes.insert(place, helper.make_node("Cast", [weights], ["half_weights"], to=TensorProto.FLOAT16))
    nodes.insert(place + 3, helper.make_node("Cast", ["half_product"], [out], to=TensorProto.FLOAT))
    nodes.append(helper.make_node("ReduceMax", ["probabilities"], ["best"], axes=[1]))
    model.graph.output.append(helper.make_tensor_value_info("best", TensorProto.FLOAT, ["batch", 1]))
    onnx.checker.check_model(model)
    onnx.save(model, path)
    found, wanted = adapted(path, tmp_path / "model.onnx")

    assert np.abs(found - wanted).max() < 2e-3


def test_a_network_without_features_is_not_given_a_head(tmp_path: Path) -> None:
    path = convolutional(tmp_path / "any.onnx", SIDE)
    model = onnx.load(path)
    del model.graph.node[:], model.graph.initializer[:]
    model.graph.node.extend(
        [
            helper.make_node("Cast", ["pixels"], ["floats"], to=TensorProto.FLOAT),
            helper.make_node("ReduceMean", ["floats"], ["means"], axes=[1, 2], keepdims=0),
            helper.make_node("Softmax", ["means"], ["probabilities"]),
        ]
    )
    onnx.save(model, path)
    with pytest.raises(ModelError, match="gives no features: it has no dense layer at its end"):
        graph.with_head(path, tmp_path / "model.onnx", np.zeros((3, 3)), np.zeros(3), {})
