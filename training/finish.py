"""Finish a run: calibrate and export the best network, evaluate the bundle, write metrics and charts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import keras
import numpy as np

from labeler._version import __version__
from labeler.certify import calibrate
from labeler.certify.recalibration import Recalibration
from labeler.evaluation import charts, metrics
from labeler.evaluation.calibration import Probabilities
from labeler.evaluation.metrics import Figures
from labeler.images.picture import Pixels
from labeler.inference import keras_network
from labeler.inference.classifier import Classifier
from labeler.labeling import DECIMALS
from labeler.storage import atomic
from labeler.tables import labels
from training import warm_start
from training.bundle import curves, export, temperature
from training.bundle.temperature import Calibration
from training.data.dataset import Dataset, Places
from training.loop import checkpoint
from training.loop.history import History
from training.networks import fast_steps
from training.settings import TrainSettings, spelled_out
from training.warm_start import Pretrained

BUNDLE = "model.onnx"
METRICS = "metrics.json"
CURVES = "curves.png"
CONFUSION = "confusion.png"

_SHORT = (
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

_SAMPLES = 256
"""Upper limit on the validation images on which the bundle is compared with the network."""

_SHOWN_AT_ONCE = 512
"""Images per prediction, which bounds the memory."""

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


def conclude(images: Dataset, settings: TrainSettings, history: History, given: Pretrained | None) -> Trained:
    """Calibrate and export the best network, evaluate the bundle, and write metrics and charts.

    Raises:
        LabelerError: the bundle differs from the network.
        OutputError: the run directory cannot be written.
    """
    out = settings.out
    best = _best(out)
    samples = images.pixels[images.validation.places[:_SAMPLES]]
    fitted = temperature.fit(_probabilities(best, images), images.validation.labels)
    card = {**warm_start.origin(given, _name(settings.data, settings.labels)), "temperature": fitted.temperature}
    calibrated = temperature.calibrated(best, fitted.temperature)
    export.export(calibrated, images.class_names, out / BUNDLE, samples=samples, card=card)
    export.name_classes(out / checkpoint.BEST_NETWORK, images.class_names)
    judged = _judge(_predicted(Classifier(out / BUNDLE), images), images.class_names, images)
    figures = replace(judged, against=_against(settings, images))
    validation = {"data": _validation_name(settings), **figures.as_json()}
    calibration = {"ece": fitted.ece, "reliability": validation["confidence"]["reliability"]}
    export.describe(out / BUNDLE, {"validation": {key: validation[key] for key in _SHORT} | calibration})
    charts.save(curves.draw(history), out / CURVES)
    charts.save(charts.draw_confusion(figures), out / CONFUSION)
    before, recalibrated = _without_training(Classifier(given.path), images, settings.seed) if given else (None, "")
    trained = Trained(
        out=out,
        figures=figures,
        epochs=len(history.epochs),
        best_epoch=history.best.number,
        skipped=images.skipped,
        before=before,
        recalibrated=recalibrated,
        calibration=fitted,
    )
    about = {
        "epochs": trained.epochs,
        "best_epoch": trained.best_epoch,
        "skipped": trained.skipped,
        "unified": dict(images.unified),
        "calibration": asdict(fitted),
        "before": before.as_json() if before else None,
        "recalibrated": recalibrated if isinstance(recalibrated, str) else recalibrated.as_json(),
        "settings": spelled_out(settings),
        "created_with": f"labeler {__version__}",
    }
    atomic.write_json(out / METRICS, {**validation, **about})
    return trained


def _best(out: Path) -> keras.Model:
    """Return the best network in float32 and with Keras' own layers; save it so in the run directory."""
    trained = keras_network.load(out / checkpoint.BEST_NETWORK)
    best = keras_network.plain(trained)
    if best is not trained:
        with atomic.replacing(out / checkpoint.BEST_NETWORK) as beside:
            best.save(beside)
    return best


def _probabilities(network: keras.Model, images: Dataset) -> Probabilities:
    """Return the probabilities (n, classes) of the validation images."""
    shown = _shown(images)
    return np.concatenate([network.predict_on_batch(pixels.astype(np.float32) * fast_steps.SCALE) for pixels in shown])


def _without_training(given: Classifier, images: Dataset, seed: int) -> tuple[Figures, Figures | str]:
    """Return the figures of the model that was given, and those after a recalibration, or why there are none."""
    probabilities, names = _predicted(given, images), given.card.class_names
    fitted = _recalibration(given, images, seed)
    recalibrated = fitted if isinstance(fitted, str) else _judge(fitted(probabilities), names, images)
    return _judge(probabilities, names, images), recalibrated


def _recalibration(given: Classifier, images: Dataset, seed: int) -> Recalibration | str:
    """Fit temperature and offsets of a model to training images, or say why not."""
    names = given.card.class_names
    if set(names) != set(images.class_names):
        return "the classes are others"
    chosen = np.random.default_rng(seed).permutation(len(images.training))[:_LEARNT_FROM]
    places, codes = images.training.places[chosen], [names.index(name) for name in images.class_names]
    probabilities = np.concatenate([given.predict(pixels) for pixels in _in_parts(images, places)])
    truth = np.array(codes)[images.training.labels[chosen]]
    found = calibrate.calibrate(probabilities, truth, np.ones(len(truth)))
    if not found:
        return f"too few images to recalibrate by: {len(truth)} of at least {calibrate.FEWEST}"
    return found.recalibration or "no gain is certain"


def _predicted(classifier: Classifier, images: Dataset) -> Probabilities:
    """Return the probabilities (n, classes) of the validation images by a bundle."""
    return np.concatenate([classifier.predict(pixels) for pixels in _shown(images)])


def _judge(probabilities: Probabilities, names: Sequence[str], images: Dataset) -> Figures:
    """Compare predictions for the validation images with their labels, by class name."""
    rounded = probabilities.astype(np.float64).round(DECIMALS)  # As in the table, so that ties are broken alike.
    predicted = [names[label] for label in rounded.argmax(axis=1)]
    truth = [images.class_names[label] for label in images.validation.labels]
    every = tuple(dict.fromkeys((*images.class_names, *names)))
    figures = metrics.compare(truth, predicted, every, rounded if every == tuple(names) else None)
    return replace(figures, left_out=dict(images.left_out))


def _shown(images: Dataset) -> Iterator[Pixels]:
    return _in_parts(images, images.validation.places)


def _in_parts(images: Dataset, places: Places) -> Iterator[Pixels]:
    return (images.pixels[places[at : at + _SHOWN_AT_ONCE]] for at in range(0, len(places), _SHOWN_AT_ONCE))


def _against(settings: TrainSettings, images: Dataset) -> str:
    if not settings.labels:
        return metrics.FOLDERS
    return labels.against(settings.labels, soft=images.shares is not None)


def _validation_name(settings: TrainSettings) -> str:
    if settings.val:
        return _name(settings.val, settings.labels)
    return f"{settings.val_split:.0%} of {_name(settings.data, settings.labels)}, seed {settings.seed}"


def _name(directory: Path, labels: Path | None) -> str:
    """Describe a data set by its last two folders and its table: recognisable, but nothing else of the machine."""
    name = "/".join(directory.resolve().parts[1:][-2:])
    return f"{name} with {labels.name}" if labels else name
