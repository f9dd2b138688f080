"""A bundle may have its weights in float32 beside it: the device decides which of the two files labels."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import onnxruntime
import pytest
from conftest import CLASS_NAMES, Folder, make_bundle
from typer.testing import Result

from labeler import Labeler, pipeline
from labeler.cli import doctor, show_models
from labeler.errors import ModelError
from labeler.inference import bundle, session, weights
from labeler.records import Device, Settings
from labeler.tables import run_record

Run = Callable[..., Result]

no_cuda = pytest.mark.skipif(
    "CUDAExecutionProvider" in onnxruntime.get_available_providers(), reason="this ONNX Runtime has CUDA"
)


@pytest.fixture
def pair(tmp_path: Path) -> Path:
    """A bundle, and its weights in float32 beside it, which tell themselves apart by their answers here."""
    folder = tmp_path / "pair"
    folder.mkdir()
    make_bundle(folder / bundle.FLOAT32, name="pair", weights="float32", speed=460, seed=8)
    return make_bundle(folder / bundle.CLASSIFIER, name="pair", weights="int8", speed=2500.5)


def test_the_processor_labels_with_the_bundle_itself(pair: Path) -> None:
    assert weights.chosen(pair, Device.CPU) == (pair, Device.CPU)


@no_cuda
def test_without_cuda_auto_is_the_processor_and_the_bundle_itself(pair: Path) -> None:
    assert weights.chosen(pair, Device.AUTO) == (pair, Device.CPU)


@no_cuda
def test_cuda_that_does_not_work_is_refused_before_anything_is_labelled(folder: Folder, pair: Path) -> None:
    folder.noise("a.png", 1)
    with pytest.raises(ModelError, match="cannot use CUDA"):
        next(pipeline.label([folder.path], Settings(model=str(pair)), device=Device.CUDA))


@pytest.mark.parametrize("device", [Device.AUTO, Device.CUDA])
def test_on_cuda_the_file_in_float32_labels(pair: Path, monkeypatch: pytest.MonkeyPatch, device: Device) -> None:
    """What finds CUDA is replaced: it cannot be found where it is not."""
    monkeypatch.setattr(weights, "_may_have_cuda", lambda: True)
    monkeypatch.setattr(session, "device", lambda _: Device.CUDA)

    assert weights.chosen(pair, device) == (pair.with_name(bundle.FLOAT32), Device.CUDA)


def test_an_image_in_memory_is_labelled_by_the_same_file_as_one_on_disk(folder: Folder, pair: Path) -> None:
    path = folder.noise("a.png", 1)
    (of_table,) = pipeline.label([folder.path], Settings(model=str(pair.parent)), device=Device.CPU)
    ((in_memory,),) = Labeler(str(pair.parent))([path])
    (other,) = pipeline.label([folder.path], Settings(model=str(pair.with_name(bundle.FLOAT32))))

    assert of_table.probabilities == in_memory.probabilities != other.probabilities


@pytest.mark.parametrize("device", [Device.AUTO, Device.CUDA])
def test_a_bundle_of_one_file_labels_on_every_device_which_nobody_looks_for(model: Path, device: Device) -> None:
    assert weights.chosen(model, device) == (model, device)


def test_a_file_in_float32_of_another_network_is_refused(pair: Path) -> None:
    make_bundle(pair.with_name(bundle.FLOAT32), ("angry", "happy", "bored"))
    with pytest.raises(ModelError, match=r"float32\.onnx has other classes than .*model\.onnx"):
        bundle.float32(pair)


def test_a_table_says_which_file_labelled_and_is_not_continued_with_the_other(
    folder: Folder, pair: Path, tmp_path: Path, run: Run
) -> None:
    folder.noise("a.png", 1)
    out = tmp_path / "t.csv"
    command = ("classify", folder.path, "--out", out, "-q", "--device", "cpu", "--model")
    assert run(*command, pair.with_name(bundle.FLOAT32)).exit_code == 0
    record = run_record.read(out)
    other = run(*command, pair.parent)

    assert record is not None
    assert (record.model, record.model_file) == ("pair", "float32.onnx")
    assert record.model_sha256 == bundle.sha256(pair.with_name(bundle.FLOAT32))
    assert other.exit_code == 2
    assert f"the model was pair ({record.model_sha256[:12]}, its weights in float32), is pair (" in other.stderr


def test_the_record_names_the_file_of_the_bundle_too(folder: Folder, pair: Path, tmp_path: Path, run: Run) -> None:
    folder.noise("a.png", 1)
    assert run("classify", folder.path, "--out", tmp_path / "t.csv", "-q", "--model", pair.parent).exit_code == 0
    record = run_record.read(tmp_path / "t.csv")

    assert record is not None
    assert (record.model_file, record.model_sha256) == ("model.onnx", bundle.sha256(pair))


@pytest.mark.parametrize("file", [bundle.CLASSIFIER, bundle.FLOAT32])
def test_the_file_that_labelled_is_found_again(pair: Path, file: str) -> None:
    path = pair.with_name(file)

    assert bundle.that_labelled(str(pair.parent), bundle.sha256(path)) == path
    assert bundle.that_labelled(str(pair.parent), "0" * 64) is None


def test_no_bundle_is_written_beside_the_weights_of_another(
    folder: Folder, pair: Path, tmp_path: Path, run: Run
) -> None:
    """Else the new bundle and those weights would pass for one network."""
    folder.noise("a.png", 1)
    other, out = tmp_path / "other", tmp_path / "t.csv"
    other.mkdir()
    pair.with_name(bundle.FLOAT32).rename(other / bundle.FLOAT32)
    assert run("classify", folder.path, "--out", out, "-q", "--model", pair).exit_code == 0
    result = run("calibrate", out, "--out", tmp_path / "c.csv", "--model", pair, "--model-out", other)

    assert result.exit_code == 2
    assert "holds the weights of another model, float32.onnx; choose another --model-out" in result.stderr


@pytest.mark.parametrize("file", [bundle.CLASSIFIER, bundle.FLOAT32])
def test_both_files_of_a_shipped_bundle_are_checked(
    tmp_path: Path, pair: Path, monkeypatch: pytest.MonkeyPatch, file: str
) -> None:
    hashes = {f"pair/{path.name}": bundle.sha256(path) for path in pair.parent.iterdir()}
    monkeypatch.setattr(bundle, "folders", lambda: (tmp_path,))
    monkeypatch.setattr(bundle, "SHIPPED_SHA256", hashes)
    path = pair.with_name(file)
    assert bundle.card(path).name == "pair"
    make_bundle(path, name="other", seed=9)
    with pytest.raises(ModelError, match=rf"{file} is damaged: its SHA-256 is not that of the shipped pair"):
        bundle.card(path)


def test_doctor_misses_the_file_in_float32(pair: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hashes = {f"pair/{path.name}": bundle.sha256(path) for path in pair.parent.iterdir()}
    example = bundle.example()
    monkeypatch.setattr(bundle, "folders", lambda: (tmp_path,))
    monkeypatch.setattr(bundle, "example", lambda: example)
    monkeypatch.setattr(bundle, "SHIPPED_SHA256", hashes)
    monkeypatch.setattr(doctor, "_look", lambda _: [])
    whole = doctor.examine()
    pair.with_name(bundle.FLOAT32).unlink()
    torn = doctor.examine()

    assert {"model pair", "model pair, float32.onnx"} <= whole.found.keys()
    assert not [problem for problem in whole.problems if "missing" in problem]
    assert "the model pair, float32.onnx, is missing: install labeler again" in torn.problems


def test_the_list_shows_size_and_speed_of_both(pair: Path, capsys: pytest.CaptureFixture[str]) -> None:
    show_models.show_all([(bundle.card(pair), bundle.card(pair.with_name(bundle.FLOAT32)))])
    first, second = (line.split() for line in capsys.readouterr().out.splitlines()[1:3])

    assert first[:8] == ["pair", "int8", "?", "?", "?", "no", "0.1", "2,500"]
    assert second[:3] == ["float32", "0.1", "460"]


def test_a_card_shows_what_differs_in_float32(pair: Path, run: Run) -> None:
    shown = json.loads(run("models", "show", pair.parent, "--json").stdout)
    other = pair.with_name(bundle.FLOAT32)

    assert (shown["weights"], shown["speed"], shown["size"]) == ("int8", 2500.5, pair.stat().st_size)
    assert shown["float32"] == {
        "path": str(other),
        "sha256": bundle.sha256(other),
        "size": other.stat().st_size,
        "speed": 460,
    }
    assert "460 faces a second" in run("models", "show", pair.parent).stdout


def test_a_card_of_one_file_has_no_other(model: Path, run: Run) -> None:
    assert json.loads(run("models", "show", model, "--json").stdout)["float32"] is None


@pytest.mark.parametrize("speed", [0, -1, True, "1", None, [1]])
def test_a_speed_is_a_number_above_zero(tmp_path: Path, speed: object) -> None:
    path = make_bundle(tmp_path / "m.onnx", CLASS_NAMES, speed=json.dumps(speed))
    with pytest.raises(ModelError, match=r"its speed is .*, not a number above 0"):
        bundle.card(path)
