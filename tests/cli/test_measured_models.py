"""Bundles made faster, and models set side by side: what is written and printed, and what is refused."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import any_networks
import numpy as np
import pytest
from conftest import CLASS_NAMES, Folder, make_bundle
from PIL import Image
from typer.testing import Result

from labeler.cost import speed
from labeler.inference import bundle
from labeler.inference.classifier import Classifier
from labeler.labeling import Looker
from labeler.records import Settings, View

Run = Callable[..., Result]
NAMES = list(CLASS_NAMES)


@pytest.fixture(autouse=True)
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's own folder, which does not exist yet; what is timed here is of no interest."""
    monkeypatch.setattr(speed, "_RUN_S", 0.001)
    monkeypatch.setenv("LABELER_MODELS", str(tmp_path / "own"))
    return tmp_path / "own"


@pytest.fixture
def photos(folder: Folder) -> Path:
    """Twelve photos of coarse noise, four for each class, and one that is none."""
    for number in range(12):
        path = folder.noise(f"{NAMES[number % 3]}/{number}.png", seed=number, side=8)
        with Image.open(path) as image:
            image.resize((64, 64), Image.Resampling.NEAREST).save(path)
    folder.file(f"{NAMES[0]}/broken.png")
    return folder.path


@pytest.fixture
def network(tmp_path: Path) -> Path:
    return any_networks.convolutional(
        tmp_path / "plain.onnx", class_names=NAMES, name="plain", validation={"accuracy": 0.5}
    )


def test_a_quantised_bundle_has_its_own_name_and_figures(run: Run, photos: Path, network: Path, own: Path) -> None:
    done = run("models", "quantize", network, "--on", photos, "--images", "5", "--json", "-q")
    found, made = json.loads(done.stdout), bundle.card(own / "plain-int8" / "model.onnx")

    assert (found["calibrated"], found["n"]) in {(5, 7), (4, 8)}  # The broken one may be among either.
    assert (made.name, made.weights) == ("plain-int8", "int8")
    assert bundle.sha256(network) in made.source
    assert made.speed == pytest.approx(found["after"]["speed"], rel=0.01)
    assert made.validation["accuracy"] == found["after"]["accuracy"]
    assert made.validation["n"] == found["n"]
    assert json.loads(run("models", "show", "plain-int8", "--json").stdout)["sha256"] == made.sha256


def test_what_it_costs_is_measured_on_photos_that_it_was_not_calibrated_on(
    run: Run, photos: Path, network: Path, own: Path
) -> None:
    found = json.loads(run("models", "quantize", network, "--on", photos, "--images", "5", "--json", "-q").stdout)
    small, exact = Classifier(own / "plain-int8" / "model.onnx"), Classifier(network)
    looker = Looker(Settings(root=str(photos)), view=View())
    differences = {}
    for path in photos.glob("*/*.png"):
        if path.stem != "broken":
            crop = looker(path.relative_to(photos).as_posix()).faces[0][1][None]
            differences[path] = np.abs(small.predict(crop) - exact.predict(crop)).mean()

    assert min(differences.values()) <= found["difference"] <= max(differences.values())
    assert found["n"] < len(differences)


def test_without_known_classes_only_agreement_is_told(run: Run, folder: Folder, network: Path) -> None:
    for number in range(6):
        folder.noise(f"holiday/{number}.png", seed=number)
    done = run("models", "quantize", network, "--on", folder.path, "--name", "small")

    assert done.exit_code == 0
    assert "accuracy is not known: no folders of the model's classes" in done.stdout
    assert "the same label:" in done.stdout
    assert "use it with --model small" in done.stdout
    assert json.loads(run("models", "show", "small", "--json").stdout)["validation"] == {}


def test_a_bundle_is_never_overwritten(run: Run, photos: Path, network: Path, tmp_path: Path) -> None:
    command = ("models", "quantize", network, "--on", photos, "-q")
    assert run(*command).exit_code == 0
    before = (tmp_path / "own" / "plain-int8" / "model.onnx").read_bytes()
    again = run(*command)
    (tmp_path / "here").mkdir()
    shutil.copy(network, tmp_path / "here" / "float32.onnx")
    beside = run(*command, "--out", tmp_path / "here")

    assert (again.exit_code, beside.exit_code) == (2, 2)
    assert "exists" in again.stderr
    assert (tmp_path / "own" / "plain-int8" / "model.onnx").read_bytes() == before
    assert [path.name for path in (tmp_path / "here").iterdir()] == ["float32.onnx"]


def test_what_cannot_be_quantised_leaves_nothing_behind(run: Run, photos: Path, model: Path, own: Path) -> None:
    done = run("models", "quantize", model, "--on", photos, "--name", "small")

    assert (done.exit_code, own.exists()) == (4, False)
    assert "nothing to quantise" in done.stderr


