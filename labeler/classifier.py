"""Model bundles: find one, check it, predict a batch. The only place that runs a network."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labeler import models, quiet
from labeler.errors import ModelError, needs
from labeler.records import INPUT_SIDE, RESERVED_NAMES

DEFAULT_MODEL = "documented"
KERAS_MEMBER = "labeler.json"
"""The zip member of a `.keras` file in which `labeler train` leaves the class names."""

BLOCK = 32
"""Pictures per run of the network. Always the same, so that no result depends on the batch it came in."""

_JSON_KEYS = frozenset({"class_names", "input_size", "temperature", "validation"})

Network = Callable[[NDArray[np.uint8]], NDArray[np.float32]]


@dataclass(frozen=True)
class Card:
    """What a model says about itself."""

    name: str
    class_names: tuple[str, ...]
    input_size: int = INPUT_SIDE
    temperature: float = 1.0
    validation: dict[str, Any] = field(default_factory=dict)
    training_data: str = ""
    licence: str = ""
    created_with: str = ""
    path: str = ""
    sha256: str = ""

    def as_json(self) -> dict[str, Any]:
        """Return what `--json` prints."""
        return asdict(self)


class Classifier:
    """A loaded model.

    Raises:
        ModelError: the file is no model, does not carry its class names, or has another input or output.
    """

    def __init__(self, path: Path) -> None:
        load = _load_keras_network if path.suffix == ".keras" else _load_onnx_network
        self.card, self._network = load(path)

    def predict(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return class probabilities (n, classes) for face crops (n, 64, 64, 3), uint8 RGB."""
        blocks = [self._block(pixels[at : at + BLOCK]) for at in range(0, len(pixels), BLOCK)]
        return np.concatenate(blocks) if blocks else np.empty((0, len(self.card.class_names)), np.float32)

    def _block(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        missing = BLOCK - len(pixels)
        padded = np.pad(pixels, ((0, missing), (0, 0), (0, 0), (0, 0))) if missing else pixels
        return self._network(padded)[: len(pixels)]


def find(model: str) -> Path:
    """Return the file of a model given as a bundle's name, a run directory, or a path; empty is the default.

    Raises:
        ModelError: there is no such model.
    """
    shipped = models.shipped(models.CLASSIFIER)
    path = shipped.get(model or DEFAULT_MODEL) or Path(model)
    if path.is_dir():
        path = path / models.CLASSIFIER
    if not path.is_file():
        names = ", ".join(shipped) or "none"
        raise ModelError(
            f"there is no model {model or DEFAULT_MODEL!r}: give a run directory, an .onnx or .keras file, "
            f"or the name of a bundle that ships ({names})"
        )
    return path


def card(path: Path) -> Card:
    """Return a model's card.

    Raises:
        ModelError: see `Classifier`.
    """
    return Classifier(path).card


def load_keras(path: Path) -> Any:
    """Return the Keras model of a ``.keras`` file, loaded in safe mode and not compiled.

    Raises:
        LabelerError: Keras is not installed.
        ModelError: it cannot be loaded.
    """
    with needs("train", "keras", "tensorflow"), quiet.stderr():
        import keras  # Deferred: it takes seconds, and only a bare .keras file needs it.
    try:
        return keras.saving.load_model(path, compile=False, safe_mode=True)
    except Exception as exc:  # Keras raises whatever its deserialisers meet.
        raise ModelError(f"{path} is not a Keras model that can be loaded: {models.first_line(exc)}") from exc


def _load_onnx_network(path: Path) -> tuple[Card, Network]:
    session = models.load(path)
    metadata = session.get_modelmeta().custom_metadata_map
    found = _card(path, {key: _decoded(value) if key in _JSON_KEYS else value for key, value in metadata.items()})
    _check_shapes(path, session, found)
    name = session.get_inputs()[0].name
    return found, lambda pixels: session.run(None, {name: pixels})[0]


def _load_keras_network(path: Path) -> tuple[Card, Network]:
    found = _card(path, _keras_metadata(path))
    model = load_keras(path)
    expected = ((None, INPUT_SIDE, INPUT_SIDE, 3), (None, len(found.class_names)))
    if (model.input_shape, model.output_shape) != expected:
        raise ModelError(f"{path} maps {model.input_shape} to {model.output_shape}, not {expected[0]} to {expected[1]}")
    return found, lambda pixels: np.asarray(model(pixels.astype(np.float32) / 255, training=False))


def _keras_metadata(path: Path) -> dict[str, Any]:
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.namelist()
            metadata = json.loads(archive.read(KERAS_MEMBER)) if KERAS_MEMBER in members else {}
    except (OSError, zipfile.BadZipFile, ValueError) as exc:
        raise ModelError(f"{path} is not a .keras file: {exc}") from exc
    return metadata if isinstance(metadata, dict) else {}


def _card(path: Path, metadata: dict[str, Any]) -> Card:
    names = metadata.get("class_names")
    if not isinstance(names, list) or len(names) < 2 or not all(isinstance(name, str) for name in names):
        raise ModelError(
            f"{path} does not say what its classes are. Make a bundle that does: "
            "labeler models convert FILE.keras --class-names angry,disgust,... --out model.onnx"
        )
    unusable = sorted(RESERVED_NAMES.intersection(names)) or sorted({n for n in names if names.count(n) > 1})
    if unusable:
        raise ModelError(f"{path} has class names that are reserved or stand there twice: {', '.join(unusable)}")
    if metadata.get("input_size", INPUT_SIDE) != INPUT_SIDE:
        raise ModelError(f"{path} wants pictures of {metadata['input_size']} pixels; labeler gives {INPUT_SIDE}")
    return Card(
        name=metadata.get("name") or (path.parent.name if path.stem in {"model", "best_model"} else path.stem),
        class_names=tuple(names),
        temperature=metadata.get("temperature", 1.0),
        validation=metadata.get("validation", {}),
        training_data=metadata.get("training_data", ""),
        licence=metadata.get("licence", ""),
        created_with=metadata.get("created_with", ""),
        path=str(path),
        sha256=models.sha256(path),
    )


def _check_shapes(path: Path, session: Any, found: Card) -> None:
    inputs, outputs = session.get_inputs(), session.get_outputs()
    wanted = ("tensor(uint8)", [INPUT_SIDE, INPUT_SIDE, 3], [len(found.class_names)])
    actual = (inputs[0].type, inputs[0].shape[1:], outputs[0].shape[1:])
    if len(inputs) != 1 or actual != wanted:
        raise ModelError(
            f"{path} is not a labeler bundle: it takes {actual[0]} {actual[1]} and gives {actual[2]}; "
            f"expected {wanted[0]} {wanted[1]} and {wanted[2]}"
        )


def _decoded(value: str) -> Any:
    try:
        return json.loads(value)
    except ValueError:
        return None
