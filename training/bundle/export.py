"""Export a Keras network as a model bundle: an ONNX file with metadata, compared with the network."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import onnx

from labeler._version import __version__
from labeler.errors import LabelerError
from labeler.images.picture import Pixels
from labeler.inference import bundle, keras_file, onnx_graph
from labeler.inference.classifier import Classifier
from labeler.records import INPUT_SIDE
from labeler.storage import atomic
from training.bundle import keras_source
from training.networks.fast_steps import SCALE

TOLERANCE = 1e-5
"""Upper limit on the difference between a probability of the bundle and one of the Keras network."""


def export(
    network: keras.Model, class_names: Sequence[str], path: Path, *, samples: Pixels, card: Mapping[str, Any]
) -> None:
    """Write ``network``, which takes images in 0..1, as a bundle that takes uint8 images.

    A second output of ``network`` (n, 1) becomes the bundle's output `face`. The two are compared on ``samples``
    (n, 64, 64, 3) uint8. ``card`` holds further metadata of the bundle: see `labeler.inference.bundle.Card`.

    Raises:
        LabelerError: the bundle gives other probabilities than the network; then no file is left.
        OutputError: the file cannot be written.
    """
    path.unlink(missing_ok=True)  # If the export fails, an older bundle must not pass for this one.
    with atomic.replacing(path) as beside:
        _write_onnx(network, beside)
        about = {"name": path.resolve().parent.name, "temperature": 1.0, **card}
        _describe(beside, beside, {**about, "class_names": list(class_names), "input_size": INPUT_SIDE})
        _check(Classifier(beside), network, samples)


def describe(path: Path, card: Mapping[str, Any]) -> None:
    """Add or change metadata of a bundle.

    Raises:
        OutputError: the file cannot be written.
    """
    with atomic.replacing(path) as beside:
        _describe(path, beside, card)


def name_classes(path: Path, class_names: Sequence[str]) -> None:
    """Store the class names in a ``.keras`` file, so that it can be used without a bundle.

    Raises:
        OutputError: the file cannot be written.
    """
    if keras_file.read(path, keras_file.MEMBER) is not None:
        return
    with atomic.replacing(path) as beside:
        shutil.copyfile(path, beside)
        keras_file.add(beside, keras_file.MEMBER, {"class_names": list(class_names), "input_size": INPUT_SIDE})


def _write_onnx(network: keras.Model, path: Path) -> None:
    pixels = keras.layers.Input((INPUT_SIDE, INPUT_SIDE, 3), dtype="uint8", name="pixels")
    whole = keras.Model(pixels, network(keras.layers.Rescaling(SCALE)(pixels), training=False), name="labeler")
    keras_source.export(network.name, whole, path)
    model = onnx.load(path)
    for place, name in enumerate((onnx_graph.PROBABILITIES, onnx_graph.FACE)[: len(model.graph.output)]):
        _rename_output(model.graph, place, name)
    onnx.save(model, path)


def _describe(source: Path, target: Path, card: Mapping[str, Any]) -> None:
    model = onnx.load(source)
    graph = model.graph
    del graph.value_info[:]
    for value in (*graph.input, *graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = "batch"
    about = {one.key: one.value for one in model.metadata_props}
    about |= bundle.as_metadata(card)
    about = {"block": json.dumps(_block(graph)), **about, "created_with": f"labeler {__version__}"}
    onnx.helper.set_model_props(model, about)
    onnx.checker.check_model(model)
    onnx.save(model, target)


def _block(graph: onnx.GraphProto) -> int:
    """Return the best number of images per run on a processor: for a convolutional network, one is enough work."""
    return 1 if any(node.op_type == "Conv" for node in graph.node) else bundle.BLOCK


def _rename_output(graph: onnx.GraphProto, place: int, name: str) -> None:
    given = graph.output[place].name
    graph.output[place].name = name
    for node in graph.node:
        node.output[:] = [name if output == given else output for output in node.output]
        node.input[:] = [name if wanted == given else wanted for wanted in node.input]


def _check(classifier: Classifier, network: keras.Model, samples: Pixels) -> None:
    expected = network.predict_on_batch(samples.astype(np.float32) * np.float32(SCALE))
    classes, *face = expected if isinstance(expected, list) else [expected]
    answer = classifier.answer(samples)
    differences = [answer.probabilities - classes]
    if answer.faces is not None:
        differences.append(answer.faces - face[0].ravel())
    difference = max(float(np.max(np.abs(one), initial=0)) for one in differences)
    if not difference <= TOLERANCE:
        raise LabelerError(
            f"the exported model differs from the Keras network by up to {difference:.2g} (at most {TOLERANCE:g} "
            "is allowed); it was not written. Please report this with the versions of keras, tf2onnx and onnxruntime"
        )
