"""Make a bundle with 8-bit integers by some photos, and say by others what that costs and gains."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labeler.cost import speed
from labeler.errors import NoPicturesError, OutputError
from labeler.evaluation import agreement, confusion, intervals
from labeler.evaluation.agreement import Gain
from labeler.evaluation.intervals import Interval
from labeler.evaluation.labelled import Photos, largest_faces, perhaps_labelled
from labeler.images.picture import Pixels
from labeler.inference import bundle, quantised_bundle
from labeler.inference.bundle import Card
from labeler.inference.classifier import Classifier
from labeler.labeling import Looker
from labeler.records import Faces, Resize, Settings
from labeler.selection import Selection
from labeler.storage import atomic
from labeler.tables.labels import Truth
from labeler.watched import Watched, unwatched

_TIMED = 256
"""Faces by which the speed is measured."""

_BLOCK_BYTES = 1 << 26
"""Upper limit on the crops that are answered together, in bytes."""


@dataclass(frozen=True, kw_only=True)
class QuantiseSettings:
    """What to make a bundle with 8-bit integers of, by which photos, and where to write it."""

    model: str
    out: Path
    """The file to write, in a folder that need not exist."""
    name: str
    data: Path
    truth: Truth | None = None
    faces: Faces = Faces.AUTO
    resize: Resize | None = None
    images: int = 300
    """Photos that the ranges are found by."""
    test_images: int = 2000
    """Upper limit on the photos that it is measured on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One of both bundles; the figures are None without a truth."""

    size: int
    """Bytes of the file."""
    speed: float
    """Faces a second on one core, of the network alone."""
    accuracy: float | None = None
    accuracy_interval: Interval | None = None
    macro_f1: float | None = None
    macro_f1_interval: Interval | None = None
    majority_baseline: float | None = None
    """The accuracy of always giving the most frequent class."""


@dataclass(frozen=True, kw_only=True)
class Quantised:
    """A bundle with 8-bit integers beside the one in float32 that it was made of."""

    out: Path
    calibrated: int
    """Faces that the ranges were found by; ``n`` others are those that both were measured on."""
    n: int
    against: str
    """The truth, or why there is none."""
    before: Side
    after: Side
    agreed: float
    """The share of the ``n`` faces that get the same label from both."""
    agreed_interval: Interval
    difference: float
    """The mean absolute difference of the probabilities."""
    gain: Gain | None
    """That in accuracy, mostly a loss; None without a truth."""

    def as_json(self) -> dict[str, Any]:
        """Return what `--json` prints."""
        return {**asdict(self), "out": str(self.out)}


def make(wanted: QuantiseSettings, watched: Watched = unwatched) -> Quantised:
    """Write a bundle with 8-bit integers, and measure it on photos that it was not calibrated on.

    Raises:
        ModelError: there is no such model, or it cannot be quantised.
        LabelerError: a table of labels does not fit the model.
        NoPicturesError: there are fewer than two faces.
        OutputError: it cannot be written.
    """
    source = bundle.float32(bundle.find(wanted.model))
    quantised_bundle.check(source)
    exact = Classifier(source)
    photos = perhaps_labelled(wanted.data, wanted.truth, exact.card.class_names)
    names = _drawn(photos, wanted)
    looker = Looker(Settings(root=photos.source.root, faces=wanted.faces, resize=wanted.resize), view=exact.card.view)
    fitted = max(1, min(wanted.images, len(names) // 2))
    crops = [crop for _, crop in largest_faces(looker, watched(names[:fitted], "looking", fitted))]
    if not crops:
        raise _too_few(wanted.data)
    with tempfile.TemporaryDirectory(prefix="labeler-") as folder:
        made = Path(folder) / bundle.CLASSIFIER
        quantised_bundle.quantise(source, made, np.stack(crops), watched=watched)
        measured = _Measured(exact, Classifier(made), photos)
        for name, crop in largest_faces(looker, watched(names[fitted:], "measuring", len(names) - fitted)):
            measured.add(name, crop)
        found = measured.result(wanted, len(crops))
        quantised_bundle.describe(made, _about(wanted, exact.card, found))
        _place(made, wanted.out)
    return found


def _drawn(photos: Photos, wanted: QuantiseSettings) -> list[str]:
    """Return some of the photos, in an order that is random and always the same."""
    names = sorted(photos.names, key=Selection().rank)[: wanted.images + wanted.test_images]
    if len(names) < 2:
        raise _too_few(wanted.data)
    return names


def _too_few(data: Path) -> NoPicturesError:
    return NoPicturesError(f"{data} has too few faces: some are calibrated on, and others measured; give some hundred")


class _Measured:
    """What both networks say of faces; the crops are forgotten, but for some to measure the speed by."""

    def __init__(self, exact: Classifier, small: Classifier, photos: Photos) -> None:
        self._networks = exact, small
        self._photos = photos
        self._waiting: list[Pixels] = []
        self._timed: list[Pixels] = []
        self._names: list[str] = []
        self._found: tuple[list[NDArray[np.float32]], list[NDArray[np.float32]]] = [], []

    def add(self, name: str, crop: Pixels) -> None:
        """Take a face."""
        self._names.append(name)
        self._waiting.append(crop)
        if len(self._timed) < min(_TIMED, _BLOCK_BYTES // crop.nbytes):
            self._timed.append(crop)
        if len(self._waiting) * crop.nbytes >= _BLOCK_BYTES:
            self._answer()

    def _answer(self) -> None:
        if self._waiting:
            crops, self._waiting = np.stack(self._waiting), []
            for classifier, found in zip(self._networks, self._found, strict=True):
                found.append(classifier.predict(crops))

    def result(self, wanted: QuantiseSettings, calibrated: int) -> Quantised:
        """Return the figures of both."""
        self._answer()
        if not self._names:
            raise _too_few(wanted.data)
        before, after = (np.concatenate(found) for found in self._found)
        labels = before.argmax(axis=1), after.argmax(axis=1)
        agreed, n = int((labels[0] == labels[1]).sum()), len(self._names)
        crops = np.stack(self._timed)
        speeds = speed.side_by_side([(one, crops) for one in self._networks])
        sides = [self._side(*each) for each in zip(self._networks, labels, speeds, strict=True)]
        return Quantised(
            out=wanted.out,
            calibrated=calibrated,
            n=n,
            against=self._photos.against,
            before=sides[0],
            after=sides[1],
            agreed=agreed / n,
            agreed_interval=intervals.of_share(agreed, n),
            difference=float(np.abs(after - before).mean()),
            gain=self._gain(*labels),
        )

    def _side(self, one: Classifier, labels: NDArray[np.int64], faces_per_s: float) -> Side:
        truth, names = self._truth(), one.card.class_names
        if truth is None:
            return Side(size=one.card.size, speed=faces_per_s)
        figures = confusion.between(truth, labels, names)
        return Side(
            size=one.card.size,
            speed=faces_per_s,
            accuracy=figures.accuracy,
            accuracy_interval=figures.accuracy_interval,
            macro_f1=figures.macro_f1,
            macro_f1_interval=figures.macro_f1_interval,
            majority_baseline=figures.majority_baseline,
        )

    def _gain(self, before: NDArray[np.int64], after: NDArray[np.int64]) -> Gain | None:
        truth = self._truth()
        if truth is None:
            return None
        right = before == truth, after == truth
        return agreement.gain(int((right[0] & ~right[1]).sum()), int((right[1] & ~right[0]).sum()), len(truth))

    def _truth(self) -> NDArray[np.int64] | None:
        """Return the place of the true class of each face; None where it is not known."""
        classes, names = self._photos.classes, self._networks[0].card.class_names
        return np.array([names.index(classes[name]) for name in self._names]) if classes else None


def _about(wanted: QuantiseSettings, card: Card, found: Quantised) -> dict[str, Any]:
    """Return what the card of the new bundle says; figures of another network are not kept."""
    measured = None
    if found.after.accuracy is not None:
        measured = {
            "data": f"{wanted.data.name}, faces that were not calibrated on",
            "against": found.against,
            "n": found.n,
            "accuracy": found.after.accuracy,
            "accuracy_interval": found.after.accuracy_interval,
            "macro_f1": found.after.macro_f1,
            "macro_f1_interval": found.after.macro_f1_interval,
            "majority_baseline": found.after.majority_baseline,
        }
    return {
        "name": wanted.name,
        "source": f"{card.name}, {card.sha256}, in 8-bit integers by labeler models quantize",
        "speed": float(f"{found.after.speed:.3g}"),
        "validation": measured,
    }


def _place(made: Path, out: Path) -> None:
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise OutputError(f"cannot write {out}: {exc.strerror or exc}") from exc
    with atomic.replacing(out) as beside:
        shutil.copyfile(made, beside)
