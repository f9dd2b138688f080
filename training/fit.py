"""Train a network on labelled photos: `train` runs everything from the data to the finished run directory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

import keras
from rich.console import Console

from labeler import progress
from labeler.console import stderr
from labeler.errors import Interrupted, OutputError
from labeler.records import Progress, View
from labeler.tables.labels import Labelled
from training import finish, run_directory, warm_start
from training.data import batches, dataset
from training.data.dataset import Dataset
from training.frozen import head_only
from training.judging import METRICS, Trained
from training.loop import callbacks, weight_averaging
from training.loop.checkpoint import State, load
from training.loop.history import History
from training.loop.progress import Display
from training.networks import fast_steps
from training.recipes import Recipe
from training.replicas import Replicas, mirrored
from training.settings import TrainSettings, continued, decisive, recipe_of
from training.warm_start import OtherNetworkError, Pretrained

_SHOWN = 20
"""Upper limit on the skipped files that are listed on the terminal."""


def train(settings: TrainSettings, form: Progress = Progress.AUTO) -> Trained:
    """Train a network and write the run directory; the figures are those of the exported bundle.

    Raises:
        Interrupted: Ctrl-C was pressed. After the first epoch the run directory is complete, with the best network so
            far; `resume` continues the run.
        LabelerError: a setting, the data or the model to fine-tune cannot be used, or the run to resume is another one.
        OutputError: the run directory cannot be written.
    """
    try:
        given = warm_start.load(settings.start) if settings.start else None
    except OtherNetworkError as exc:
        return _head_only(settings, form, str(exc))
    if given:
        settings = continued(settings, given.arch)
    recipe = recipe_of(settings)
    replicas = mirrored(recipe.batch_size) if settings.strategy == "mirrored" else Replicas()
    console = stderr()
    training, validation = dataset.find(
        settings.data, settings.val, settings.labels, settings.classes, reviews=settings.reviews
    )
    run_directory.open_directory(settings.out, resume=settings.resume)
    keras.utils.set_random_seed(settings.seed)
    try:
        view = given.card.view if given else View()
        with _decoded(settings, training, validation, console, form, view) as images:
            _tell(images, console)
            note = run_directory.check_same if settings.resume else run_directory.begin
            note(settings.out, _made_of(settings, images, given))
            if replicas.strategy:
                console.print(replicas.told(recipe.batch_size), markup=False, soft_wrap=True)
            with replicas.scope():
                state = load(settings.out, _apply_average(settings, images)) or State(
                    _fresh(recipe, images, given), History()
                )
                display = Display(console, state.history, recipe.epochs, recipe.patience, form)
                finished = _fit(state, images, settings, display, replicas)
            with console.status("exporting and evaluating the best network"):
                trained = finish.conclude(images, settings, state.history, given)
    except KeyboardInterrupt:
        again = (
            "--resume continues" if (settings.out / run_directory.RECORD).exists() else "the same command begins again"
        )
        raise Interrupted(f"stopped; {again}") from None
    if not finished:
        raise Interrupted(
            f"stopped after epoch {trained.epochs}; {settings.out} holds the best network so far, that of epoch "
            f"{trained.best_epoch}; --resume continues"
        )
    return trained


def _head_only(settings: TrainSettings, form: Progress, why: str) -> Trained:
    """Train the last layer of a network that cannot be rebuilt."""
    given = head_only.begin(settings, why)
    console = stderr()
    console.print(
        f"only the last layer is trained, on the features of {given.path}: {why}", markup=False, soft_wrap=True
    )
    training, validation = dataset.find(
        settings.data, settings.val, settings.labels, settings.classes, reviews=settings.reviews
    )
    run_directory.open_directory(settings.out, resume=False)
    try:
        with _decoded(settings, training, validation, console, form, given.card.view) as images:
            _tell(images, console)
            with progress.shown("computing features", console, form) as meter:
                return head_only.train(images, settings, given, meter.set)
    except KeyboardInterrupt:
        raise Interrupted("stopped; the same command begins again") from None


@contextmanager
def _decoded(
    settings: TrainSettings,
    training: Labelled,
    validation: Labelled | None,
    console: Console,
    form: Progress,
    view: View,
) -> Iterator[Dataset]:
    with ExitStack() as stack:
        with progress.shown("reading photos", console, form) as meter:
            images = dataset.opened(
                training,
                validation,
                val_split=settings.val_split,
                seed=settings.seed,
                group_by=settings.group_by,
                cache=settings.out,
                workers=settings.workers,
                progress=meter.set,
                view=view.of(settings.resize),
                faces=settings.faces,
            )
            decoded = stack.enter_context(images)
        yield decoded


def _made_of(settings: TrainSettings, images: Dataset, given: Pretrained | None) -> dict[str, Any]:
    """Return what identifies a run: its settings, classes, pixels and the model that it fine-tunes."""
    return {
        **decisive(settings),
        "from": given.card.sha256 if given else None,
        "class_names": list(images.class_names),
        "pixels": images.digest,
    }


def _tell(images: Dataset, console: Console) -> None:
    skipped = [f"skipped {line}" for line in images.skipped]
    if len(skipped) > _SHOWN:
        skipped[_SHOWN:] = [f"... {len(skipped) - _SHOWN:,} more skipped; {METRICS} will list them all"]
    for line in (
        f"{len(images.class_names)} classes: {', '.join(images.class_names)}",
        images.summary(),
        *skipped,
    ):
        console.print(line, markup=False, soft_wrap=True)


def _fresh(recipe: Recipe, images: Dataset, given: Pretrained | None) -> keras.Model:
    names = images.class_names
    network = warm_start.with_classes(given, names) if given else recipe.network(len(names))
    return recipe.ready(
        network, recipe.learning_rate, recipe.epochs * batches.steps(images.training, recipe.batch_size)
    )


def _apply_average(settings: TrainSettings, images: Dataset) -> weight_averaging.ApplyAverage:
    return partial(weight_averaging.apply_average, shown=batches.shown(images, _batch_settings(settings)))


def _batch_settings(settings: TrainSettings) -> batches.BatchSettings:
    recipe = recipe_of(settings)
    vary = recipe.varied(settings.seed) if recipe.augment else None
    return batches.BatchSettings(
        batch_size=recipe.batch_size,
        seed=settings.seed,
        vary=vary,
        smoothing=recipe.smoothing,
        balance=settings.balance,
        single=settings.strategy != "none",
    )


def _fit(state: State, images: Dataset, settings: TrainSettings, shown: Display, replicas: Replicas) -> bool:
    """Train until the last epoch, early stopping or Ctrl-C; return false after Ctrl-C."""
    network, history = state
    recipe = recipe_of(settings)
    batch_settings = _batch_settings(settings)
    done = len(history.epochs)
    if done >= recipe.epochs or history.waited >= max(recipe.patience, 1):
        return True
    stopping = callbacks.early_stopping(recipe.patience)
    checkpoint = callbacks.checkpoint(settings.out)
    averaging = (
        [weight_averaging.ValidateAverage(_apply_average(settings, images))] if network.optimizer.use_ema else []
    )
    interrupt = callbacks.StopOnInterrupt()
    if batch_settings.at_once > 1:
        fast_steps.speed_up(network)
    try:
        with interrupt.listening(), shown.shown():
            network.fit(
                replicas.divided(batches.training(images, batch_settings, first_epoch=done)),
                validation_data=replicas.divided(batches.validation(images, recipe.batch_size)),
                validation_steps=batches.steps(images.validation, recipe.batch_size) if replicas.strategy else None,
                steps_per_epoch=batches.calls(images.training, batch_settings),
                initial_epoch=done,
                epochs=recipe.epochs,
                callbacks=[
                    callbacks.Recorder(settings.out, history),
                    *averaging,
                    callbacks.DropoutSeeds(settings.seed),
                    checkpoint,
                    stopping,
                    callbacks.RestoreState(settings.out, history, stopping, checkpoint),
                    shown,
                    interrupt,
                ],
                shuffle=False,  # The batches are shuffled, by seed and epoch.
                verbose=0,
            )
    except callbacks.Stopped:
        if not history.epochs:
            raise Interrupted("stopped before the first epoch was over; --resume begins it again") from None
        return False
    except OSError as exc:
        raise OutputError(f"cannot write to {settings.out}: {exc.strerror or exc}; --resume continues") from exc
    return True
