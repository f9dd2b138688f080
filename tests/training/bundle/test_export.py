"""A bundle says what it is and gives what its network gives, or it does not exist."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import keras
import numpy as np
import onnx
import pytest

from labeler.errors import LabelerError
from labeler.inference.classifier import Classifier
from training.bundle import export
from training.networks import architectures

NAMES = ("angry", "happy", "sad")
SAMPLES = np.random.default_rng(0).integers(0, 256, (50, 64, 64, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def network() -> keras.Model:
    keras.utils.set_random_seed(0)
    return architectures.documented(3)


@pytest.fixture(scope="module")
def bundle(network: keras.Model, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("first") / "model.onnx"
    export.export(network, NAMES, path, samples=SAMPLES, card={"training_data": "faces", "validation": {"n": 5}})
    return path


@pytest.fixture
def keras_file(network: keras.Model, tmp_path: Path) -> Path:
    network.save(tmp_path / "best_model.keras")
    return tmp_path / "best_model.keras"


def test_the_bundle_gives_what_the_network_gives(bundle: Path, network: keras.Model) -> None:
    expected = network.predict_on_batch(SAMPLES / np.float32(255))

    assert np.abs(Classifier(bundle).predict(SAMPLES) - expected).max() <= 1e-5


def test_the_bundle_carries_its_card(bundle: Path) -> None:
    card = Classifier(bundle).card

    assert (card.class_names, card.input_size, card.temperature) == (NAMES, 64, 1.0)
    assert (card.training_data, card.validation) == ("faces", {"n": 5})
    assert card.name == bundle.parent.name
    assert card.created_with.startswith("labeler ")


@pytest.fixture(scope="module")
def knowing(tmp_path_factory: pytest.TempPathFactory) -> tuple[keras.Model, Path]:
    """A network that says, too, how likely there is a face, and its bundle."""
    keras.utils.set_random_seed(0)
    pixels = keras.layers.Input((64, 64, 3))
    features = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(8, 3, 4)(pixels))
    probabilities = keras.layers.Dense(3, activation="softmax")(features)
    network = keras.Model(pixels, [probabilities, keras.layers.Dense(1, activation="sigmoid")(features)])
    path = tmp_path_factory.mktemp("knowing") / "model.onnx"
    export.export(network, NAMES, path, samples=SAMPLES, card={"face_threshold": 0.5})
    return network, path


def test_a_second_output_becomes_that_of_a_face(knowing: tuple[keras.Model, Path]) -> None:
    network, path = knowing
    expected, face = network.predict_on_batch(SAMPLES / np.float32(255))
    answer = Classifier(path).answer(SAMPLES)

    assert [one.name for one in onnx.load(path).graph.output] == ["probabilities", "face"]
    assert np.abs(answer.probabilities - expected).max() <= 1e-5
    assert answer.faces is not None
    assert np.abs(answer.faces - face[:, 0]).max() <= 1e-5


def test_a_card_that_is_completed_keeps_both_outputs(knowing: tuple[keras.Model, Path], tmp_path: Path) -> None:
    copy = tmp_path / "model.onnx"
    copy.write_bytes(knowing[1].read_bytes())
    export.describe(copy, {"licence": "mine"})
    before, after = (Classifier(path).answer(SAMPLES) for path in (knowing[1], copy))

    assert all(map(np.array_equal, before, after))


@pytest.mark.slow
def test_a_convolutional_network_is_shown_one_picture_at_a_time(bundle: Path, tmp_path: Path) -> None:
    export.export(architectures.default(3), NAMES, tmp_path / "model.onnx", samples=SAMPLES[:2], card={})

    assert (Classifier(bundle).block, Classifier(tmp_path / "model.onnx").block) == (8, 1)


def test_input_and_output_have_plain_names(bundle: Path) -> None:
    graph = onnx.load(bundle).graph
    ends = [
        (end.name, end.type.tensor_type.elem_type, [d.dim_param or d.dim_value for d in end.type.tensor_type.shape.dim])
        for end in (graph.input[0], graph.output[0])
    ]

    assert ends == [
        ("pixels", onnx.TensorProto.UINT8, ["batch", 64, 64, 3]),
        ("probabilities", onnx.TensorProto.FLOAT, ["batch", 3]),
    ]


def test_a_bundle_that_differs_is_refused_and_not_left_behind(
    network: keras.Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "_rename_output", spoil_weights)
    (tmp_path / "model.onnx").write_bytes(b"an older one")
    with pytest.raises(LabelerError, match="differs from the Keras network by up to"):
        export.export(network, NAMES, tmp_path / "model.onnx", samples=SAMPLES, card={})

    assert list(tmp_path.iterdir()) == []


def test_the_card_can_be_completed_later(bundle: Path, tmp_path: Path) -> None:
    copy = tmp_path / "model.onnx"
    copy.write_bytes(bundle.read_bytes())
    export.describe(copy, {"licence": "Apache-2.0", "validation": {"accuracy": 0.5}})
    card = Classifier(copy).card

    assert (card.licence, card.validation, card.training_data) == ("Apache-2.0", {"accuracy": 0.5}, "faces")
    assert np.array_equal(Classifier(copy).predict(SAMPLES), Classifier(bundle).predict(SAMPLES))


def test_a_keras_file_with_class_names_still_loads_in_safe_mode(keras_file: Path, network: keras.Model) -> None:
    export.name_classes(keras_file, NAMES)
    loaded = keras.saving.load_model(keras_file, safe_mode=True)

    assert all(map(np.array_equal, loaded.get_weights(), network.get_weights()))


def test_a_keras_file_with_class_names_can_be_used_by_itself(keras_file: Path) -> None:
    export.name_classes(keras_file, NAMES)

    assert Classifier(keras_file).card.class_names == NAMES


def test_class_names_are_left_only_once(keras_file: Path) -> None:
    export.name_classes(keras_file, NAMES)
    export.name_classes(keras_file, NAMES)

    assert zipfile.ZipFile(keras_file).namelist().count("labeler.json") == 1


def test_the_note_in_a_keras_file_is_json(keras_file: Path) -> None:
    export.name_classes(keras_file, NAMES)
    note = json.loads(zipfile.ZipFile(keras_file).read("labeler.json"))

    assert note == {"class_names": list(NAMES), "input_size": 64}


def spoil_weights(graph: onnx.GraphProto, place: int, name: str) -> None:
    graph.output[place].name = name
    graph.node[-1].output[0] = name
    largest = max(graph.initializer, key=lambda tensor: len(tensor.raw_data))
    largest.raw_data = (np.frombuffer(largest.raw_data, np.float32) * np.float32(1.01)).tobytes()
