"""`train --from` of a network that cannot be rebuilt trains its last layer, says so, and writes a whole bundle."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from any_networks import convolutional, quantised, transformer
from PIL import Image
from typer.testing import Result

from labeler.inference.classifier import Classifier
from labeler.tables import reader
from training.adapt import head
from training.frozen import softmax

Run = Callable[..., Result]

pytestmark = pytest.mark.heavy

CLASSES, EACH = ("bare", "mask", "visor"), 30


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three classes of noise that differ in their colours."""
    folder = tmp_path_factory.mktemp("photos")
    random = np.random.default_rng(0)
    for label, name in enumerate(CLASSES):
        (folder / name).mkdir()
        for number in range(EACH):
            pixels = random.integers(0, 100, (70, 60, 3))
            pixels[..., label] += 120
            Image.fromarray(pixels.astype(np.uint8)).save(folder / name / f"{number}.png")
    return folder


@pytest.mark.parametrize("make", [convolutional, transformer, quantised])
def test_the_last_layer_of_an_added_network_is_trained(
    make: Callable[..., Path], photos: Path, run: Run, tmp_path: Path
) -> None:
    about = {"licence": "MIT", "crop_margin": 0.2, "resize": "fit", "face_threshold": 0.5, "weights": "int8"}
    model = make(tmp_path / "any.onnx", 96, 2, class_names=["cat", "dog"], **about)
    result = run("train", photos, "--from", model, "--out", tmp_path / "run", "--json", "--progress", "none")
    assert result.exit_code == 0, result.output
    card = Classifier(tmp_path / "run" / "model.onnx").card
    figures = json.loads((tmp_path / "run" / "metrics.json").read_text("utf-8"))
    assert run("classify", photos, "--out", tmp_path / "t.csv", "--model", tmp_path / "run", "-q").exit_code == 0
    rows = list(reader.read(tmp_path / "t.csv"))

    assert "only the last layer is trained" in result.stderr
    assert (card.class_names, card.input_size, card.crop_margin, card.resize) == (CLASSES, 96, 0.2, "fit")
    assert (card.licence, card.face_threshold) == ("MIT", None)
    assert card.training_data.startswith("any (its features, frozen), then ")
    assert sum(card.prior) == pytest.approx(1)
    assert card.validation["accuracy"] == figures["accuracy"] == json.loads(result.stdout)["accuracy"]
    assert figures["accuracy"] > figures["majority_baseline"] + 0.4
    assert figures["only_head"]
    assert np.mean([row.label == row.file.partition("/")[0] for row in rows]) > 0.8
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == ["confusion.png", "metrics.json", "model.onnx"]


def test_whole_photos_are_trained_on_and_the_card_says_how(run: Run, tmp_path: Path) -> None:
    """No detector finds a face in them."""
    random = np.random.default_rng(1)
    for label, name in enumerate(("blue", "red")):
        (tmp_path / "data" / name).mkdir(parents=True)
        for number in range(12):
            pixels = random.integers(0, 100, (150, 200, 3))
            pixels[..., 2 - 2 * label] += 120
            Image.fromarray(pixels.astype(np.uint8)).save(tmp_path / "data" / name / f"{number}.png")
    arguments = ("train", tmp_path / "data", "--from", convolutional(tmp_path / "any.onnx", 96), "--progress", "none")
    found = run(*arguments, "--out", tmp_path / "none")
    result = run(*arguments, "--out", tmp_path / "run", "--faces", "whole", "--resize", "crop")

    assert found.exit_code == 2
    assert result.exit_code == 0, result.output
    assert Classifier(tmp_path / "run" / "model.onnx").card.resize == "crop"


def test_options_of_all_layers_are_refused(photos: Path, run: Run, tmp_path: Path) -> None:
    model = convolutional(tmp_path / "any.onnx", 96)
    result = run("train", photos, "--from", model, "--out", tmp_path / "run", "--epochs", 3, "--no-augment")

    assert result.exit_code == 2
    assert "only the last layer of" in result.stderr
    assert "omit --epochs, --augment" in result.stderr
    assert not (tmp_path / "run").exists()


def test_a_model_with_the_same_classes_is_compared_with_what_it_was(photos: Path, run: Run, tmp_path: Path) -> None:
    model = convolutional(tmp_path / "any.onnx", 96, 3, class_names=CLASSES)
    result = run("train", photos, "--from", model, "--out", tmp_path / "run", "--progress", "none")

    assert result.exit_code == 0
    assert "before: accuracy" in result.stderr
    assert "a new last layer" in result.stderr


def test_an_image_of_twice_the_weight_counts_twice() -> None:
    """All of twice the weight, against a penalty of twice the strength, are what they were."""
    random = np.random.default_rng(0)
    features, targets = random.normal(size=(40, 5)), np.eye(3)[random.integers(0, 3, 40)]
    once = head.fit(np.ones((40, 3)), features, targets, 1.0)
    twice = head.fit(np.ones((40, 3)), features, 2 * targets, 2.0)
    stronger = head.fit(np.ones((40, 3)), features, targets, 2.0)

    assert np.allclose(once.kernel, twice.kernel, atol=1e-3)
    assert not np.allclose(once.kernel, stronger.kernel, atol=1e-2)


def test_the_strength_with_the_lowest_loss_is_chosen() -> None:
    random = np.random.default_rng(1)
    labels = random.integers(0, 2, 60)
    features = random.normal(size=(60, 50))
    features[:, 0] += 2 * labels
    chosen = softmax.choose(features[:30], np.eye(2)[labels[:30]], features[30:], labels[30:])
    losses = [one.loss for one in chosen.tried]

    assert len(losses) > 2
    assert chosen.strength == chosen.tried[int(np.argmin(losses))].strength
