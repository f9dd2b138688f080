"""A Keras file becomes an ONNX network that answers the same, or one line says why not; it never runs code."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import onnx
import pytest

from labeler.errors import LabelerError, ModelError
from labeler.inference import session
from training.bundle import export, keras_source

layers = keras.layers


def answers(path: Path, pixels: np.ndarray) -> np.ndarray:
    """Return what an ONNX network answers."""
    running = session.load(path)
    return running.run(None, {running.get_inputs()[0].name: pixels})[0]


def network(*shape: int | None, classes: int = 3, first: list[Any] | None = None) -> keras.Model:
    """Return a small convolutional network with logits."""
    keras.utils.set_random_seed(0)
    body = [layers.Conv2D(4, 3, 2, activation="relu"), layers.GlobalAveragePooling2D(), layers.Dense(classes)]
    return keras.Sequential([layers.Input(shape), *(first or []), *body])


@pytest.fixture(scope="module")
def gray() -> keras.Model:
    return network(48, 48, 1, first=[layers.DepthwiseConv2D(3), layers.BatchNormalization()])


@pytest.fixture(scope="module")
def old(gray: keras.Model, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file as Keras 2 wrote it, of another side, with a key that Keras 3 no longer knows."""
    path = tmp_path_factory.mktemp("old") / "old.hdf5"
    gray.save(path)
    with h5py.File(path, "r+") as file:
        config = json.loads(file.attrs["model_config"])
        for layer in config["config"]["layers"]:
            if layer["class_name"] == "DepthwiseConv2D":
                layer["config"]["groups"] = 1
        file.attrs["model_config"] = json.dumps(config)
        file.attrs["keras_version"] = "2.9.0"
    return path


@pytest.fixture
def copied(old: Path, tmp_path: Path) -> Path:
    path = tmp_path / "copied.h5"
    path.write_bytes(old.read_bytes())
    return path


def test_an_old_gray_file_becomes_a_network_that_answers_the_same(gray: keras.Model, old: Path, tmp_path: Path) -> None:
    said = keras_source.write(old, tmp_path / "plain.onnx")
    pixels = np.random.default_rng(1).random((5, 48, 48, 1), np.float32)

    assert said == {"side": 48, "channels": 1, "rescales": False}
    assert np.abs(answers(tmp_path / "plain.onnx", pixels) - gray(pixels)).max() <= 1e-5


def test_a_keras_file_tells_its_classes_and_that_it_scales(tmp_path: Path) -> None:
    inner = network(20, 20, 3, first=[layers.RandomFlip(), layers.Rescaling(1 / 255)])
    pixels = layers.Input((20, 20, 3), dtype="uint8")
    keras.Model(pixels, layers.Softmax()(inner(pixels))).save(tmp_path / "mine.keras")
    export.name_classes(tmp_path / "mine.keras", ["a", "b", "c"])
    said = keras_source.write(tmp_path / "mine.keras", tmp_path / "plain.onnx")
    entry = onnx.load(tmp_path / "plain.onnx").graph.input[0].type.tensor_type

    assert said == {"class_names": ["a", "b", "c"], "side": 20, "channels": 3, "rescales": True}
    assert (entry.elem_type, [size.dim_value for size in entry.shape.dim]) == (onnx.TensorProto.FLOAT, [0, 20, 20, 3])


def test_a_scaling_by_arithmetic_counts_and_one_behind_weights_does_not(tmp_path: Path) -> None:
    pixels = layers.Input((20, 20, 3))
    scaled = keras.Model(pixels, network(20, 20, 3)(pixels / 127.5 - 1))
    behind = keras.Model(pixels, network(20, 20, 3)(pixels) / 2)
    said = []
    for made in (scaled, behind):
        made.save(tmp_path / "m.keras")
        said.append(keras_source.write(tmp_path / "m.keras", tmp_path / "plain.onnx")["rescales"])

    assert said == [True, False]


def test_means_that_keras_learned_are_in_the_graph(tmp_path: Path) -> None:
    adapted = layers.Normalization()
    adapted.adapt(np.random.default_rng(0).random((9, 20, 20, 3), np.float32))
    made = network(20, 20, 3, first=[layers.Normalization(mean=[1, 2, 3], variance=[4, 5, 6]), adapted])
    made.save(tmp_path / "m.keras")
    said = keras_source.write(tmp_path / "m.keras", tmp_path / "plain.onnx")
    pixels = np.random.default_rng(1).random((5, 20, 20, 3), np.float32)

    assert said["rescales"]
    assert np.abs(answers(tmp_path / "plain.onnx", pixels) - made(pixels)).max() <= 1e-5


