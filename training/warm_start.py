"""Rebuild a trained network with trainable weights, for fine-tuning.

A ``.keras`` file holds all weights. A bundle can only be run: it holds every kernel, but batch normalization is folded
into the kernel and bias of the convolution before it. The network rebuilt from a bundle computes the same, with batch
normalizations that only add that bias.
"""

from __future__ import annotations

import math
from collections import defaultdict, deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import onnx
from numpy.typing import NDArray

from labeler.certify.recalibration import Recalibration
from labeler.errors import ModelError, one_line
from labeler.inference import keras_network, onnx_graph
from labeler.inference.bundle import INT8, Card, find, float32
from labeler.inference.classifier import Classifier
from labeler.labeling import DECIMALS
from labeler.records import INPUT_SIDE, View
from training.bundle import export, temperature
from training.networks.fast_steps import SCALE
from training.recipes import RECIPES

Array = NDArray[np.float32]
Kernels = list[tuple[Array, Array | None]]
"""Kernels in the layout of Keras (..., in, out), each with its bias, in the order of computation."""

_SAMPLES = 16
"""Random images on which the rebuilt network is compared with the model."""


class OtherNetworkError(ModelError):
    """A network that can be run, but not rebuilt with trainable weights."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Pretrained:
    """A trained model to fine-tune; ``network`` takes images in 0..1 and has no temperature."""

    card: Card
    path: Path
    arch: str
    network: keras.Model
    normalised: bool
    """Whether its batch normalizations have the statistics of the training; false for a network from a bundle."""


def load(model: str) -> Pretrained:
    """Load a model given as a bundle's name, a run directory, an .onnx or a .keras file.

    Of a bundle with two files, the weights in float32 are taken. An output `face` is left behind.

    Raises:
        ModelError: there is no such model, or `labeler adapt` made it.
        OtherNetworkError: its weights are 8-bit integers, or its network is none of `RECIPES`.
    """
    path = float32(find(model))
    classifier = Classifier(path)
    if classifier.card.adapted:
        source = one_line(classifier.card.adapted.get("model"))
        raise ModelError(f"{path} is what labeler adapt made of {source}: fine-tune that model instead")
    if classifier.card.weights == INT8:
        raise OtherNetworkError(
            f"{path} has weights of 8-bit integers: fine-tune the model in float32 that it was made of"
        )
    if classifier.card.input_size != INPUT_SIDE:
        raise _unknown(path)
    whole = path.suffix == ".keras"
    arch, network = (_loaded if whole else _rebuilt)(path, len(classifier.card.class_names))
    _check(network, classifier, path)
    return Pretrained(card=classifier.card, path=path, arch=arch, network=network, normalised=whole)


def origin(given: Pretrained | None, data: str) -> dict[str, Any]:
    """Return the metadata on the origin of a bundle that was last trained on ``data``, and on what it is shown."""
    if not given:
        return {"training_data": data}
    shown = {"crop_margin": given.card.crop_margin, "resize": given.card.resize, "crop_pct": given.card.crop_pct}
    return {
        **(shown if given.card.view != View() else {}),
        "training_data": f"{given.card.training_data or given.card.name}, then {data}",
        "licence": given.card.licence,
    }


def with_classes(given: Pretrained, class_names: tuple[str, ...]) -> keras.Model:
    """Return the network for other classes: a class with a known name keeps its weights in the last layer, a new one
    starts at 0. Batch normalizations from a bundle are frozen.
    """
    network = RECIPES[given.arch].network(len(class_names))
    for old, new in zip(given.network.layers[:-1], network.layers[:-1], strict=True):
        new.set_weights(old.get_weights())
    known = {name: place for place, name in enumerate(given.card.class_names)}
    kernel, bias = given.network.layers[-1].get_weights()
    kernel, bias = (np.concatenate([kept, np.zeros_like(kept[..., :1])], axis=-1) for kept in (kernel, bias))
    places = [known.get(name, len(known)) for name in class_names]
    network.layers[-1].set_weights([kernel[:, places], bias[places]])
    for layer in network.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.trainable = given.normalised  # From a bundle it has no statistics, and few images give poor ones.
    return network


def _loaded(keras_file: Path, num_classes: int) -> tuple[str, keras.Model]:
    weights = keras_network.load(keras_file).get_weights()
    for arch, recipe in RECIPES.items():
        network = recipe.network(num_classes)
        if [weight.shape for weight in network.get_weights()] == [weight.shape for weight in weights]:
            network.set_weights(weights)
            return arch, network
    raise _unknown(keras_file)


def _rebuilt(bundle: Path, num_classes: int) -> tuple[str, keras.Model]:
    kernels = list(_kernels(onnx.load(bundle).graph))
    shapes = sorted(kernel.shape for kernel, _ in kernels)
    for arch, recipe in RECIPES.items():
        network = recipe.network(num_classes)
        if sorted(tuple(layer.kernel.shape) for layer in _with_kernels(network)) == shapes:
            _fill(network, kernels)
            return arch, network
    raise _unknown(bundle)


def _unknown(path: Path) -> OtherNetworkError:
    return OtherNetworkError(f"{path} holds none of the networks that can be trained: {', '.join(RECIPES)}")


def _kernels(graph: onnx.GraphProto) -> Iterator[tuple[Array, Array | None]]:
    """Yield the kernels of convolutions and matrix products that the class probabilities need.

    They come in the order of the graph, which is that of computation.
    """
    nodes = _before(graph, onnx_graph.of_classes([one.name for one in graph.output]))
    constants = {one.name: one for one in graph.initializer}
    adding = {name: node for node in nodes if node.op_type == "Add" for name in node.input}

    def constant(names: list[str]) -> Array | None:
        found = [constants[name] for name in names if name in constants]
        return onnx.numpy_helper.to_array(found[0]) if found else None

    for node in nodes:
        if node.op_type not in {"Conv", "MatMul"}:
            continue
        kernel, bias = (constant(list(node.input[at : at + 1])) for at in (1, 2))
        if kernel is None:
            continue
        if node.op_type == "Conv":
            yield kernel.transpose(2, 3, 1, 0), bias
        else:
            after = adding.get(node.output[0])
            yield kernel, constant(list(after.input)) if after else bias


def _before(graph: onnx.GraphProto, output: str) -> list[onnx.NodeProto]:
    """Return the nodes that an output of a graph needs, in the order of the graph."""
    needed, found = {output}, []
    for node in reversed(graph.node):
        if not needed.isdisjoint(node.output):
            needed.update(node.input)
            found.append(node)
    return found[::-1]


def _fill(network: keras.Model, kernels: Kernels) -> None:
    """Give each layer the next kernel of its shape: layers of the same shape have the same order in both."""
    waiting: dict[tuple[int, ...], deque[tuple[Array, Array | None]]] = defaultdict(deque)
    for kernel, bias in kernels:
        waiting[kernel.shape].append((kernel, bias))
    normalised = {
        id(layer.input): layer for layer in network.layers if isinstance(layer, keras.layers.BatchNormalization)
    }
    for layer in _with_kernels(network):
        kernel, bias = waiting[tuple(layer.kernel.shape)].popleft()
        added = np.zeros(kernel.shape[-1], np.float32) if bias is None else bias
        layer.set_weights([kernel, added] if layer.use_bias else [kernel])
        normalisation = normalised.get(id(layer.output))
        if normalisation:
            one = np.ones_like(added)
            unchanged = np.sqrt(one + np.float32(normalisation.epsilon))
            normalisation.set_weights([unchanged, added, 0 * one, one])


def _with_kernels(network: keras.Model) -> list[keras.Layer]:
    return [layer for layer in network.layers if hasattr(layer, "kernel")]


def _check(network: keras.Model, classifier: Classifier, path: Path) -> None:
    samples = np.random.default_rng(0).integers(0, 256, (_SAMPLES, INPUT_SIDE, INPUT_SIDE, 3), dtype=np.uint8)
    found = network.predict_on_batch(samples.astype(np.float32) * np.float32(SCALE))
    calibrated = _recalibrated(
        temperature.with_temperature(found, classifier.card.temperature), classifier.card.recalibration
    )
    difference = float(np.abs(calibrated - classifier.predict(samples)).max())
    if not difference <= export.TOLERANCE:
        raise OtherNetworkError(
            f"{path} cannot be trained further: the rebuilt network differs from it by up to {difference:.2g} "
            f"(at most {export.TOLERANCE:g} is allowed)"
        )


def _recalibrated(probabilities: NDArray[np.float64], about: dict[str, Any]) -> NDArray[np.float64]:
    """Return what a bundle of `labeler calibrate` makes of probabilities; it rounds them as a table does."""
    if not about:
        return probabilities
    probabilities = _recalibrated(probabilities, about.get("earlier", {}))
    if ratios := about.get("ratios"):
        probabilities = probabilities * ratios
        probabilities /= probabilities.sum(axis=1, keepdims=True)
    offsets, scale = np.array(about["offsets"]), math.log(about["scale"])
    fitted = Recalibration(log_scale=scale, offsets=offsets, covariance=np.zeros((len(offsets) + 1,) * 2))
    return fitted(probabilities.round(DECIMALS))
