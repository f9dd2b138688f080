"""Finish a run: calibrate and export the best network, evaluate the bundle, write metrics and charts."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

import keras
import numpy as np

from labeler._version import __version__
from labeler.evaluation import charts
from labeler.evaluation.calibration import Probabilities
from labeler.inference import keras_network
from labeler.inference.classifier import Classifier
from labeler.storage import atomic
from training import judging, warm_start
from training.bundle import curves, export, temperature
from training.data.dataset import Dataset
from training.judging import BUNDLE, CONFUSION, METRICS, SHORT, Trained
from training.loop import checkpoint
from training.loop.history import History
from training.networks import fast_steps
from training.settings import TrainSettings, spelled_out
from training.warm_start import Pretrained

CURVES = "curves.png"

_SAMPLES = 256
"""Upper limit on the validation images on which the bundle is compared with the network."""


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
    card = {**warm_start.origin(given, judging.name(settings.data, settings.labels)), "temperature": fitted.temperature}
    card |= {"resize": settings.resize} if settings.resize else {}
    calibrated = temperature.calibrated(best, fitted.temperature)
    export.export(calibrated, images.class_names, out / BUNDLE, samples=samples, card=card)
    export.name_classes(out / checkpoint.BEST_NETWORK, images.class_names)
    judged = judging.judge(judging.predicted(Classifier(out / BUNDLE), images), images.class_names, images)
    figures = replace(judged, against=judging.against(settings, images))
    validation = {"data": judging.validation_name(settings), **figures.as_json()}
    calibration = {"ece": fitted.ece, "reliability": validation["confidence"]["reliability"]}
    export.describe(out / BUNDLE, {"validation": {key: validation[key] for key in SHORT} | calibration})
    charts.save(curves.draw(history), out / CURVES)
    charts.save(charts.draw_confusion(figures), out / CONFUSION)
    before, recalibrated = (
        judging.without_training(Classifier(given.path), images, settings.seed) if given else (None, "")
    )
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
    shown = judging.shown(images)
    return np.concatenate([network.predict_on_batch(pixels.astype(np.float32) * fast_steps.SCALE) for pixels in shown])
