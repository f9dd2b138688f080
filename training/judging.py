"""Judge a network on the validation images of a run: its figures, and those of the model that it was made of."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from labeler.certify import calibrate
from labeler.certify.recalibration import Recalibration
from labeler.evaluation import metrics
from labeler.evaluation.calibration import Probabilities
from labeler.evaluation.metrics import Figures
from labeler.images.picture import Pixels
from labeler.inference.bundle import block_of
from labeler.inference.classifier import Classifier
from labeler.labeling import DECIMALS
from labeler.tables import labels
from training.bundle.temperature import Calibration
from training.data.dataset import Dataset, Places
from training.settings import TrainSettings

BUNDLE = "model.onnx"
METRICS = "metrics.json"
CONFUSION = "confusion.png"

SHORT = (
    "data",
    "against",
    "n",
    "accuracy",
    "accuracy_interval",
    "macro_f1",
    "macro_f1_interval",
    "majority_baseline",
    "left_out",
)
"""Figures that the metadata of the bundle holds."""

_SHOWN_AT_ONCE = 512
"""Images of 64x64 pixels per prediction, which bounds the memory."""

_LEARNT_FROM = 5000
"""Upper limit on the training images that a model is recalibrated by: more change nothing but the time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """The result of a run. ``skipped`` says which files could not be used, and why.

    ``before`` holds the figures of the model that was fine-tuned, on the same validation images; ``recalibrated`` those
    after no more than a temperature and an offset for each class were fitted to training images, or why there are none.
    """

    out: Path
    figures: Figures
    epochs: int
    best_epoch: int
    skipped: tuple[str, ...]
    before: Figures | None = None
    recalibrated: Figures | str = ""
    calibration: Calibration | None = None
    only_head: str = ""
    """Why nothing but the last layer was trained; empty where all were."""


def without_training(given: Classifier, images: Dataset, seed: int) -> tuple[Figures, Figures | str]:
    """Return the figures of the model that was given, and those after a recalibration, or why there are none."""
    probabilities, names = predicted(given, images), given.card.class_names
    fitted = _recalibration(given, images, seed)
    recalibrated = fitted if isinstance(fitted, str) else judge(fitted(probabilities), names, images)
    return judge(probabilities, names, images), recalibrated


def _recalibration(given: Classifier, images: Dataset, seed: int) -> Recalibration | str:
    """Fit temperature and offsets of a model to training images, or say why not."""
    names = given.card.class_names
    if set(names) != set(images.class_names):
        return "the classes are others"
    chosen = np.random.default_rng(seed).permutation(len(images.training))[:_LEARNT_FROM]
    places, codes = images.training.places[chosen], [names.index(name) for name in images.class_names]
    probabilities = np.concatenate([given.predict(pixels) for pixels in in_parts(images, places)])
    truth = np.array(codes)[images.training.labels[chosen]]
    found = calibrate.calibrate(probabilities, truth, np.ones(len(truth)))
    if not found:
        return f"too few images to recalibrate by: {len(truth)} of at least {calibrate.FEWEST}"
    return found.recalibration or "no gain is certain"


def predicted(classifier: Classifier, images: Dataset) -> Probabilities:
    """Return the probabilities (n, classes) of the validation images by a bundle."""
    return np.concatenate([classifier.predict(pixels) for pixels in shown(images)])


def judge(probabilities: Probabilities, names: Sequence[str], images: Dataset) -> Figures:
    """Compare predictions for the validation images with their labels, by class name."""
    rounded = probabilities.astype(np.float64).round(DECIMALS)  # As in the table, so that ties are broken alike.
    labelled = [names[label] for label in rounded.argmax(axis=1)]
    truth = [images.class_names[label] for label in images.validation.labels]
    every = tuple(dict.fromkeys((*images.class_names, *names)))
    figures = metrics.compare(truth, labelled, every, rounded if every == tuple(names) else None)
    return replace(figures, left_out=dict(images.left_out))


def shown(images: Dataset) -> Iterator[Pixels]:
    """Return the validation images, a part at a time."""
    return in_parts(images, images.validation.places)


def in_parts(images: Dataset, places: Places) -> Iterator[Pixels]:
    """Return the images at some rows of the cache, a part at a time."""
    at_once = block_of(_SHOWN_AT_ONCE, images.pixels.shape[1])
    return (images.pixels[places[at : at + at_once]] for at in range(0, len(places), at_once))


def against(settings: TrainSettings, images: Dataset) -> str:
    """Say what the figures are compared with."""
    if not settings.labels:
        return metrics.FOLDERS
    return labels.against(settings.labels, soft=images.shares is not None)


def validation_name(settings: TrainSettings) -> str:
    """Describe the validation images."""
    if settings.val:
        return name(settings.val, settings.labels)
    return f"{settings.val_split:.0%} of {name(settings.data, settings.labels)}, seed {settings.seed}"


def name(directory: Path, labels: Path | None) -> str:
    """Describe a data set by its last two folders and its table: recognisable, but nothing else of the machine."""
    folders = "/".join(directory.resolve().parts[1:][-2:])
    return f"{folders} with {labels.name}" if labels else folders
