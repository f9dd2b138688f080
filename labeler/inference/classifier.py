"""Load and check a model bundle, and predict batches with it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from labeler.errors import ModelError, one_line
from labeler.inference import bundle, keras_network, onnx_graph
from labeler.inference.bundle import Card
from labeler.inference.session import is_out_of_memory, load
from labeler.records import Device

BLOCK_ON_CUDA = 256
"""Block size, in images of 64x64 pixels a run, on a GPU (`bundle.block_of`); on a CPU it is the bundle's."""

_TOLERANCE = 1e-3
"""Upper limit on the error of a sum of probabilities, which should be 1; half precision reaches half of it."""

Network = Callable[[NDArray[np.uint8]], NDArray[np.float32]]
"""Maps images to class probabilities (n, classes), with that of a face in one more column where it `knows_faces`."""


class Answer(NamedTuple):
    """What a model says about face crops."""

    probabilities: NDArray[np.float32]
    """Those of the classes (n, classes)."""
    faces: NDArray[np.float32] | None
    """The probability (n,) that a crop shows a face at all; None where the model does not know."""


class Classifier:
    """A loaded model.

    Its card has the SHA-256 only if it is to be ``hashed``, or ships: the file is read once more for it.

    Raises:
        ModelError: the file is not a model, has no class names, or has other input or output shapes.
    """

    def __init__(self, path: Path, device: Device = Device.CPU, *, hashed: bool = True) -> None:
        if path.suffix == ".keras":
            self.card, self._network = _load_keras_network(path)
            self.knows_faces = mixes = fixed = False
        else:
            mixes = onnx_graph.mixes_images(path)  # Before it is loaded: both would be in memory.
            self.card, self._network, self.knows_faces, fixed = _load_onnx_network(path, device, hashed=hashed)
        on_cuda = device is Device.CUDA and not fixed
        block = bundle.block_of(BLOCK_ON_CUDA, self.card.input_size) if on_cuda else self.card.block
        self.block = 1 if mixes and not fixed else block
        """Block size, in images per run: constant, so that no result depends on its batch; halved only when the
        device runs out of memory. One where the network itself mixes the images of a run."""

    def predict(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return class probabilities (n, classes), float32, for face crops (n, side, side, 3), uint8 RGB.

        Raises:
            ModelError: the network fails, or its outputs are not probabilities.
        """
        return self.answer(pixels).probabilities

    def answer(self, pixels: NDArray[np.uint8]) -> Answer:
        """Return class probabilities, and those of a face, for face crops (n, side, side, 3), uint8 RGB.

        Raises:
            ModelError: the network fails, or its outputs are not probabilities.
        """
        classes = len(self.card.class_names)
        found = np.empty((len(pixels), classes + self.knows_faces), np.float32)
        at = 0
        while at < len(pixels):
            block = pixels[at : at + self.block]
            try:
                found[at : at + len(block)] = self._network(_padded(block, self.block))[: len(block)]
            except Exception as exc:  # ONNX Runtime's exceptions have no common base.
                if self.block == 1 or not is_out_of_memory(exc):
                    raise ModelError(f"{self.card.path} cannot be run: {one_line(exc)}") from exc
                self.block //= 2
            else:
                at += len(block)
        answer = Answer(found[:, :classes], found[:, classes] if self.knows_faces else None)
        self._check(answer)
        return answer

    def _check(self, answer: Answer) -> None:
        """Check the outputs, so that every score is a probability; NaN and infinity fail here, too."""
        found, faces = answer
        if not ((found >= 0).all() and (np.abs(found.sum(axis=1) - 1) <= _TOLERANCE).all()):
            raise ModelError(
                f"{self.card.path} outputs numbers that are not probabilities: they are not from 0 to 1, or their sum "
                "is not 1. End the network with a softmax"
            )
        if faces is not None and not ((faces >= 0) & (faces <= 1)).all():
            raise ModelError(
                f"{self.card.path} outputs numbers for {onnx_graph.FACE!r} that are not probabilities: they are not "
                "from 0 to 1. End that output with a sigmoid"
            )


def _padded(pixels: NDArray[np.uint8], length: int) -> NDArray[np.uint8]:
    missing = length - len(pixels)
    return np.pad(pixels, ((0, missing), (0, 0), (0, 0), (0, 0))) if missing else pixels


def _load_onnx_network(path: Path, device: Device, *, hashed: bool) -> tuple[Card, Network, bool, bool]:
    """Return card and network, whether it knows faces, and whether it takes no other batch than the card's block."""
    found = bundle.card(path, hashed=hashed)
    session = load(path, device)
    outputs = _outputs(path, session, found)
    name, batch = session.get_inputs()[0].name, session.get_inputs()[0].shape[0]
    if isinstance(batch, int) and batch != found.block:
        raise ModelError(
            f"{path} takes {batch} images at once, but its card says block {found.block}; make them the same"
        )
    run = partial(session.run, outputs)
    return (
        found,
        lambda pixels: _joined(run({name: pixels}), len(pixels), found),
        len(outputs) > 1,
        isinstance(batch, int),
    )


def _load_keras_network(path: Path) -> tuple[Card, Network]:
    found = bundle.card(path)
    model = keras_network.load(path)
    side = found.input_size
    expected = ((None, side, side, 3), (None, len(found.class_names)))
    shapes = getattr(model, "input_shape", None), getattr(model, "output_shape", None)
    if shapes != expected:
        raise ModelError(f"{path} maps {shapes[0]} to {shapes[1]}, not {expected[0]} to {expected[1]}")
    return found, lambda pixels: np.asarray(model(pixels.astype(np.float32) / 255, training=False))


def _joined(answers: Sequence[NDArray[np.float32]], count: int, card: Card) -> NDArray[np.float32]:
    """Return all outputs in one array, a row for each image; the shapes declared in the file can be wrong."""
    probabilities, *faces = answers
    if probabilities.shape != (count, len(card.class_names)):
        raise ValueError(f"its output is {probabilities.shape} for {count} images and {len(card.class_names)} classes")
    if not faces:
        return probabilities
    if faces[0].shape not in ((count, 1), (count,)):
        raise ValueError(f"its output {onnx_graph.FACE!r} is {faces[0].shape} for {count} images, not {(count, 1)}")
    return np.column_stack([probabilities, *faces])


def _outputs(path: Path, session: Any, found: Card) -> list[str]:
    """Return the names of the outputs to compute: the class probabilities, and that of a face where its card uses it.

    Raises:
        ModelError: the inputs or outputs are not those of a bundle.
    """
    inputs, outputs = session.get_inputs(), {one.name: one for one in session.get_outputs()}
    if len(inputs) != 1 or not outputs:
        raise ModelError(f"{path} is not a labeler bundle: it takes {len(inputs)} inputs, gives {len(outputs)} outputs")
    classes = outputs.pop(onnx_graph.of_classes(list(outputs)))
    side = found.input_size
    wanted = ("tensor(uint8)", [side, side, 3], "tensor(float)", [len(found.class_names)])
    actual = (inputs[0].type, inputs[0].shape[1:], classes.type, classes.shape[1:])
    if actual != wanted:
        raise ModelError(
            f"{path} is not a labeler bundle: it takes {actual[0]} {actual[1]} and gives {actual[2]} {actual[3]}; "
            f"expected {wanted[0]} {wanted[1]} and {wanted[2]} {wanted[3]}"
        )
    face = outputs.get(onnx_graph.FACE)
    if face is None or found.face_threshold is None:
        return [classes.name]
    if face.type != "tensor(float)" or face.shape[1:] not in ([1], []):
        raise ModelError(
            f"{path} is not a labeler bundle: its output {face.name!r} is {face.type} {face.shape[1:]}; "
            "expected tensor(float) [1]"
        )
    return [classes.name, face.name]
