"""Bundles: found, checked, and the same answer whatever the batch."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

import numpy as np
import pytest
from conftest import CLASS_NAMES, make_bundle

from labeler import classifier, models
from labeler.errors import ModelError


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
    network = classifier.Classifier(classifier.find(""))
    together = network.predict(pictures(100))
    apart = np.concatenate([network.predict(pictures(100)[at : at + size]) for at in range(0, 100, size)])

    assert (apart == together).all()


def test_no_pictures_give_no_probabilities(model: Path) -> None:
    assert classifier.Classifier(model).predict(pictures(0)).shape == (0, 3)


def test_the_card_comes_from_the_file_itself(tmp_path: Path) -> None:
    path = make_bundle(tmp_path / "m.onnx", name="mine", temperature=1.5, validation={"accuracy": 0.5}, licence="CC0")
    card = classifier.card(path)

    assert (card.name, card.class_names, card.temperature) == ("mine", CLASS_NAMES, 1.5)
    assert (card.validation, card.licence, card.sha256) == ({"accuracy": 0.5}, "CC0", models.sha256(path))


def test_a_model_without_class_names_is_refused_and_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"does not say what its classes are.*labeler models convert"):
        classifier.Classifier(make_bundle(tmp_path / "m.onnx", None))


@pytest.mark.parametrize("names", [("angry", "status", "sad"), ("a", "uncertain", "c"), ("a", "a", "b")])
def test_class_names_that_would_be_columns_or_stand_twice_are_refused(tmp_path: Path, names: tuple[str, ...]) -> None:
    with pytest.raises(ModelError, match="reserved or stand there twice"):
        classifier.Classifier(make_bundle(tmp_path / "m.onnx", names))


def test_another_input_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="not a labeler bundle"):
        classifier.Classifier(make_bundle(tmp_path / "m.onnx", side=32))


@pytest.mark.parametrize("suffix", [".onnx", ".keras"])
def test_a_file_that_is_no_model_is_refused(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"m{suffix}"
    path.write_bytes(b"no model")
    with pytest.raises(ModelError, match="is not a"):
        classifier.Classifier(path)


def test_a_keras_file_without_class_names_is_refused_without_loading_it(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "m.keras", "w") as archive:
        archive.writestr("config.json", "{}")
    with pytest.raises(ModelError, match="does not say what its classes are"):
        classifier.Classifier(tmp_path / "m.keras")


def test_a_model_is_found_by_name_by_file_and_by_run_directory(tmp_path: Path) -> None:
    path = make_bundle(tmp_path / "model.onnx")

    assert classifier.find("documented") == classifier.find("") == models.shipped(models.CLASSIFIER)["documented"]
    assert classifier.find(os.fspath(path)) == classifier.find(os.fspath(tmp_path)) == path


def test_a_missing_model_is_refused_with_the_names_of_those_that_ship() -> None:
    with pytest.raises(ModelError, match=r"no model 'nowhere'.*documented"):
        classifier.find("nowhere")
