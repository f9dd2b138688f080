"""Hostile models through the commands: one line, the exit code of the model, nothing run and nothing written."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import onnx
import pytest
from conftest import CLASS_NAMES, Folder, make_bundle
from onnx import TensorProto, helper, numpy_helper
from typer.testing import Result

from labeler.errors import ModelError
from training.bundle import export

Run = Callable[..., Result]


@pytest.fixture(scope="module")
def loaded_weapon(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A `.keras` file whose Lambda layer writes a marker when it is called, and the marker."""
    folder = tmp_path_factory.mktemp("hostile")
    marker = folder / "marker"

    # A lambda, without defaults: only such code stands in the file itself.
    payload = eval(f"lambda pixels: (open({str(marker)!r}, 'w').close(), pixels)[1]")
    layers = [
        keras.layers.Input((64, 64, 3)),
        keras.layers.Lambda(payload, output_shape=(64, 64, 3)),
        keras.layers.Flatten(),
        keras.layers.Dense(3, "softmax"),
    ]
    keras.Sequential(layers).save(folder / "m.keras")
    export.name_classes(folder / "m.keras", CLASS_NAMES)
    marker.unlink(missing_ok=True)
    return folder / "m.keras", marker


def commands(model: Path, photos: Path, out: Path) -> dict[str, list[object]]:
    return {
        "classify": ["classify", photos, "--out", out / "t.csv", "--model", model, "--workers", 1, "-q"],
        "evaluate": ["evaluate", photos, "--model", model, "--workers", 1, "-q"],
        "audit": ["audit", photos, "--out", out / "a.csv", "--model", model, "--folds", 2, "-q"],
        "train": ["train", photos, "--from", model, "--out", out / "run"],
        "convert": ["models", "convert", model, "--out", out / "m.onnx"],
    }


@pytest.fixture
def photos(folder: Folder) -> Path:
    for name in CLASS_NAMES:
        for number in range(4):
            folder.noise(f"{name}/{number}.png", seed=10 * len(name) + number)
    return folder.path


def refused(result: Result, out: Path) -> str:
    """Return the one line of a command that refused a model and left nothing."""
    lines = [line for line in result.stderr.splitlines() if line.startswith("labeler: ")]

    assert (result.exit_code, len(lines)) == (ModelError.exit_code, 1), result.stderr
    assert "Traceback" not in result.output
    assert [path for path in out.rglob("*") if path.is_file()] == []
    return lines[0]


def test_the_weapon_works_where_it_is_not_refused(loaded_weapon: tuple[Path, Path]) -> None:
    path, marker = loaded_weapon
    keras.saving.load_model(path, compile=False, safe_mode=False)(np.zeros((1, 64, 64, 3), np.float32))

    assert marker.exists()
    marker.unlink()


@pytest.mark.parametrize("command", ["classify", "evaluate", "audit", "train", "convert"])
def test_a_keras_file_that_would_run_code_never_does(
    loaded_weapon: tuple[Path, Path], photos: Path, tmp_path: Path, run: Run, command: str
) -> None:
    path, marker = loaded_weapon
    out = tmp_path / "out"
    out.mkdir()
    line = refused(run(*commands(path, photos, out)[command]), out)

    assert "is refused: it holds keras.layers.Lambda" in line
    assert not marker.exists()


def network(path: Path, nodes: list[onnx.NodeProto], *weights: onnx.TensorProto, kind: int = TensorProto.FLOAT) -> Path:
    """Write a bundle that says what a bundle says, whatever its network does."""
    graph = helper.make_graph(
        nodes,
        "hostile",
        [helper.make_tensor_value_info("pixels", TensorProto.UINT8, ["batch", 64, 64, 3])],
        [helper.make_tensor_value_info("probabilities", kind, ["batch", 3])],
        list(weights),
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 15)], ir_version=8)
    helper.set_model_props(model, {"class_names": json.dumps(CLASS_NAMES)})
    path.write_bytes(model.SerializeToString())
    return path


