"""Bundles: found, and read without their network."""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from click.testing import Result
from conftest import CLASS_NAMES, make_bundle

from labeler.errors import ModelError
from labeler.inference import bundle, onnx_metadata


def test_what_ships_is_found_by_the_name_of_its_folder() -> None:
    assert "documented" in bundle.shipped(bundle.CLASSIFIER)
    assert list(bundle.shipped(bundle.DETECTOR)) == ["yunet"]


def test_the_card_comes_from_the_file_itself(tmp_path: Path) -> None:
    path = make_bundle(tmp_path / "m.onnx", name="mine", temperature=1.5, validation={"accuracy": 0.5}, licence="CC0")
    card = bundle.card(path)

    assert (card.name, card.class_names, card.temperature) == ("mine", CLASS_NAMES, 1.5)
    assert (card.validation, card.licence, card.sha256) == ({"accuracy": 0.5}, "CC0", bundle.sha256(path))


def test_a_model_without_class_names_is_refused_and_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"has no class names.*labeler models add"):
        bundle.card(make_bundle(tmp_path / "m.onnx", None))


@pytest.mark.parametrize("names", [("angry", "status", "sad"), ("a", "uncertain", "c"), ("a", "a", "b")])
def test_class_names_that_would_be_columns_or_stand_twice_are_refused(tmp_path: Path, names: tuple[str, ...]) -> None:
    with pytest.raises(ModelError, match="reserved or repeated"):
        bundle.card(make_bundle(tmp_path / "m.onnx", names))


def test_a_keras_file_without_class_names_is_refused_without_loading_it(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "m.keras", "w") as archive:
        archive.writestr("config.json", "{}")
    with pytest.raises(ModelError, match="has no class names"):
        bundle.card(tmp_path / "m.keras")


def test_a_model_is_found_by_name_by_file_and_by_run_directory(tmp_path: Path) -> None:
    path = make_bundle(tmp_path / "model.onnx")

    shipped = bundle.shipped(bundle.CLASSIFIER)
    assert (bundle.find("documented"), bundle.find("")) == (shipped["documented"], shipped["default"])
    assert bundle.find(os.fspath(path)) == bundle.find(os.fspath(tmp_path)) == path


def test_a_missing_model_is_refused_with_the_names_of_those_that_ship() -> None:
    with pytest.raises(ModelError, match=r"no model 'nowhere'.*documented"):
        bundle.find("nowhere")


def test_the_card_says_what_onnx_runtime_reads_from_the_file() -> None:
    path = bundle.find("documented")
    metadata = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"]).get_modelmeta()

    assert onnx_metadata.metadata(path) == metadata.custom_metadata_map


@pytest.mark.parametrize("length", [0, 1, 100, -1])
def test_a_bundle_that_is_cut_short_is_refused(tmp_path: Path, length: int) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(bundle.find("documented").read_bytes()[:length])
    with pytest.raises(ModelError, match="is not an ONNX model"):
        bundle.card(path)


def test_what_ships_is_what_was_packed() -> None:
    kinds = (bundle.CLASSIFIER, bundle.FLOAT32, bundle.DETECTOR)
    found = {f"{name}/{file}": path for file in kinds for name, path in bundle.shipped(file).items()}
    hashes = {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in found.items()}
    lines = "".join(f'    "{name}": "{digest}",\n' for name, digest in sorted(hashes.items()))

    assert hashes == bundle.SHIPPED_SHA256, f"in labeler/inference/bundle.py SHIPPED_SHA256 has to be\n{lines}"


@pytest.mark.parametrize(("name", "file"), [("documented", bundle.CLASSIFIER), ("yunet", bundle.DETECTOR)])
def test_a_shipped_bundle_that_is_damaged_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, file: str
) -> None:
    damaged = tmp_path / "models" / name / file
    damaged.parent.mkdir(parents=True)
    damaged.write_bytes(bundle.shipped(file)[name].read_bytes()[:-1] + b"\0")
    monkeypatch.setattr(bundle, "folders", lambda: (tmp_path / "models",))
    with pytest.raises(ModelError, match=rf"its SHA-256 is not that of the shipped {name}. Install labeler again"):
        bundle.card(bundle.find(name)) if file == bundle.CLASSIFIER else bundle.detector("")


@pytest.mark.parametrize("temperature", [float("nan"), float("inf"), 0, -1, True, "1", None, [1]])
def test_a_temperature_is_a_number_above_zero(tmp_path: Path, temperature: object) -> None:
    path = make_bundle(tmp_path / "m.onnx", temperature=json.dumps(temperature))
    with pytest.raises(ModelError, match=r"its temperature is .*, not a number above 0"):
        bundle.card(path)