def test_too_few_photos_are_refused(run: Run, folder: Folder, network: Path, own: Path) -> None:
    folder.noise("one.png", seed=1)
    done = run("models", "quantize", network, "--on", folder.path)

    assert (done.exit_code, own.exists()) == (3, False)


def test_models_are_compared_by_the_figures_that_evaluate_gives(
    run: Run, photos: Path, network: Path, tmp_path: Path
) -> None:
    """One of them takes another side, and has the classes in another order."""
    other = any_networks.transformer(tmp_path / "other.onnx", side=96, class_names=NAMES[::-1])
    done = run("models", "compare", network, other, "--on", photos, "--workers", "1", "--json", "-q")
    found = json.loads(done.stdout)

    assert (found["n"], found["left_out"]) == (12, 1)
    for one, path in zip(found["models"], (network, other), strict=True):
        alone = json.loads(run("evaluate", photos, "--model", path, "--workers", "1", "--json", "-q").stdout)
        assert one["accuracy"] == pytest.approx(alone["accuracy"])
        assert one["macro_f1"] == pytest.approx(alone["macro_f1"])
        assert one["ece"] == pytest.approx(alone["confidence"]["ece"])
        assert one["nll"] == pytest.approx(alone["confidence"]["nll"])
        assert one["speed"] > 0
    (pair,) = found["against_first"]
    rights = [round(12 * one["accuracy"]) for one in found["models"]]
    assert pair["test"]["only_b"] - pair["test"]["only_a"] == rights[1] - rights[0]
    assert pair["gain"]["interval"][0] <= pair["gain"]["value"] <= pair["gain"]["interval"][1]


def test_workers_change_no_figure(run: Run, photos: Path, network: Path, tmp_path: Path) -> None:
    other = any_networks.transformer(tmp_path / "other.onnx", side=96, class_names=NAMES)
    command = ("models", "compare", network, other, "--on", photos, "--json", "-q", "--workers")
    one, two = (json.loads(run(*command, workers).stdout) for workers in (1, 2))
    for found in (one, two):
        for each in found["models"]:
            del each["speed"]

    assert one == two


def test_a_table_can_be_the_truth(run: Run, photos: Path, network: Path, tmp_path: Path) -> None:
    other = any_networks.transformer(tmp_path / "other.onnx", class_names=NAMES)
    lines = [f"{path.relative_to(photos).as_posix()},{path.parent.name}" for path in sorted(photos.glob("*/?.png"))]
    (photos / "truth.csv").write_text("\n".join(["file,label", *lines, f"gone.png,{NAMES[0]}"]))
    command = ("models", "compare", network, other, "--on", photos, "--labels", photos / "truth.csv")
    found = json.loads(run(*command, "--workers", "1", "--json", "-q").stdout)

    assert (found["n"], found["missing"]) == (10, ["gone.png"])
    assert found["against"] == "the labels in truth.csv"


def test_the_comparison_fits_a_terminal_of_80_columns(run: Run, photos: Path, network: Path, tmp_path: Path) -> None:
    others = [
        make_bundle(tmp_path / f"{seed}.onnx", class_names=tuple(NAMES), seed=seed, name=str(seed)) for seed in range(3)
    ]
    done = run("models", "compare", network, *others, "--on", photos, "--workers", "1", "-q")
    tables = [line for line in done.stdout.splitlines() if line.startswith(("accuracy ", "macro", "log loss", "MB"))]

    assert done.exit_code == 0
    assert len(tables) == 8  # Two tables: three models, and one.
    assert max(map(len, tables)) <= 80


def test_whole_photos_can_be_compared(run: Run, folder: Folder, tmp_path: Path) -> None:
    """A photo is larger than a crop, and shows no face."""
    for number in range(4):
        folder.noise(f"{NAMES[number % 2]}/{number}.png", seed=number, side=200)
    models = [
        make(tmp_path / f"{make.__name__}.onnx", side=96, class_names=NAMES, resize=resize)
        for make, resize in ((any_networks.convolutional, "crop"), (any_networks.transformer, "fit"))
    ]
    command = ("models", "compare", *models, "--on", folder.path, "--workers", "1", "--json", "-q")
    whole = run(*command, "--faces", "whole", "--resize", "stretch")

    assert json.loads(whole.stdout)["n"] == 4
    assert run(*command).exit_code == 3


@pytest.mark.parametrize(
    ("names", "said"), [(["angry", "happy", "bored"], "other.onnx lacks sad;"), (NAMES, "two or more different models")]
)
def test_models_that_cannot_be_compared_are_refused(
    run: Run, photos: Path, network: Path, tmp_path: Path, names: list[str], said: str
) -> None:
    """Those of other classes, and a model beside itself."""
    other = any_networks.convolutional(tmp_path / "other.onnx", class_names=names)
    done = run("models", "compare", network if names != NAMES else other, other, "--on", photos, "-q")

    assert (done.exit_code, done.stderr.count("\n")) == (2, 1)
    assert said in done.stderr
