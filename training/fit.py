"""Train a network on folders of faces. `train` is the whole story."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
from rich.console import Console

from labeler import __version__, evaluation, files
from labeler.classifier import Classifier
from labeler.console import stderr
from labeler.errors import Interrupted, LabelerError, OutputError
from labeler.evaluation import Figures
from labeler.labeling import DECIMALS
from training import batches, callbacks, curves, dataset, display, export, networks, run, state, steps
from training.dataset import Dataset, Folders
from training.history import History

BUNDLE = "model.onnx"
METRICS = "metrics.json"
CURVES = "curves.png"
CONFUSION = "confusion.png"

_MAY_CHANGE = frozenset({"data", "val", "out", "epochs", "patience", "workers", "resume"})
"""What may differ when a run is continued: where things lie (the pixels are compared) and how long to go on."""

_SHOWN = 20
"""How many skipped pictures are listed on the terminal."""

_SAMPLES = 256
_PREDICTED_AT_ONCE = 1024


@dataclass(frozen=True, slots=True)
class TrainSettings:
    """Everything a training is made of."""

    data: Path
    """The directory of class folders."""
    out: Path
    """The run directory: new or empty, unless `resume`."""
    val: Path | None = None
    """A directory with the same class folders to validate with, instead of a share of `data`."""
    val_split: float = 0.2
    arch: str = "documented"
    epochs: int = 500
    patience: int = 10
    batch_size: int = 32
    learning_rate: float = 0.001
    augment: bool = False
    seed: int = 0
    workers: int = 1
    """Processes that decode pictures, once, before the first epoch; 0 for one per core."""
    resume: bool = False


@dataclass(frozen=True, slots=True)
class Trained:
    """What a training has come to; ``skipped`` says of each file that could not be used why."""

    out: Path
    figures: Figures
    epochs: int
    best_epoch: int
    skipped: tuple[str, ...]


def train(settings: TrainSettings) -> Trained:
    """Train a network and fill the run directory; the figures are those of the exported bundle.

    Raises:
        Interrupted: Ctrl-C. Unless it came before the first epoch was over, the run directory is complete, with
            the best network so far. `resume` continues.
        LabelerError: a setting or the data cannot be used, or the run to resume is another one.
        OutputError: the run directory cannot be written.
    """
    _check(settings)
    console = stderr()
    learnt = dataset.scan(settings.data)
    judged = dataset.scan(settings.val) if settings.val else None
    run.open_directory(settings.out, resume=settings.resume)
    keras.utils.set_random_seed(settings.seed)
    try:
        with _decoded(settings, learnt, judged, console) as pictures:
            _tell(pictures, console)
            note = run.check_same if settings.resume else run.begin
            note(settings.out, _made_of(settings, pictures))
            network, history = state.load(settings.out) or (_fresh(settings, pictures), History())
            finished = _fit(network, pictures, settings, history, console)
            with console.status("exporting and measuring the best network"):
                trained = _finish(pictures, settings, history)
    except KeyboardInterrupt:
        again = "--resume continues" if (settings.out / run.RECORD).exists() else "the same command begins again"
        raise Interrupted(f"stopped; {again}") from None
    if not finished:
        raise Interrupted(
            f"stopped after epoch {trained.epochs}; {settings.out} holds the best network so far, that of epoch "
            f"{trained.best_epoch}; --resume continues"
        )
    return trained


def _check(settings: TrainSettings) -> None:
    wrong = [
        (settings.arch not in networks.ARCHITECTURES, f"--arch is one of {', '.join(networks.ARCHITECTURES)}"),
        (not 0 < settings.val_split < 1, "--val-split lies between 0 and 1"),
        (settings.epochs < 1, "--epochs is at least 1"),
        (settings.patience < 0, "--patience is not negative"),
        (settings.batch_size < 1, "--batch-size is at least 1"),
        (not settings.learning_rate > 0, "--learning-rate is above 0"),
        (not 0 <= settings.seed < 2**32, "--seed lies between 0 and 4294967295"),
    ]
    complaints = [complaint for failed, complaint in wrong if failed]
    if complaints:
        raise LabelerError("; ".join(complaints))


@contextmanager
def _decoded(settings: TrainSettings, learnt: Folders, judged: Folders | None, console: Console) -> Iterator[Dataset]:
    with ExitStack() as stack:
        with display.reading(console) as progress:
            pictures = dataset.opened(
                learnt,
                judged,
                val_split=settings.val_split,
                seed=settings.seed,
                cache=settings.out,
                workers=settings.workers,
                progress=progress,
            )
            decoded = stack.enter_context(pictures)
        yield decoded


def _made_of(settings: TrainSettings, pictures: Dataset) -> dict[str, Any]:
    """Return what makes this run this run, and no other."""
    decisive = {name: value for name, value in asdict(settings).items() if name not in _MAY_CHANGE}
    return {**decisive, "class_names": list(pictures.class_names), "pixels": pictures.digest}


def _tell(pictures: Dataset, console: Console) -> None:
    counts = f"{len(pictures.training):,} pictures to learn from, {len(pictures.validation):,} to validate with"
    copies = f"; {pictures.copies_left_out:,} copies of training pictures left out" if pictures.copies_left_out else ""
    skipped = [f"skipped {line}" for line in pictures.skipped]
    if len(skipped) > _SHOWN:
        skipped[_SHOWN:] = [f"... {len(skipped) - _SHOWN:,} more skipped; {METRICS} will list them all"]
    for line in (f"{len(pictures.class_names)} classes: {', '.join(pictures.class_names)}", counts + copies, *skipped):
        console.print(line, markup=False, soft_wrap=True)


def _fresh(settings: TrainSettings, pictures: Dataset) -> keras.Model:
    network = networks.ARCHITECTURES[settings.arch](len(pictures.class_names))
    return networks.compiled(network, settings.learning_rate)


def _fit(network: keras.Model, pictures: Dataset, settings: TrainSettings, history: History, console: Console) -> bool:
    """Train until there is nothing more to learn or Ctrl-C; say whether it was not Ctrl-C."""
    done = len(history.epochs)
    if done >= settings.epochs or history.waited >= max(settings.patience, 1):
        return True
    stopping = callbacks.early_stopping(settings.patience)
    checkpoint = callbacks.checkpoint(settings.out)
    interrupt = callbacks.StopOnInterrupt()
    shown = display.Display(console, history, settings.epochs, settings.patience)
    steps.quicken(network)
    at_once = 1 if settings.augment else steps.AT_ONCE
    try:
        with interrupt.listening(), shown.shown():
            network.fit(
                batches.training(
                    pictures,
                    settings.batch_size,
                    seed=settings.seed,
                    augment=settings.augment,
                    first_epoch=done,
                    at_once=at_once,
                ),
                validation_data=batches.validation(pictures, settings.batch_size),
                steps_per_epoch=batches.calls(pictures.training, settings.batch_size, at_once),
                initial_epoch=done,
                epochs=settings.epochs,
                callbacks=[
                    callbacks.Recorder(settings.out, history),
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


def _finish(pictures: Dataset, settings: TrainSettings, history: History) -> Trained:
    """Export the best network, judge the bundle, and write and draw what came out."""
    out = settings.out
    best = keras.saving.load_model(out / state.BEST_NETWORK, compile=False, safe_mode=True)
    samples = pictures.pixels[pictures.validation.places[:_SAMPLES]]
    card = {"training_data": _name(settings.data)}
    export.export(best, pictures.class_names, out / BUNDLE, samples=samples, card=card)
    export.name_classes(out / state.BEST_NETWORK, pictures.class_names)
    figures = _judge(Classifier(out / BUNDLE), pictures)
    validation = {"data": _validation_name(settings), **figures.as_json()}
    short = ("data", "n", "accuracy", "macro_f1", "majority_baseline", "left_out")
    export.describe(out / BUNDLE, {"validation": {key: validation[key] for key in short}})
    curves.draw(history, out / CURVES)
    evaluation.draw_confusion(figures, out / CONFUSION)
    trained = Trained(out, figures, len(history.epochs), history.best.number, pictures.skipped)
    about = {
        "epochs": trained.epochs,
        "best_epoch": trained.best_epoch,
        "skipped": trained.skipped,
        "settings": {
            name: str(value) if isinstance(value, Path) else value for name, value in asdict(settings).items()
        },
        "created_with": f"labeler {__version__}",
    }
    files.write_json(out / METRICS, {**validation, **about})
    return trained


def _judge(classifier: Classifier, pictures: Dataset) -> Figures:
    """Compare what the bundle says of the validation pictures with their folders."""
    places = pictures.validation.places
    names = pictures.class_names
    predicted: list[str] = []
    for at in range(0, len(places), _PREDICTED_AT_ONCE):
        probabilities = classifier.predict(pictures.pixels[places[at : at + _PREDICTED_AT_ONCE]])
        rounded = probabilities.astype(np.float64).round(DECIMALS)  # As in the table, so that ties fall alike.
        predicted += [names[label] for label in rounded.argmax(axis=1)]
    truth = [names[label] for label in pictures.validation.labels]
    figures = evaluation.compare(truth, predicted, names)
    return replace(figures, left_out={evaluation.COPY: pictures.copies_left_out})


def _validation_name(settings: TrainSettings) -> str:
    if settings.val:
        return _name(settings.val)
    return f"{settings.val_split:.0%} of {_name(settings.data)}, seed {settings.seed}"


def _name(directory: Path) -> str:
    """Name a directory by its last two folders: enough to recognise it, nothing of the machine."""
    return "/".join(directory.resolve().parts[1:][-2:])
