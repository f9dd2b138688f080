"""Bundles: found, checked, and the same answer whatever the batch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from conftest import make_bundle
from onnx import TensorProto, helper

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


FULL_DEVICE = RuntimeError("BFCArena::AllocateRawInternal: Failed to allocate memory for requested buffer of size 1")
FULL_MACHINE = MemoryError("Unable to allocate 300. MiB for an array with shape (256, 640, 640, 3) and data type uint8")


class ShortOfMemory:
    """A network that can take only so many pictures, and says so as ONNX Runtime on a full device does, or NumPy."""

    def __init__(self, network: classifier.Network, most: int, raised: Exception = FULL_DEVICE) -> None:
        self.network = network
        self.most = most
        self.raised = raised

    def __call__(self, pixels: np.ndarray) -> np.ndarray:
        if len(pixels) > self.most:
            raise self.raised
        return self.network(pixels)


@pytest.mark.parametrize("raised", [FULL_DEVICE, FULL_MACHINE], ids=["device", "machine"])
def test_when_memory_is_short_the_batch_is_halved_and_the_run_goes_on(model: Path, raised: Exception) -> None:
    network = classifier.Classifier(model)
    expected = network.predict(pictures(20))
    network._network = ShortOfMemory(network._network, 3, raised)

    assert network.predict(pictures(20)) == pytest.approx(expected, abs=1e-6)
    assert network.block == 2


def test_when_not_even_one_picture_fits_the_error_shows(model: Path) -> None:
    network = classifier.Classifier(model)
    network._network = ShortOfMemory(network._network, most=0)
    with pytest.raises(ModelError, match=r"cannot be run: .*Failed to allocate"):
        network.predict(pictures(1))


def spoilt(path: Path, operator: str, shape: list[object]) -> Path:
    """Make a bundle whose output `face` comes from another operator on the brightness of the image."""
    model = onnx.load(make_bundle(path, face=True, face_threshold=0.5))
    last = next(node for node in model.graph.node if "face" in node.output)
    last.CopyFrom(helper.make_node(operator, ["bright"], ["face"]))
    model.graph.output[1].CopyFrom(helper.make_tensor_value_info("face", TensorProto.FLOAT, shape))
    onnx.save(model, path)
    return path


@pytest.mark.parametrize("count", [0, 1, 8, 20])
def test_the_second_output_says_how_likely_there_is_a_face(tmp_path: Path, count: int) -> None:
    network = classifier.Classifier(make_bundle(tmp_path / "m.onnx", face=True, face_threshold=0.5))
    answer = network.answer(pictures(count))

    assert answer.faces is not None
    np.testing.assert_allclose(answer.faces, pictures(count).mean(axis=(1, 2, 3)) / 255, atol=1e-5)
    assert answer.faces.shape == (count,)


def test_the_second_output_changes_no_probability(model: Path, tmp_path: Path) -> None:
    network = classifier.Classifier(make_bundle(tmp_path / "m.onnx", face=True, face_threshold=0.5))

    assert (network.predict(pictures(20)) == classifier.Classifier(model).predict(pictures(20))).all()


@pytest.mark.parametrize("about", [{"face": True}, {"face_threshold": 0.5}])
def test_without_a_threshold_or_the_output_a_model_knows_no_faces(tmp_path: Path, about: dict[str, object]) -> None:
    network = classifier.Classifier(make_bundle(tmp_path / "m.onnx", **about))  # type: ignore[arg-type]

    assert not network.knows_faces
    assert network.answer(pictures(3)).faces is None


def test_the_outputs_are_found_by_their_names(model: Path, tmp_path: Path) -> None:
    path = make_bundle(tmp_path / "m.onnx", face=True, face_threshold=0.5)
    turned = onnx.load(path)
    ends = list(turned.graph.output)[::-1]
    del turned.graph.output[:]
    turned.graph.output.extend(ends)
    onnx.save(turned, path)
    answer = classifier.Classifier(path).answer(pictures(5))

    assert (answer.probabilities == classifier.Classifier(model).predict(pictures(5))).all()
    assert answer.faces is not None


def test_a_face_output_that_is_flat_is_taken_as_well(tmp_path: Path) -> None:
    flat = spoilt(tmp_path / "m.onnx", "ReduceMean", ["batch"])
    model = onnx.load(flat)
    last = next(node for node in model.graph.node if "face" in node.output)
    last.attribute.extend([helper.make_attribute("axes", [1]), helper.make_attribute("keepdims", 0)])
    onnx.save(model, flat)
    faces = classifier.Classifier(flat).answer(pictures(20)).faces

    assert faces is not None
    np.testing.assert_allclose(faces, pictures(20).mean(axis=(1, 2, 3)) / 255, atol=1e-5)


@pytest.mark.parametrize("operator", ["Neg", "Exp", "Log"])
def test_numbers_for_a_face_that_are_no_probabilities_are_refused(tmp_path: Path, operator: str) -> None:
    network = classifier.Classifier(spoilt(tmp_path / "m.onnx", operator, ["batch", 1]))
    with pytest.raises(ModelError, match=r"'face' that are not probabilities: .* End that output with a sigmoid"):
        network.answer(np.zeros((1, 64, 64, 3), np.uint8) if operator == "Log" else pictures(1))


def test_a_face_output_of_another_shape_is_refused(tmp_path: Path) -> None:
    model = onnx.load(make_bundle(tmp_path / "m.onnx", face=True, face_threshold=0.5))
    for node in model.graph.node:
        node.output[:] = ["face" if name == "scaled" else name for name in node.output if name != "face"] or ["unused"]
        node.input[:] = ["face" if name == "scaled" else name for name in node.input]
    model.graph.output[1].CopyFrom(helper.make_tensor_value_info("face", TensorProto.FLOAT, ["batch", 64, 64, 3]))
    onnx.save(model, tmp_path / "m.onnx")
    with pytest.raises(ModelError, match=r"its output 'face' is tensor\(float\) \[64, 64, 3\]; expected .* \[1\]"):
        classifier.Classifier(tmp_path / "m.onnx")


def test_short_of_memory_both_outputs_are_computed_in_smaller_blocks(tmp_path: Path) -> None:
    network = classifier.Classifier(make_bundle(tmp_path / "m.onnx", face=True, face_threshold=0.5))
    expected = network.answer(pictures(20))
    network._network = ShortOfMemory(network._network, most=3)
    found = network.answer(pictures(20))

    assert found.probabilities == pytest.approx(expected.probabilities, abs=1e-6)
    assert found.faces == pytest.approx(expected.faces, abs=1e-6)
