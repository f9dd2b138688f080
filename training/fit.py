"""Train a network on folders of faces. `train` is the whole story."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np
from rich.console import Console

from labeler import __version__, charts, evaluation, files
from labeler.classifier import Classifier
from labeler.confidence import Probabilities
from labeler.console import stderr
from labeler.errors import Interrupted, OutputError
from labeler.evaluation import Figures
from labeler.images import Pixels
from labeler.labeling import DECIMALS
from training import (
    averages,
    batches,
    calibration,
    callbacks,
    curves,
    dataset,
    display,
    export,
    labels,
    precision,
    run,
    state,
    steps,
    weights,
)
from training.calibration import Calibration
from training.dataset import Dataset
from training.history import History
from training.labels import Labelled
from training.recipes import Recipe
from training.settings import TrainSettings, continued, decisive, recipe_of, spelled_out
from training.weights import Given

BUNDLE = "model.onnx"
METRICS = "metrics.json"
CURVES = "curves.png"
CONFUSION = "confusion.png"

_SHOWN = 20
"""How many skipped pictures are listed on the terminal."""

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
"""What of the figures stands in the bundle."""

_SAMPLES = 256
_SHOWN_AT_ONCE = 512


@dataclass(frozen=True, slots=True)
class Trained:
    """What a training has come to; ``skipped`` says of each file that could not be used why.

    ``before`` is what the model that it went on from says of the same validation pictures.
    """

    out: Path
    figures: Figures
    epochs: int
    best_epoch: int
    skipped: tuple[str, ...]
    before: Figures | None = None
    calibration: Calibration | None = None


def train(settings: TrainSettings) -> Trained:
    """Train a network and fill the run directory; the figures are those of the exported bundle.

    Raises:
        Interrupted: Ctrl-C. Unless it came before the first epoch was over, the run directory is complete, with
            the best network so far. `resume` continues.
        LabelerError: a setting, the data or the model to go on from cannot be used, or the run to resume is another.
        OutputError: the run directory cannot be written.
    """
    given = weights.load(settings.start) if settings.start else None
    if given:
        settings = continued(settings, given.arch)
    recipe = recipe_of(settings)
    console = stderr()
    learnt, judged = dataset.find(settings.data, settings.val, settings.labels, settings.classes)
    run.open_directory(settings.out, resume=settings.resume)
    keras.utils.set_random_seed(settings.seed)
    try:
        with _decoded(settings, learnt, judged, console) as pictures:
            _tell(pictures, console)
            note = run.check_same if settings.resume else run.begin
            note(settings.out, _made_of(settings, pictures, given))
            network, history = state.load(settings.out, _settle(settings, pictures)) or (
                _fresh(recipe, pictures, given),
                History(),
            )
            finished = _fit(network, pictures, settings, history, console)
            with console.status("exporting and measuring the best network"):
                trained = _finish(pictures, settings, history, given)
    except KeyboardInterrupt:
        again = "--resume continues" if (settings.out / run.RECORD).exists() else "the same command begins again"
        raise Interrupted(f"stopped; {again}") from None
    if not finished:
        raise Interrupted(
            f"stopped after epoch {trained.epochs}; {settings.out} holds the best network so far, that of epoch "
            f"{trained.best_epoch}; --resume continues"
        )
    return trained


@contextmanager
def _decoded(settings: TrainSettings, learnt: Labelled, judged: Labelled | None, console: Console) -> Iterator[Dataset]:
    with ExitStack() as stack:
        with display.reading(console) as progress:
            pictures = dataset.opened(
                learnt,
                judged,
                val_split=settings.val_split,
                seed=settings.seed,
                group_by=settings.group_by,
                cache=settings.out,
                workers=settings.workers,
                progress=progress,
            )
            decoded = stack.enter_context(pictures)
        yield decoded


def _made_of(settings: TrainSettings, pictures: Dataset, given: Given | None) -> dict[str, Any]:
    """Return what makes this run this run, and no other."""
    return {
        **decisive(settings),
        "from": given.card.sha256 if given else None,
        "class_names": list(pictures.class_names),
        "pixels": pictures.digest,
    }


def _tell(pictures: Dataset, console: Console) -> None:
    skipped = [f"skipped {line}" for line in pictures.skipped]
    if len(skipped) > _SHOWN:
        skipped[_SHOWN:] = [f"... {len(skipped) - _SHOWN:,} more skipped; {METRICS} will list them all"]
    for line in (
        f"{len(pictures.class_names)} classes: {', '.join(pictures.class_names)}",
        pictures.summary(),
        *skipped,
    ):
        console.print(line, markup=False, soft_wrap=True)


def _fresh(recipe: Recipe, pictures: Dataset, given: Given | None) -> keras.Model:
    names = pictures.class_names
    network = weights.with_classes(given, names) if given else recipe.network(len(names))
    return recipe.ready(
        network, recipe.learning_rate, recipe.epochs * batches.steps(pictures.training, recipe.batch_size)
    )


def _settle(settings: TrainSettings, pictures: Dataset) -> averages.Settle:
    return partial(averages.settle, shown=batches.shown(pictures, _lessons(settings)))


def _lessons(settings: TrainSettings) -> batches.Lessons:
    recipe = recipe_of(settings)
    vary = recipe.varied(settings.seed) if recipe.augment else None
    return batches.Lessons(recipe.batch_size, settings.seed, vary, recipe.smoothing, settings.balance)


def _fit(network: keras.Model, pictures: Dataset, settings: TrainSettings, history: History, console: Console) -> bool:
    """Train until there is nothing more to learn or Ctrl-C; say whether it was not Ctrl-C."""
    recipe = recipe_of(settings)
    lessons = _lessons(settings)
    done = len(history.epochs)
    if done >= recipe.epochs or history.waited >= max(recipe.patience, 1):
        return True
    stopping = callbacks.early_stopping(recipe.patience)
    checkpoint = callbacks.checkpoint(settings.out)
    averaging = [averages.Averages(_settle(settings, pictures))] if network.optimizer.use_ema else []
    interrupt = callbacks.StopOnInterrupt()
    shown = display.Display(console, history, recipe.epochs, recipe.patience)
    if lessons.at_once > 1:
        steps.quicken(network)
    try:
        with interrupt.listening(), shown.shown():
            network.fit(
                batches.training(pictures, lessons, first_epoch=done),
                validation_data=batches.validation(pictures, recipe.batch_size),
                steps_per_epoch=batches.calls(pictures.training, lessons),
                initial_epoch=done,
                epochs=recipe.epochs,
                callbacks=[
                    callbacks.Recorder(settings.out, history),
                    *averaging,
                    callbacks.Chance(settings.seed),
                    checkpoint,
                    stopping,
                    callbacks.Memory(settings.out, history, stopping, checkpoint),
                    shown,
                    interrupt,
                ],
                shuffle=False,  # The batches are, by seed and epoch.
                verbose=0,
            )
    except callbacks.Stopped:
        if not history.epochs:
            raise Interrupted("stopped before the first epoch was over; --resume begins it again") from None
        return False
    except OSError as exc:
        raise OutputError(f"cannot write to {settings.out}: {exc.strerror or exc}; --resume continues") from exc
    return True


def _finish(pictures: Dataset, settings: TrainSettings, history: History, given: Given | None) -> Trained:
    """Calibrate and export the best network, judge the bundle, and write and draw what came out."""
    out = settings.out
    best = _best(out)
    samples = pictures.pixels[pictures.validation.places[:_SAMPLES]]
    fitted = calibration.fitted(_probabilities(best, pictures), pictures.validation.labels)
    card = {**weights.origin(given, _name(settings.data, settings.labels)), "temperature": fitted.temperature}
    calibrated = calibration.calibrated(best, fitted.temperature)
    export.export(calibrated, pictures.class_names, out / BUNDLE, samples=samples, card=card)
    export.name_classes(out / state.BEST_NETWORK, pictures.class_names)
    figures = replace(_judge(Classifier(out / BUNDLE), pictures), against=_against(settings, pictures))
    validation = {"data": _validation_name(settings), **figures.as_json()}
    export.describe(out / BUNDLE, {"validation": {key: validation[key] for key in _SHORT} | {"ece": fitted.ece}})
    curves.draw(history, out / CURVES)
    charts.draw_confusion(figures, out / CONFUSION)
    before = _judge(Classifier(given.path), pictures) if given else None
    trained = Trained(out, figures, len(history.epochs), history.best.number, pictures.skipped, before, fitted)
    about = {
        "epochs": trained.epochs,
        "best_epoch": trained.best_epoch,
        "skipped": trained.skipped,
        "unified": dict(pictures.unified),
        "calibration": asdict(fitted),
        "before": before.as_json() if before else None,
        "settings": spelled_out(settings),
        "created_with": f"labeler {__version__}",
    }
    files.write_json(out / METRICS, {**validation, **about})
    return trained


def _best(out: Path) -> keras.Model:
    """Return the best network, and leave it in the run directory, as anyone's Keras computes it."""
    trained = keras.saving.load_model(out / state.BEST_NETWORK, compile=False, safe_mode=True)
    best = precision.plain(trained)
    if best is not trained:
        with files.replacing(out / state.BEST_NETWORK) as beside:
            best.save(beside)
    return best


