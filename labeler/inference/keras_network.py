"""Keras networks: load one safely, and rebuild it from Keras' own layers in float32. Needs the extra `train`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from labeler import native_output
from labeler.errors import ModelError, needs, one_line
from labeler.inference import keras_file, keras_h5

FLOAT32 = "float32"

FUSED_NORMALIZATION = "FusedNormalization"
"""The class name of the batch normalization that `labeler train` trains with; its file of an unfinished run holds it.

Without training it computes what Keras' own does, so that a file is loaded without the package that trained it.
"""

_ADVICE = ". It was written by Keras {}, this is {}; load it there, and save it as .keras or export it as .onnx"


def load(path: Path) -> Any:
    """Return the Keras model of a ``.keras`` or ``.h5`` file, loaded in safe mode and not compiled.

    Raises:
        LabelerError: Keras is not installed.
        ModelError: the file cannot be loaded.
    """
    old = path.suffix.lower() in keras_h5.SUFFIXES
    (keras_h5 if old else keras_file).check(path)
    keras = _keras()
    # Keras finds the weights of a layer by its class' name, so the class that stands in must have that name too.
    stand_in = type(FUSED_NORMALIZATION, (keras.layers.BatchNormalization,), {})
    try:
        with keras.saving.custom_object_scope(
            {f"labeler>{FUSED_NORMALIZATION}": stand_in, **(_of_keras_2() if old else {})}
        ):
            return keras.saving.load_model(path, compile=False, safe_mode=True)
    except Exception as exc:  # Keras' deserialisers raise almost anything on a damaged file.
        advice = _ADVICE.format(keras_h5.version(path) or "2", keras.__version__) if old else ""
        raise ModelError(f"{path} is not a Keras model that can be loaded: {one_line(exc)}{advice}") from exc


def plain(network: Any) -> Any:
    """Return a copy of ``network`` in float32 with Keras' own batch normalization; the network itself if it is so."""
    normalization = _keras().layers.BatchNormalization

    def class_of(layer: Any) -> type:
        return normalization if isinstance(layer, normalization) else type(layer)

    if all(layer.compute_dtype == FLOAT32 and class_of(layer) is type(layer) for layer in network.layers):
        return network
    return rebuilt(network, lambda layer: (class_of(layer), FLOAT32))


def rebuilt(network: Any, choose: Callable[[Any], tuple[type, str]]) -> Any:
    """Return a copy of ``network``, weights included, each layer of the class and precision that ``choose`` gives."""

    def changed(layer: Any) -> Any:
        kind, precision = choose(layer)
        return kind.from_config({**layer.get_config(), "dtype": precision})  # type: ignore[attr-defined]

    copy = _keras().models.clone_model(network, clone_function=changed)
    copy.set_weights(network.get_weights())
    return copy


def _of_keras_2() -> dict[str, type]:
    """Return stand-ins for layers that Keras 2 describes with a key `groups`, always 1, which Keras 3 refuses."""

    def stand_in(kind: Any) -> type:
        def from_config(config: dict[str, Any]) -> Any:
            return kind.from_config({key: value for key, value in config.items() if (key, value) != ("groups", 1)})

        return type(kind.__name__, (kind,), {"from_config": staticmethod(from_config)})

    layers = _keras().layers
    kinds = (layers.DepthwiseConv2D, layers.SeparableConv2D, layers.Conv2DTranspose)
    return {kind.__name__: stand_in(kind) for kind in kinds}


def _keras() -> Any:
    with needs("train", "keras", "tensorflow"), native_output.stderr():
        import keras  # Deferred: it takes seconds, and only a bare .keras file needs it.
    return keras
