"""Train nothing but the last layer of a network that cannot be rebuilt: on its features, which stay as they are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from labeler._version import __version__
from labeler.errors import LabelerError, ModelError
from labeler.evaluation import charts
from labeler.inference import bundle, embeddings
from labeler.inference.bundle import Card
from labeler.inference.classifier import Classifier
from labeler.storage import atomic
from training import judging
from training.bundle import temperature
from training.bundle.temperature import Calibration
from training.data.dataset import Dataset
from training.frozen import graph, softmax
from training.judging import BUNDLE, CONFUSION, METRICS, SHORT, Trained
from training.settings import TrainSettings

_OF_ALL_LAYERS = {
    "arch": "--arch",
    "epochs": "--epochs",
    "patience": "--patience",
    "batch_size": "--batch-size",
    "learning_rate": "--learning-rate",
    "augment": "--augment",
}
"""Settings, None unless given, that have no meaning where only the last layer is fitted."""


class Frozen(NamedTuple):
    """A model whose last layer is trained."""

    path: Path
    card: Card
    why: str
    """Why only that."""


def begin(settings: TrainSettings, why: str) -> Frozen:
    """Return the model to start from, or say why its last layer cannot be trained.

    Raises:
        LabelerError: a setting is given that means nothing here.
        ModelError: the model gives no features, or is no bundle.
    """
    given = [option for name, option in _OF_ALL_LAYERS.items() if getattr(settings, name) is not None]
    given += ["--resume"] if settings.resume else []
    given += ["--strategy"] if settings.strategy != "none" else []
    path = bundle.float32(bundle.find(settings.start or ""))
    if path.suffix != ".onnx":
        raise ModelError(f"{why}; make a bundle of it with labeler models add, whose last layer can be trained")
    embeddings.network(path)  # Raises a ModelError before all photos are read.
    if given:
        raise LabelerError(f"only the last layer of {path} can be trained ({why}): omit {', '.join(given)}")
    if not 0 < settings.val_split < 1 or not 0 <= settings.balance <= 1:
        raise LabelerError("--val-split must lie between 0 and 1, --balance from 0 to 1")
    return Frozen(path, bundle.card(path), why)


def train(images: Dataset, settings: TrainSettings, given: Frozen, watched: Callable[[int, int], None]) -> Trained:
    """Fit the last layer to the training images, choose its regularisation by the others, and write the run directory.

    ``watched`` is called with the number of images embedded and the total.

    Raises:
        ModelError: the network fails, or its last layer cannot be replaced.
        OutputError: the run directory cannot be written.
    """
    every = embeddings.embed(given.path, images.pixels, settings.workers, watched)
    targets = _weighted(images.targets(images.training), settings.balance)
    shown = every[images.validation.places]
    chosen = softmax.choose(every[images.training.places], targets, shown, images.validation.labels)
    fitted = temperature.fit(softmax.predict(chosen.head, shown), images.validation.labels)
    kernel, bias = chosen.head.kernel / fitted.temperature, chosen.head.offsets / fitted.temperature
    write = partial(graph.with_head, given.path, settings.out / BUNDLE, kernel, bias)
    card = _card(targets, images, settings, given) | {"temperature": fitted.temperature}
    write(card)
    trained = _judged(fitted, images, settings, given)
    validation = {"data": judging.validation_name(settings), **trained.figures.as_json()}
    calibration = {"ece": fitted.ece, "reliability": validation["confidence"]["reliability"]}
    write({**card, "validation": {key: validation[key] for key in SHORT} | calibration})
    charts.save(charts.draw_confusion(trained.figures), settings.out / CONFUSION)
    about = {"only_head": given.why, "features": len(kernel), "regularisation": chosen.as_json()}
    atomic.write_json(settings.out / METRICS, {**validation, **about, **_about(trained, images, settings)})
    return trained


def _weighted(targets: NDArray[np.floating], balance: float) -> NDArray[np.float64]:
    """Return targets (n, classes) times the weight of an image, 1 on average: the rarer its classes, the higher."""
    wide = targets.astype(np.float64)
    weights = wide @ np.maximum(wide.sum(axis=0), 1) ** -balance
    return np.asarray(wide * (weights / weights.mean())[:, None])


def _card(targets: NDArray[np.float64], images: Dataset, settings: TrainSettings, given: Frozen) -> dict[str, Any]:
    data = judging.name(settings.data, settings.labels)
    card: dict[str, Any] = {
        "name": settings.out.resolve().name,
        "class_names": list(images.class_names),
        "training_data": f"{given.card.training_data or given.card.name} (its features, frozen), then {data}",
        "block": given.card.block,
        "resize": settings.resize or given.card.resize,
    }
    prior = [float(share) for share in targets.sum(axis=0) / targets.sum()]
    return card | ({"prior": prior} if bundle.is_prior(prior, len(prior)) else {})


def _judged(fitted: Calibration, images: Dataset, settings: TrainSettings, given: Frozen) -> Trained:
    """Evaluate the bundle, and the model that it was made of where they share a class."""
    names = images.class_names
    judged = judging.judge(judging.predicted(Classifier(settings.out / BUNDLE), images), names, images)
    before, recalibrated = (
        judging.without_training(Classifier(given.path), images, settings.seed)
        if set(given.card.class_names).intersection(names)
        else (None, "")
    )
    return Trained(
        out=settings.out,
        figures=replace(judged, against=judging.against(settings, images)),
        epochs=0,
        best_epoch=0,
        skipped=images.skipped,
        before=before,
        recalibrated=recalibrated,
        calibration=fitted,
        only_head=given.why,
    )


def _about(trained: Trained, images: Dataset, settings: TrainSettings) -> dict[str, Any]:
    before, recalibrated = trained.before, trained.recalibrated
    chosen = {name: value for name, value in asdict(settings).items() if name not in _OF_ALL_LAYERS}
    return {
        "skipped": trained.skipped,
        "unified": dict(images.unified),
        "calibration": trained.calibration and asdict(trained.calibration),
        "before": before.as_json() if before else None,
        "recalibrated": recalibrated if isinstance(recalibrated, str) else recalibrated.as_json(),
        "settings": {name: str(value) if isinstance(value, Path) else value for name, value in chosen.items()},
        "created_with": f"labeler {__version__}",
    }