@pytest.mark.parametrize("threshold", [float("nan"), -0.1, 1.1, True, "1", None, [1]])
def test_a_threshold_for_faces_is_a_number_from_0_to_1(tmp_path: Path, threshold: object) -> None:
    path = make_bundle(tmp_path / "m.onnx", face_threshold=json.dumps(threshold))
    with pytest.raises(ModelError, match=r"its face_threshold is .*, not a number from 0 to 1"):
        bundle.card(path)


@pytest.mark.parametrize("name", ["two\nlines", " ", "\u200b", "\x1b[2J", "nul\0", "\u2028", "/added", "x" * 201])
def test_class_names_that_no_line_holds_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ModelError, match="blank, longer than 200 characters, or not on one line"):
        bundle.card(make_bundle(tmp_path / "m.onnx", (name, "happy", "sad")))


def test_too_many_classes_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    model = onnx.load(make_bundle(path))
    onnx.helper.set_model_props(model, {"class_names": json.dumps([f"class {number}" for number in range(10_001)])})
    onnx.save(model, path)
    with pytest.raises(ModelError, match="has 10,001 classes; the limit is 10,000"):
        bundle.card(path)


def test_what_a_card_says_commands_no_terminal(tmp_path: Path) -> None:
    card = bundle.card(make_bundle(tmp_path / "m.onnx", name="\x1b[2Jmine", licence="\x07free", training_data="a\nb"))

    assert (card.name, card.licence, card.training_data) == ("\\x1b[2Jmine", "\\x07free", "a")


@pytest.mark.parametrize(("given", "meant"), [("documentd", "documented"), ("defualt", "default")])
def test_a_name_that_is_nearly_right_is_corrected(given: str, meant: str) -> None:
    with pytest.raises(ModelError, match=f"did you mean {meant}"):
        bundle.find(given)


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("input_size", "0", "takes images of side 0; labeler gives 16 to 640 pixels"),
        ("input_size", "15", "takes images of side 15; "),
        ("input_size", "641", "takes images of side 641; "),
        ("input_size", '"x"', "takes images of side x; "),
        ("input_size", "64.0", "takes images of side 64.0; "),
        ("input_size", "true", "takes images of side True; "),
        ("crop_margin", "-1", "its crop_margin is -1, not 0 to 2"),
        ("crop_margin", "2.1", "its crop_margin is 2.1, not 0 to 2"),
        ("crop_pct", "0", "its crop_pct is 0, not a number above 0, at most 1"),
        ("crop_pct", "NaN", "its crop_pct is nan, not a number above 0, at most 1"),
        ("resize", "x", "its resize is x, none of stretch, fit, crop"),
    ],
)
def test_a_view_that_cannot_be_is_refused_in_one_line(
    tmp_path: Path, run: Callable[..., Result], key: str, value: str, said: str
) -> None:
    refused = run("models", "show", make_bundle(tmp_path / "m.onnx", **{key: value}))

    assert refused.exit_code == 4
    assert said in refused.stderr
    assert len(refused.stderr.splitlines()) == 1


def large(path: Path, more: int, **card: object) -> Path:
    """Make a bundle that has some more bytes in weights which nothing uses."""
    model = onnx.load(make_bundle(path, **card))  # type: ignore[arg-type]
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.zeros(more, np.uint8), "unused"))
    onnx.save(model, path)
    return path


@pytest.mark.parametrize(("side", "more", "block"), [(16, 0, 8), (64, 0, 8), (64, 1 << 25, 1), (65, 0, 1), (640, 0, 1)])
def test_a_large_network_is_run_with_one_image_at_a_time_unless_it_says_otherwise(
    tmp_path: Path, side: int, more: int, block: int
) -> None:
    assert bundle.card(large(tmp_path / "m.onnx", more, input_size=side)).block == block
    assert bundle.card(large(tmp_path / "m.onnx", more, input_size=side, block=5)).block == 5


def test_the_file_of_a_bundle_is_hashed_only_where_that_is_wanted_or_it_ships(tmp_path: Path) -> None:
    path = make_bundle(tmp_path / "m.onnx")

    assert bundle.card(path, hashed=False) == replace(bundle.card(path), sha256="")
    assert bundle.card(bundle.find(""), hashed=False).sha256 == bundle.SHIPPED_SHA256["default/model.onnx"]