def _probabilities(network: keras.Model, pictures: Dataset) -> Probabilities:
    """Return what the network says of the validation pictures (n, classes)."""
    shown = _shown(pictures)
    return np.concatenate([network.predict_on_batch(pixels.astype(np.float32) * steps.SCALE) for pixels in shown])


def _judge(classifier: Classifier, pictures: Dataset) -> Figures:
    """Compare what a model says of the validation pictures with their labels, by the names of the classes."""
    names = classifier.card.class_names
    probabilities = np.concatenate([classifier.predict(pixels) for pixels in _shown(pictures)])
    rounded = probabilities.astype(np.float64).round(DECIMALS)  # As in the table, so that ties fall alike.
    predicted = [names[label] for label in rounded.argmax(axis=1)]
    truth = [pictures.class_names[label] for label in pictures.validation.labels]
    every = tuple(dict.fromkeys((*pictures.class_names, *names)))
    figures = evaluation.compare(truth, predicted, every, rounded if every == names else None)
    return replace(figures, left_out=dict(pictures.left_out))


def _shown(pictures: Dataset) -> Iterator[Pixels]:
    places = pictures.validation.places
    return (pictures.pixels[places[at : at + _SHOWN_AT_ONCE]] for at in range(0, len(places), _SHOWN_AT_ONCE))


def _against(settings: TrainSettings, pictures: Dataset) -> str:
    if not settings.labels:
        return evaluation.FOLDERS
    return labels.against(settings.labels, soft=pictures.shares is not None)


def _validation_name(settings: TrainSettings) -> str:
    if settings.val:
        return _name(settings.val, settings.labels)
    return f"{settings.val_split:.0%} of {_name(settings.data, settings.labels)}, seed {settings.seed}"


def _name(directory: Path, labels: Path | None) -> str:
    """Name a directory by its last two folders: enough to recognise it, nothing of the machine; and its table."""
    name = "/".join(directory.resolve().parts[1:][-2:])
    return f"{name} with {labels.name}" if labels else name