def dense(number: float, *after: onnx.NodeProto) -> tuple[list[onnx.NodeProto], onnx.TensorProto]:
    nodes = [
        helper.make_node("Cast", ["pixels"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("Flatten", ["floats"], ["flat"]),
        helper.make_node("MatMul", ["flat", "weights"], ["logits" if after else "probabilities"]),
    ]
    return [*nodes, *after], numpy_helper.from_array(np.full((64 * 64 * 3, 3), number, np.float32), "weights")


SOFTMAX = helper.make_node("Softmax", ["logits"], ["probabilities"])
HOSTILE: dict[str, Callable[[Path], object]] = {
    "not a number": lambda path: network(path, *dense(float("nan"), SOFTMAX)),
    "logits": lambda path: network(path, *dense(0.5)),
    "negative": lambda path: network(path, *dense(-0.5)),
    "integers": lambda path: network(
        path,
        *dense(1, helper.make_node("Cast", ["logits"], ["probabilities"], to=TensorProto.INT64)),
        kind=TensorProto.INT64,
    ),
    "another shape than it says": lambda path: network(
        path,
        [helper.make_node("Identity", ["constant"], ["probabilities"])],
        numpy_helper.from_array(np.full((1, 3), 1 / 3, np.float32), "constant"),
    ),
    "an operator of its own": lambda path: network(
        path, [helper.make_node("Evil", ["pixels"], ["probabilities"], domain="evil")]
    ),
    "more classes than outputs": lambda path: export.describe(make_bundle(path), {"class_names": ["a", "b"]}),
    "pictures of 32 pixels": lambda path: make_bundle(path, side=32),
    "no temperature": lambda path: make_bundle(path, temperature=float("nan")),
    "negative temperature": lambda path: make_bundle(path, temperature=-1),
    "a block of nothing": lambda path: make_bundle(path, block=0),
    "nested figures": lambda path: make_bundle(path, validation="[" * 100_000),
    "a class with a line break": lambda path: make_bundle(path, ("a\nb", "happy", "sad")),
    "a class that commands a terminal": lambda path: make_bundle(path, ("\x1b]0;owned\x07", "happy", "sad")),
    "cut short": lambda path: path.write_bytes(make_bundle(path).read_bytes()[:50_000]),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_bundle_that_is_none_is_refused_with_one_line(name: str, photos: Path, tmp_path: Path, run: Run) -> None:
    out = tmp_path / "out"
    out.mkdir()
    HOSTILE[name](tmp_path / "m.onnx")
    line = refused(run(*commands(tmp_path / "m.onnx", photos, out)["classify"]), out)

    assert line.isprintable()


def test_classes_may_begin_as_a_formula_does(folder: Folder, tmp_path: Path, run: Run) -> None:
    import labeler

    names = ("=1+1", "+1", "'quoted")
    folder.noise("a.png", 1)
    make_bundle(tmp_path / "m.onnx", names)
    result = run("classify", folder.path, "--out", tmp_path / "t.csv", "--model", tmp_path / "m.onnx", "-q")

    assert result.exit_code == 0, result.output
    assert set(names) <= set(labeler.read(tmp_path / "t.csv").columns)
    assert labeler.read(tmp_path / "t.csv")["label"][0] in names


def test_ten_thousand_classes_are_no_problem(folder: Folder, tmp_path: Path, run: Run) -> None:
    names = tuple(f"class {number}" for number in range(10_000))
    one_pixel = helper.make_node("Slice", ["flat", "from", "to", "axis"], ["few"])
    nodes, _ = dense(0)
    weights = {"from": [0], "to": [1], "axis": [1]}
    nodes = [*nodes[:2], one_pixel, helper.make_node("MatMul", ["few", "w"], ["logits"]), SOFTMAX]
    constants = [numpy_helper.from_array(np.array(value, np.int64), key) for key, value in weights.items()]
    model = onnx.load(
        network(tmp_path / "m.onnx", nodes, *constants, numpy_helper.from_array(np.zeros((1, 10_000), np.float32), "w"))
    )
    model.graph.output[0].type.tensor_type.shape.dim[1].dim_value = len(names)
    helper.set_model_props(model, {"class_names": json.dumps(names)})
    onnx.save(model, tmp_path / "m.onnx")
    folder.noise("a.png", 1)
    result = run(
        "classify", folder.path, "--out", tmp_path / "t.csv", "--model", tmp_path / "m.onnx", "-q", "--workers", 1
    )

    assert result.exit_code == 0, result.output
