"""`labeler models add`: a network in, a bundle out, or one line that says why not."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import original_networks
import pytest
from conftest import ROOT
from original_networks import NAMES
from typer.testing import Result

from labeler.inference import bundle
from labeler.inference.classifier import Classifier

Run = Callable[..., Result]


@pytest.mark.parametrize("export", [original_networks.hugging_face, original_networks.timm])
def test_an_export_becomes_a_bundle_that_labels_photos(
    run: Run, tmp_path: Path, export: Callable[[Path], Path]
) -> None:
    added = run("models", "add", export(tmp_path / "export"), "--name", "mine", "--out", tmp_path / "models")
    labelled = run(
        "classify",
        ROOT / "examples" / "photos",
        "--out",
        tmp_path / "t.csv",
        "--model",
        tmp_path / "models" / "mine",
        "-q",
    )
    rows = (tmp_path / "t.csv").read_text("utf-8").splitlines()

    assert (added.exit_code, labelled.exit_code) == (0, 1), added.stderr  # Some of the examples are damaged.
    assert sum(row.split(",")[7] in NAMES for row in rows) >= 6
    assert "proved: the bundle and the original are" in added.stdout
    assert bundle.card(tmp_path / "models" / "mine" / "model.onnx").name == "mine"


def test_the_result_is_told_to_machines(run: Run, tmp_path: Path) -> None:
    path = original_networks.gray(tmp_path / "net.onnx")
    command = ["models", "add", path, "--class-names", "a,b,c", "--out", tmp_path / "mine.onnx", "--json"]
    told = json.loads(run(*command).stdout)

    assert told["made"]["path"] == str(tmp_path / "mine.onnx")
    assert told["made"]["difference"] <= 1e-4
    assert told["side"] == {"value": 48, "from": "graph"}
    assert told["scale"]["from"] == "guess"


def test_inspect_says_what_is_missing_and_writes_nothing(run: Run, tmp_path: Path) -> None:
    path = original_networks.gray(tmp_path / "net.onnx")
    result = run("models", "add", path, "--name", "mine", "--out", tmp_path / "models", "--inspect")

    assert (result.exit_code, "nothing was written" in result.stdout) == (0, True)
    assert "guess (--scale)" in result.stdout
    assert "default (--crop-margin)" in result.stdout
    assert "nowhere (--class-names)" in result.stdout
    assert list(tmp_path.iterdir()) == [path]


def test_options_say_what_the_files_do_not(run: Run, tmp_path: Path) -> None:
    path = original_networks.convolutional(tmp_path / "net.onnx", "any", planes="planes")
    (tmp_path / "names.txt").write_text("\n".join(NAMES) + "\n", "utf-8")
    command = f"--class-names {tmp_path}/names.txt --channels bgr --layout nchw --scale 1/127.5 --mean 1 --std 1,0.5,2"
    more = "--side 80 --logits --crop-margin 0.1 --resize fit --licence MIT --inspect --json"
    told = json.loads(run("models", "add", path, *command.split(), *more.split()).stdout)

    assert {name: fact["value"] for name, fact in told.items() if name not in ("network", "made", "scale")} == {
        "side": 80,
        "channels": "bgr",
        "layout": "nchw",
        "mean": [1.0],
        "std": [1.0, 0.5, 2.0],
        "logits": True,
        "class_names": list(NAMES),
        "crop_margin": 0.1,
        "resize": "fit",
        "crop_pct": 1.0,
        "licence": "MIT",
    }
    assert told["scale"] == {"value": pytest.approx(1 / 127.5), "from": "option"}


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        pytest.param("nowhere.onnx --name m --out o", 2, "there is no nowhere.onnx", id="no source"),
        pytest.param("nowhere.keras --name m --out o", 2, "there is no file nowhere.keras", id="no Keras file"),
        pytest.param("net.onnx --out o", 2, "give the bundle a --name", id="no name"),
        pytest.param("net.onnx --name ../m --out o", 2, "cannot be a bundle's name", id="a name that leads away"),
        pytest.param("net.onnx --name m --out o --mean 1,2", 2, "neither one number nor three", id="two numbers"),
        pytest.param("net.onnx --name m --out o --scale 1/0", 2, "--scale 1/0 is no number", id="no number"),
        pytest.param("net.onnx --out taken.onnx", 2, "taken.onnx exists already", id="taken"),
        pytest.param("net.onnx --name taken --out .", 2, "exists already", id="a taken name"),
        pytest.param("net.onnx --name m --out o", 4, "has no class names: give --class-names", id="no class names"),
        pytest.param("net.onnx --name m --out o --probabilities --class-names a,b", 4, "2 class names", id="two names"),
        pytest.param("taken.onnx --name m --out o", 4, "is not an ONNX model", id="no model"),
    ],
)
def test_what_cannot_be_added_is_told_in_one_line(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: str, code: int, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    original_networks.gray(tmp_path / "net.onnx")
    (tmp_path / "taken.onnx").write_bytes(b"precious")
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "model.onnx").write_bytes(b"precious")
    result = run("models", "add", *arguments.split())

    assert (result.exit_code, result.stderr.count("\n")) == (code, 1), result.stderr
    assert message in result.stderr
    assert (tmp_path / "taken.onnx").read_bytes() == b"precious"
    assert not (tmp_path / "o").exists()


def test_without_onnx_it_says_what_to_install(tmp_path: Path) -> None:
    original_networks.gray(tmp_path / "net.onnx")
    script = "import sys; sys.modules['onnx'] = None; from labeler.cli.app import app; app()"
    command = [sys.executable, "-c", script, "models", "add", "net.onnx", "--name", "mine", "--out", "models"]
    done = subprocess.run(command, cwd=tmp_path, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True)

    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "pip install 'labeler[models]'" in done.stderr


def test_without_out_it_goes_to_the_users_own_folder(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LABELER_MODELS", str(tmp_path / "own"))
    command = ["models", "add", original_networks.timm(tmp_path / "export"), "--name", "mine"]
    codes = [run(*command).exit_code, run("models", "show", "mine").exit_code, run(*command).exit_code]

    assert codes == [0, 0, 2]
    assert [path.name for path in (tmp_path / "own").rglob("*")] == ["mine", "model.onnx"]


def test_what_it_made_of_a_network_that_was_moved_still_works(run: Run, tmp_path: Path) -> None:
    export = original_networks.timm(tmp_path / "export")
    run("models", "add", export, "--out", tmp_path / "mine.onnx")
    shutil.rmtree(export)

    assert run("models", "show", tmp_path / "mine.onnx").exit_code == 0


@pytest.mark.usefixtures("tensorflow")
@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_a_keras_file_of_any_square_input_is_added(run: Run, tmp_path: Path, suffix: str) -> None:
    import keras

    layers = keras.layers
    network = keras.Sequential([layers.Input((48, 48, 1)), layers.Flatten(), layers.Dense(3, "softmax")])
    network.save(tmp_path / f"net{suffix}")
    command = ["models", "add", tmp_path / f"net{suffix}", "--class-names", "a,b,c", "--out", tmp_path / "mine.onnx"]
    result = run(*command, "--json")
    pixels = np.random.default_rng(0).integers(0, 256, (3, 48, 48, 3), dtype=np.uint8)
    grays = (pixels @ np.array([0.299, 0.587, 0.114]))[..., np.newaxis] / 255

    assert result.exit_code == 0, result.stderr
    assert np.allclose(
        Classifier(tmp_path / "mine.onnx").predict(pixels),
        network.predict_on_batch(grays.astype(np.float32)),
        atol=1e-5,
    )
    assert json.loads(result.stdout)["network"]["file"] == str(tmp_path / f"net{suffix}")
