"""A network becomes a bundle that says what the network said of the images that its files describe."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import original_networks
import pytest
from onnx import TensorProto, helper, numpy_helper
from original_networks import NAMES

from labeler.adding import add, graph, preprocessing, proof
from labeler.adding.add import Understood
from labeler.adding.said import Channels, Layout, Origin, Said
from labeler.errors import LabelerError, ModelError
from labeler.inference import bundle
from labeler.inference.classifier import Classifier
from labeler.records import Resize

NAMED = Said(class_names=NAMES)


def understood(source: Path, options: Said = NAMED) -> Understood:
    return add.understand(source, add.find(source), options)


def made(source: Path, options: Said = NAMED) -> Classifier:
    out = source.parent / "made" / "model.onnx"
    add.add(understood(source, options), "mine", out)
    return Classifier(out)


def images(side: int, count: int = 5) -> np.ndarray[Any, Any]:
    return np.random.default_rng(3).integers(0, 256, (count, side, side, 3), dtype=np.uint8)


def original(path: Path, prepared: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    session = onnxruntime.InferenceSession(path)
    runs = [session.run(None, {"images": one[np.newaxis].astype(np.float32)})[0] for one in prepared]
    return np.concatenate(runs)


def softmax(logits: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def test_a_convolutional_network_gets_its_scale_mean_deviation_layout_and_softmax(tmp_path: Path) -> None:
    path = original_networks.convolutional(tmp_path / "net.onnx", 96)
    mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    classifier = made(path, Said(class_names=NAMES, mean=mean, std=std))
    pixels = images(96)
    planes = ((pixels / 255 - mean) / std).transpose(0, 3, 1, 2)

    assert np.allclose(classifier.predict(pixels), softmax(original(path, planes)), atol=1e-5)
    assert np.ptp(classifier.predict(pixels), axis=0).max() > 1e-4


@pytest.mark.parametrize("opset", [11, 17])
def test_a_network_for_gray_images_gets_gray_ones(tmp_path: Path, opset: int) -> None:
    path = original_networks.gray(tmp_path / "net.onnx", 48, opset=opset)
    classifier = made(path)
    pixels = images(48)
    grays = (pixels @ np.array([0.299, 0.587, 0.114]))[..., np.newaxis] / 255

    assert np.allclose(classifier.predict(pixels), original(path, grays), atol=1e-5)
    assert (classifier.card.input_size, classifier.block) == (48, bundle.BLOCK)


def test_the_order_and_the_range_of_opencv_and_tensorflow_can_be_had(tmp_path: Path) -> None:
    path = original_networks.convolutional(tmp_path / "net.onnx", 64)
    options = Said(class_names=NAMES, channels=Channels.BGR, scale=1 / 127.5, mean=(1.0,))
    pixels = images(64)
    planes = (pixels[..., ::-1] / 127.5 - 1).transpose(0, 3, 1, 2)

    assert np.allclose(made(path, options).predict(pixels), softmax(original(path, planes)), atol=1e-5)


def test_a_transformer_of_a_fixed_batch_takes_any(tmp_path: Path) -> None:
    path = original_networks.transformer(tmp_path / "net.onnx", 32, batch=1)
    classifier = made(path)
    pixels = images(32, 3)
    session = onnxruntime.InferenceSession(classifier.card.path)
    (together,) = session.run(None, {session.get_inputs()[0].name: pixels})

    assert np.allclose(together, original(path, pixels.transpose(0, 3, 1, 2) / 255), atol=1e-5)


def test_a_fixed_batch_that_cannot_be_made_free_is_the_block(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Conv", ["images", "kernel"], ["features"], strides=[8, 8]),
        helper.make_node("Add", ["features", "positions"], ["placed"]),  # Of two images, each with its own.
        helper.make_node("Flatten", ["placed"], ["flat"]),
        helper.make_node("MatMul", ["flat", "head"], ["scores"]),
    ]
    constants = {
        "kernel": original_networks.weights(2, 3, 8, 8),
        "positions": np.zeros((2, 2, 4, 4), np.float32),
        "head": original_networks.weights(32, 3),
    }
    path = tmp_path / "net.onnx"
    original_networks.saved(path, nodes, [2, 3, 32, 32], constants, outputs={"scores": [2, 3]})
    classifier = made(path)
    pixels = images(32, 5)

    assert (classifier.card.block, classifier.block) == (2, 2)
    assert np.array_equal(classifier.predict(pixels)[4:], classifier.predict(pixels[4:]))


def quantised(path: Path, batch: int | str) -> Path:
    """Write a network whose numbers get one scale for all images of a run."""
    nodes = [
        helper.make_node("Flatten", ["images"], ["flat"]),
        helper.make_node("DynamicQuantizeLinear", ["flat"], ["small", "step", "zero"]),
        helper.make_node("MatMulInteger", ["small", "head", "zero"], ["sums"]),
        helper.make_node("Cast", ["sums"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["floats", "step"], ["raw"]),
        helper.make_node("Mul", ["raw", "less"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["scores"], axis=-1),
    ]
    head = np.random.default_rng(0).integers(-99, 99, (32 * 32 * 3, 3)).astype(np.int8)
    constants = {"head": head, "less": np.float32(1e-4)}
    return original_networks.saved(path, nodes, [batch, 32, 32, 3], constants, outputs={"scores": [batch, 3]})


def test_a_block_in_which_one_image_changes_the_answer_for_another_is_not_used(tmp_path: Path) -> None:
    classifier = made(quantised(tmp_path / "net.onnx", "batch"))
    dark, bright = images(32, 1) // 9, images(32, 1)

    assert (classifier.card.block, classifier.card.weights) == (1, bundle.INT8)
    assert np.array_equal(classifier.predict(np.concatenate([bright, dark]))[1:], classifier.predict(dark))


def test_a_fixed_batch_whose_images_change_each_others_answers_is_refused(tmp_path: Path) -> None:
    found = understood(quantised(tmp_path / "net.onnx", 2))
    with pytest.raises(ModelError, match="takes 2 images at once, and its answer for one depends on the others"):
        add.add(found, "mine", tmp_path / "mine" / "model.onnx")

    assert [one.name for one in tmp_path.iterdir()] == ["net.onnx"]


@pytest.mark.parametrize("logits", [True, False])
def test_one_probability_or_logit_becomes_those_of_two_classes(tmp_path: Path, logits: bool) -> None:
    nodes = [
        helper.make_node("Flatten", ["images"], ["flat"]),
        helper.make_node("MatMul", ["flat", "head"], ["raw"]),
        helper.make_node("Identity" if logits else "Sigmoid", ["raw"], ["scores"]),
    ]
    path = tmp_path / "net.onnx"
    head = {"head": original_networks.weights(1, 32 * 32 * 3).T * 9}
    original_networks.saved(path, nodes, ["batch", 32, 32, 3], head, outputs={"scores": ["batch", 1]})
    found = made(path, Said(class_names=("mask", "no mask"))).predict(images(32))
    given = original(path, images(32) / 255)
    second = 1 / (1 + np.exp(-given)) if logits else given

    assert np.allclose(found, np.hstack([1 - second, second]), atol=1e-5)


def test_a_network_in_half_precision_gets_it(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Flatten", ["images"], ["flat"]),
        helper.make_node("MatMul", ["flat", "head"], ["half"]),
        helper.make_node("Softmax", ["half"], ["scores"], axis=-1),
    ]
    path = tmp_path / "net.onnx"
    head = {"head": original_networks.weights(32 * 32 * 3, 3).astype(np.float16)}
    original_networks.saved(path, nodes, ["batch", 32, 32, 3], head, kind=TensorProto.FLOAT16)
    network = onnx.load(path)
    network.graph.output[0].type.tensor_type.elem_type = TensorProto.FLOAT16
    onnx.save(network, path)
    classifier = made(path)

    assert classifier.card.weights == "float16"
    assert classifier.predict(images(32)).dtype == np.float32


def test_a_network_for_whole_numbers_gets_them_unscaled(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Cast", ["images"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("Flatten", ["floats"], ["flat"]),
        helper.make_node("MatMul", ["flat", "head"], ["scores"]),
    ]
    path = tmp_path / "net.onnx"
    head = {"head": original_networks.weights(32 * 32 * 3, 3) / 255}
    original_networks.saved(path, nodes, ["batch", 32, 32, 3], head, kind=TensorProto.UINT8)
    (logits,) = onnxruntime.InferenceSession(path).run(None, {"images": images(32)})

    assert np.allclose(made(path).predict(images(32)), softmax(logits), atol=1e-5)


def test_of_several_outputs_the_one_with_a_number_for_each_class_is_taken(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Flatten", ["images"], ["features"]),
        helper.make_node("MatMul", ["features", "head"], ["probabilities"]),  # Its logits have the bundle's name.
    ]
    path = tmp_path / "net.onnx"
    outputs: dict[str, list[int | str | None]] = {"features": ["batch", 3072], "probabilities": ["batch", 3]}
    head = {"head": original_networks.weights(3072, 3)}
    original_networks.saved(path, nodes, ["batch", 32, 32, 3], head, outputs=outputs)
    session = onnxruntime.InferenceSession(path)
    (logits,) = session.run(["probabilities"], {"images": (images(32) / 255).astype(np.float32)})

    assert np.allclose(made(path).predict(images(32)), softmax(logits), atol=1e-5)


def test_the_card_says_what_it_was_made_of(tmp_path: Path) -> None:
    path = original_networks.convolutional(tmp_path / "net.onnx", 96)
    options = Said(class_names=NAMES, crop_margin=0.2, resize=Resize.FIT, licence="MIT")
    card = made(path, options).card

    assert (card.name, card.class_names, card.view) == ("mine", NAMES, (96, 0.2, Resize.FIT, 1.0))
    assert (card.licence, card.weights, card.block) == ("MIT", "float32", 1)
    assert card.source == f"net.onnx, sha256 {bundle.sha256(path)}"


def test_each_fact_is_told_with_its_origin(tmp_path: Path) -> None:
    path = original_networks.convolutional(tmp_path / "net.onnx", 96)
    facts = understood(path, Said(class_names=NAMES, mean=(0.5,))).as_json()
    origins = {name: facts[name]["from"] for name in ("mean", "std", "side", "layout", "logits", "class_names")}

    assert origins == {
        "mean": Origin.OPTION,
        "std": Origin.GUESS,
        "side": Origin.GRAPH,
        "layout": Origin.GRAPH,
        "logits": Origin.GUESS,
        "class_names": Origin.OPTION,
    }


def test_layout_and_side_can_be_given_where_the_graph_is_silent(tmp_path: Path) -> None:
    path = original_networks.convolutional(tmp_path / "net.onnx", "any", planes="planes")
    classifier = made(path, Said(class_names=NAMES, side=80, layout=Layout.NCHW))

    assert classifier.card.input_size == 80


def test_an_existing_file_is_never_overwritten(tmp_path: Path) -> None:
    path = original_networks.gray(tmp_path / "net.onnx")
    (tmp_path / "made.onnx").write_bytes(b"precious")
    with pytest.raises(LabelerError, match="exists already"):
        add.add(understood(path), "mine", tmp_path / "made.onnx")

    assert (tmp_path / "made.onnx").read_bytes() == b"precious"


@pytest.mark.parametrize(
    ("change", "step"),
    [
        ({"channels": Channels.BGR}, "order"),
        ({"scale": 1 / 127.5}, "scale"),
        ({"mean": (0.4,)}, "normalise"),
        ({"std": (0.5, 0.5, 0.6)}, "normalise"),
    ],
)
def test_a_bundle_that_differs_is_refused_with_the_step_that_does(
    tmp_path: Path, change: dict[str, Any], step: str
) -> None:
    found = understood(original_networks.convolutional(tmp_path / "net.onnx", 64), NAMED)
    wrong = preprocessing.bundled(found.network, replace(found.recipe, **change), found.output, 3, batch=None)
    onnx.helper.set_model_props(wrong, {"class_names": '["angry", "happy", "sad"]', "input_size": "64"})
    onnx.save(wrong, tmp_path / "wrong.onnx")
    with pytest.raises(ModelError, match=f"differs .* first in the step '{step}'"):
        proof.check(tmp_path / "wrong.onnx", found.network, found.recipe, found.expected, found.crops)


def test_a_network_that_differs_itself_is_called_so(tmp_path: Path) -> None:
    path = original_networks.convolutional(tmp_path / "net.onnx", 64)
    found = understood(path)
    for tensor in found.network.model.graph.initializer:
        if tensor.name == "head":
            tensor.CopyFrom(numpy_helper.from_array(original_networks.weights(8, 3, seed=9) * 8, "head"))
    with pytest.raises(ModelError, match="first in the step 'network'"):
        add.add(found, "mine", tmp_path / "mine" / "model.onnx")

    assert sorted(one.name for one in tmp_path.iterdir()) == ["net.onnx"]


def test_a_bundle_is_not_made_once_more(model: Path) -> None:
    with pytest.raises(LabelerError, match="a bundle: use it with --model"):
        graph.load(model)
