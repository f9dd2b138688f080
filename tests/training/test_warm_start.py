"""A bundle is enough to go on from: the network made of it computes the same, and keeps the classes it knows."""

from __future__ import annotations

import shutil
from pathlib import Path

import keras
import numpy as np
import onnx
import pytest
from conftest import make_bundle

from labeler.errors import ModelError
from labeler.inference import calibrated_bundle
from labeler.inference.classifier import Classifier
from training import warm_start
from training.bundle import export
from training.networks import architectures

NAMES = ("angry", "happy", "sad")
SAMPLES = np.random.default_rng(3).integers(0, 256, (20, 64, 64, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def network() -> keras.Model:
    """The accurate network with normalisations and biases as training leaves them, all different."""
    keras.utils.set_random_seed(0)
    network = architectures.large(len(NAMES))
    random = np.random.default_rng(1)
    for layer in network.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.set_weights([random.uniform(0.5, 1.5, weight.shape) for weight in layer.get_weights()])
        elif getattr(layer, "use_bias", False):
            layer.bias.assign(random.normal(0, 0.1, layer.bias.shape))
    return network


@pytest.fixture(scope="module")
def bundle(network: keras.Model, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("whole") / "model.onnx"
    export.export(network, NAMES, path, samples=SAMPLES, card={"training_data": "faces", "licence": "mine"})
    return path


@pytest.fixture(scope="module")
def given(bundle: Path) -> warm_start.Pretrained:
    return warm_start.load(str(bundle))


def answers(network: keras.Model) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return np.asarray(network.predict_on_batch(SAMPLES / np.float32(255)))


def test_the_network_made_of_a_bundle_computes_the_same(given: warm_start.Pretrained, network: keras.Model) -> None:
    assert np.abs(answers(given.network) - answers(network)).max() <= 1e-5


def test_the_architecture_is_recognised(given: warm_start.Pretrained) -> None:
    assert given.arch == "large"
    assert [warm_start.load(name).arch for name in ("default", "documented")] == ["default", "documented"]


def test_a_keras_file_is_enough_too(tmp_path: Path) -> None:
    network = architectures.documented(len(NAMES))
    network.save(tmp_path / "mine.keras")
    export.name_classes(tmp_path / "mine.keras", NAMES)
    loaded = warm_start.load(str(tmp_path / "mine.keras"))

    assert (loaded.arch, loaded.card.class_names) == ("documented", NAMES)
    assert all(map(np.array_equal, loaded.network.get_weights(), network.get_weights()))


def test_a_keras_file_brings_its_normalisations_and_they_go_on_learning(network: keras.Model, tmp_path: Path) -> None:
    network.save(tmp_path / "mine.keras")
    export.name_classes(tmp_path / "mine.keras", NAMES)
    loaded = warm_start.load(str(tmp_path / "mine.keras"))
    learnt = {one.path.split("/")[-1] for one in warm_start.with_classes(loaded, NAMES).trainable_variables}

    assert all(map(np.array_equal, loaded.network.get_weights(), network.get_weights()))
    assert learnt == {"kernel", "bias", "gamma", "beta"}


def test_classes_in_another_order_keep_their_answers(given: warm_start.Pretrained) -> None:
    other = warm_start.with_classes(given, ("sad", "angry", "happy"))

    assert np.allclose(answers(other), answers(given.network)[:, [2, 0, 1]], atol=1e-6)


def test_some_of_the_classes_keep_their_proportions(given: warm_start.Pretrained) -> None:
    kept = answers(given.network)[:, [2, 0]]
    found = answers(warm_start.with_classes(given, ("sad", "angry")))

    assert np.allclose(found, kept / kept.sum(axis=1, keepdims=True), atol=1e-6)


def test_a_new_class_leaves_the_others_in_proportion(given: warm_start.Pretrained) -> None:
    before = answers(given.network)
    found = answers(warm_start.with_classes(given, ("bored", *NAMES)))

    assert np.allclose(found[:, 1] / found[:, 3], before[:, 0] / before[:, 2], rtol=1e-4)


def test_normalisations_made_of_a_bundle_are_not_learnt(given: warm_start.Pretrained) -> None:
    learnt = {one.path.split("/")[-1] for one in warm_start.with_classes(given, NAMES).trainable_variables}

    assert learnt == {"kernel", "bias"}


def test_a_bundle_with_a_temperature_can_be_gone_on_from(
    bundle: Path, given: warm_start.Pretrained, tmp_path: Path
) -> None:
    softened = tmp_path / "model.onnx"
    soften(bundle, softened, 2.0)

    assert np.abs(answers(warm_start.load(str(softened)).network) - answers(given.network)).max() <= 1e-6


def test_an_output_for_faces_is_left_behind(network: keras.Model, given: warm_start.Pretrained, tmp_path: Path) -> None:
    """Its layers come before and after those of the classes in the file."""
    face = keras.layers.Dense(1, activation="sigmoid")(keras.layers.Dense(8)(network.layers[-2].output))
    knowing = keras.Model(network.inputs[0], [network.outputs[0], face])
    export.export(knowing, NAMES, tmp_path / "model.onnx", samples=SAMPLES, card={"face_threshold": 0.5})
    loaded = warm_start.load(str(tmp_path))

    assert Classifier(tmp_path / "model.onnx").knows_faces
    assert all(map(np.array_equal, loaded.network.get_weights(), given.network.get_weights()))


def test_the_weights_in_float32_are_taken_where_the_bundle_has_integers(
    bundle: Path, given: warm_start.Pretrained, tmp_path: Path
) -> None:
    shutil.copy(bundle, tmp_path / "float32.onnx")
    make_bundle(tmp_path / "model.onnx", weights="int8")
    loaded = warm_start.load(str(tmp_path))

    assert loaded.path == tmp_path / "float32.onnx"
    assert all(map(np.array_equal, loaded.network.get_weights(), given.network.get_weights()))


def test_weights_of_integers_alone_are_refused_with_what_to_take(tmp_path: Path) -> None:
    make_bundle(tmp_path / "model.onnx", weights="int8")
    with pytest.raises(ModelError, match="has weights of 8-bit integers: fine-tune the model in float32"):
        warm_start.load(str(tmp_path))


def test_a_network_of_another_kind_is_refused(tmp_path: Path) -> None:
    make_bundle(tmp_path / "model.onnx")
    with pytest.raises(ModelError, match="holds none of the networks that can be trained: documented, default"):
        warm_start.load(str(tmp_path))


def test_a_recalibrated_bundle_can_be_gone_on_from(bundle: Path, given: warm_start.Pretrained, tmp_path: Path) -> None:
    about = {"recalibration": {"scale": 0.6, "offsets": [0.9, -1.1, 0.3]}}
    calibrated_bundle.write(bundle, tmp_path / "model.onnx", 0.6, [0.9, -1.1, 0.3], 1e-6, about)
    loaded = warm_start.load(str(tmp_path))
    changed = Classifier(tmp_path / "model.onnx").predict(SAMPLES) - Classifier(bundle).predict(SAMPLES)

    assert np.abs(changed).max() > 0.1
    assert all(map(np.array_equal, loaded.network.get_weights(), given.network.get_weights()))


def test_a_bundle_recalibrated_with_another_prior_can_be_gone_on_from(
    bundle: Path, given: warm_start.Pretrained, tmp_path: Path
) -> None:
    ratios = [2.0, 0.5, 1.25]
    about = {"recalibration": {"scale": 0.6, "offsets": [0.9, -1.1, 0.3], "ratios": ratios}}
    calibrated_bundle.write(bundle, tmp_path / "model.onnx", 0.6, [0.9, -1.1, 0.3], 1e-6, about, ratios=ratios)
    loaded = warm_start.load(str(tmp_path))

    assert all(map(np.array_equal, loaded.network.get_weights(), given.network.get_weights()))


def test_a_bundle_that_was_recalibrated_twice_can_be_gone_on_from(
    bundle: Path, given: warm_start.Pretrained, tmp_path: Path
) -> None:
    (tmp_path / "once").mkdir()
    once, twice = tmp_path / "once" / "model.onnx", tmp_path / "model.onnx"
    for source, out, scale, offsets in ((bundle, once, 0.6, [0.9, -1.1, 0.3]), (once, twice, 1.4, [-0.2, 0.5, 0.0])):
        calibrated_bundle.write(
            source, out, scale, offsets, 1e-6, {"recalibration": {"scale": scale, "offsets": offsets}}
        )
    loaded = warm_start.load(str(tmp_path))

    assert all(map(np.array_equal, loaded.network.get_weights(), given.network.get_weights()))


def test_a_network_that_computes_something_else_is_refused(bundle: Path, tmp_path: Path) -> None:
    model = onnx.load(bundle)
    next(node for node in model.graph.node if node.op_type == "Sigmoid").op_type = "Tanh"
    onnx.save(model, tmp_path / "model.onnx")
    with pytest.raises(ModelError, match="cannot be trained further: the rebuilt network differs"):
        warm_start.load(str(tmp_path))


def test_what_is_made_of_a_model_says_so(given: warm_start.Pretrained) -> None:
    assert warm_start.origin(given, "photos") == {"training_data": "faces, then photos", "licence": "mine"}


def soften(bundle: Path, target: Path, temperature: float) -> None:
    """Calibrate a bundle: what comes out is the softmax of the logarithm of what came out, divided."""
    model = onnx.load(bundle)
    graph = model.graph
    export._rename_output(graph, 0, "uncalibrated")
    graph.output[0].name = "softened"
    graph.initializer.append(onnx.numpy_helper.from_array(np.float32(temperature), "temperature"))
    graph.node.extend(
        onnx.helper.make_node(kind, inputs, outputs)
        for kind, inputs, outputs in (
            ("Log", ["uncalibrated"], ["logarithms"]),
            ("Div", ["logarithms", "temperature"], ["divided"]),
            ("Softmax", ["divided"], ["softened"]),
        )
    )
    onnx.save(model, target)
    export.describe(target, {"temperature": str(temperature)})
    assert Classifier(target).card.temperature == temperature