def test_an_operation_that_onnx_lacks_is_one_line(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    grouped = [layers.Conv2D(6, 3), layers.Conv2D(6, 3, groups=3)]
    network(20, 20, 3, first=grouped).save(tmp_path / "grouped.keras")
    capfd.readouterr()
    with pytest.raises(
        ModelError, match=r"grouped\.keras cannot be converted to ONNX: .*StatefulPartitionedCall"
    ) as said:
        keras_source.write(tmp_path / "grouped.keras", tmp_path / "plain.onnx")

    assert ".part" not in str(said.value)
    assert "tf2onnx" not in capfd.readouterr().err


def test_half_precision_becomes_float32(tmp_path: Path) -> None:
    keras.config.set_dtype_policy("mixed_float16")
    try:
        network(32, 32, 3).save(tmp_path / "m.keras")
    finally:
        keras.config.set_dtype_policy("float32")
    keras_source.write(tmp_path / "m.keras", tmp_path / "plain.onnx")

    assert answers(tmp_path / "plain.onnx", np.ones((2, 32, 32, 3), np.float32)).dtype == np.float32


def two_inputs() -> keras.Model:
    pixels = [layers.Input((32, 32, 3)), layers.Input((32, 32, 3))]
    return keras.Model(pixels, network(32, 32, 3)(layers.Add()(pixels)))


def two_outputs() -> keras.Model:
    pixels = layers.Input((32, 32, 3))
    return keras.Model(pixels, [network(32, 32, 3)(pixels), network(32, 32, 3)(pixels)])


def broken() -> keras.Model:
    made = network(32, 32, 3)
    made.set_weights([np.full_like(weights, np.nan) for weights in made.get_weights()])
    return made


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: network(32, 48, 3), r"m\.keras takes \(None, 32, 48, 3\), images that are not square"),
        (lambda: network(None, None, 3), r"takes \(None, None, None, 3\), so images of any side"),
        (lambda: network(8, 8, 3), "a side outside 16 to 640 pixels"),
        (lambda: network(700, 700, 1), "a side outside 16 to 640 pixels"),
        (lambda: network(32, 32, 4), "not images, gray or RGB"),
        (lambda: network(32, 32, 3, classes=1), r"is no classification: it gives \(None, 1\)"),
        (lambda: keras.Sequential([layers.Input((32, 32, 3)), layers.Conv2D(3, 3)]), "is no classification"),
        (two_inputs, "has 2 inputs"),
        (two_outputs, "has 2 outputs"),
        (broken, r"no numbers \(NaN\)"),
    ],
)
def test_what_is_no_classifier_of_square_images_is_refused(
    tmp_path: Path, make: Callable[[], keras.Model], said: str
) -> None:
    make().save(tmp_path / "m.keras")
    with pytest.raises(ModelError, match=said):
        keras_source.write(tmp_path / "m.keras", tmp_path / "plain.onnx")

    assert not (tmp_path / "plain.onnx").exists()


def test_a_network_that_answers_otherwise_is_refused_and_not_left(
    copied: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = keras_source.export

    def spoiled(source: object, made: keras.Model, path: Path) -> None:
        made.set_weights([weights * 1.01 for weights in made.get_weights()])
        written(source, made, path)

    monkeypatch.setattr(keras_source, "export", spoiled)
    with pytest.raises(LabelerError, match="differs from the Keras network by up to"):
        keras_source.write(copied, tmp_path / "plain.onnx")

    assert list(tmp_path.iterdir()) == [copied]


def change(path: Path, edit: Callable[[dict[str, Any]], None]) -> None:
    """Edit the first layer with weights of an ``.h5`` file's description."""
    with h5py.File(path, "r+") as file:
        config = json.loads(file.attrs["model_config"])
        edit(config["config"]["layers"][1])
        file.attrs["model_config"] = json.dumps(config)


def test_an_old_file_that_would_run_code_never_does(copied: Path, tmp_path: Path) -> None:
    code = {"class_name": "Lambda", "config": {"name": "evil", "function": ["4wAAAAA=", None, None]}}
    change(copied, lambda layer: layer.update(code))
    with pytest.raises(ModelError, match=r"copied\.h5 is refused: it holds Lambda, which could run code"):
        keras_source.write(copied, tmp_path / "plain.onnx")


def test_an_old_file_with_an_unknown_layer_says_where_to_load_it(copied: Path, tmp_path: Path) -> None:
    change(copied, lambda layer: layer.update(class_name="TFOpLambda", module=None, registered_name=None))
    with pytest.raises(ModelError, match=r"TFOpLambda.*written by Keras 2\.9\.0, this is 3.*save it as \.keras"):
        keras_source.write(copied, tmp_path / "plain.onnx")


def link(file: h5py.File) -> None:
    file["model_weights/else"] = h5py.ExternalLink("/etc/passwd", "/")


def soft_link(file: h5py.File) -> None:
    file["model_weights/else"] = h5py.SoftLink("/model_weights")


def outside(file: h5py.File) -> None:
    file.create_dataset("model_weights/else", (4,), "u1", external=[("/etc/passwd", 0, 4)])


def virtual(file: h5py.File) -> None:
    layout = h5py.VirtualLayout((4,), "u1")
    layout[:] = h5py.VirtualSource("/etc/passwd", "x", (4,))
    file.create_virtual_dataset("model_weights/else", layout)


def bomb(file: h5py.File) -> None:
    file.create_dataset("model_weights/else", (1 << 30,), "u1", chunks=True, compression="gzip")


def weights_only(file: h5py.File) -> None:
    del file.attrs["model_config"]


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (link, "is a link to elsewhere"),
        (soft_link, "is a link to elsewhere"),
        (outside, "lies in other files"),
        (virtual, "lies in other files"),
        (bomb, "unpacked it has"),
        (weights_only, "holds weights and no network"),
    ],
)
def test_an_old_file_that_holds_more_or_less_than_a_network_is_refused(
    copied: Path, tmp_path: Path, spoil: Callable[[h5py.File], None], said: str
) -> None:
    with h5py.File(copied, "r+") as file:
        spoil(file)
    with pytest.raises(ModelError, match=said):
        keras_source.write(copied, tmp_path / "plain.onnx")


def test_what_is_no_hdf5_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "m.h5").write_bytes(b"nonsense")
    with pytest.raises(ModelError, match=r"m\.h5 is not a Keras \.h5 file that can be loaded"):
        keras_source.write(tmp_path / "m.h5", tmp_path / "plain.onnx")
