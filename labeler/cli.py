"""The commands: parse, make one call, print."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import threading
import traceback
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from labeler import __version__
from labeler.errors import Interrupted, LabelerError, needs, printable
from labeler.options import (
    Architecture,
    Augment,
    BatchSize,
    Classes,
    Data,
    Detector,
    DeviceOption,
    Epochs,
    FacesOption,
    FaceThreshold,
    GroupBy,
    Inputs,
    Json,
    Labels,
    LearningRate,
    MaxFaces,
    MaxPixels,
    MinFace,
    ModelOption,
    Overwrite,
    Patience,
    Quiet,
    Refresh,
    RetryFailed,
    Start,
    Threshold,
    Workers,
)
from labeler.quiet import decoders
from labeler.records import Device, Faces, Mode, Redo, Row, Settings


class ErrorBoundary(TyperGroup):
    """The one place where an error becomes a line on stderr and an exit code."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        with terminable() as terminated:
            try:
                return super().invoke(ctx)
            except LabelerError as exc:
                typer.echo(f"labeler: {printable(str(exc))}", err=True)
                stopped = isinstance(exc, Interrupted) and terminated
                raise typer.Exit(TERMINATED if stopped else exc.exit_code) from exc
            except KeyboardInterrupt as exc:
                typer.echo("labeler: stopped", err=True)
                raise typer.Exit(TERMINATED if terminated else Interrupted.exit_code) from exc


TERMINATED = 128 + signal.SIGTERM


@contextlib.contextmanager
def terminable() -> Iterator[list[int]]:
    """Let SIGTERM stop a command as Ctrl-C does, and note it in the list."""
    noted: list[int] = []

    def stop(number: int, _: Any) -> None:
        noted.append(number)
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():  # Only that one is told of signals.
        yield noted
        return
    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield noted
    finally:
        signal.signal(signal.SIGTERM, before)


EXIT_CODES = (
    "Exit codes: 0 done; 1 finished, but some files failed; 2 wrong usage; 3 no pictures found; "
    "4 the model cannot be used; 5 the output cannot be written; 130 interrupted or 143 terminated, can be continued."
)

app = typer.Typer(
    name="labeler",
    cls=ErrorBoundary,
    epilog=EXIT_CODES,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
models_app = typer.Typer(help="List the models that ship, show a card, convert a .keras file.")
app.add_typer(models_app, name="models")


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"labeler {__version__}")
        raise typer.Exit


Version = Annotated[bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")]


@app.callback()
def root(_version: Version = False) -> None:
    """Point it at folders of photos, get a table of emotion labels you can trust."""
    os.environ["KERAS_BACKEND"] = "tensorflow"  # What is documented, whatever else this user's Keras is set to.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


@app.command(epilog=EXIT_CODES)
def classify(
    inputs: Inputs,
    out: Annotated[Path, typer.Option("--out", "-o", help="The table: .csv, .jsonl or .parquet.")],
    model: ModelOption = "",
    faces: FacesOption = Faces.AUTO,
    threshold: Threshold = 0.0,
    detector: Detector = "",
    min_face: MinFace = 24,
    face_threshold: FaceThreshold = 0.6,
    max_faces: MaxFaces = 0,
    save_crops: Annotated[
        str, typer.Option("--save-crops", help="Keep the crops in this folder, named by file and face.")
    ] = "",
    workers: Workers = 0,
    batch_size: BatchSize = 0,
    max_pixels: MaxPixels = 100_000_000,
    absolute: Annotated[bool, typer.Option("--absolute", help="Write absolute paths.")] = False,
    all_files: Annotated[
        bool, typer.Option("--all-files", help="Take files, too, that are not named like pictures.")
    ] = False,
    overwrite: Overwrite = False,
    retry_failed: RetryFailed = False,
    refresh: Refresh = False,
    device: DeviceOption = Device.AUTO,
    profile: Annotated[bool, typer.Option("--profile", help="Print where the time went, and what would help.")] = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Label every face in folders of pictures: one row per face, one reason per file that gave none.

    Faces are found in pictures larger than 128 pixels; smaller ones are taken whole, as one face crop each. The same
    command again continues an unfinished table; with --retry-failed or --refresh it completes it first, as it was
    begun.

    Example: labeler classify ./photos --out labels.csv
    """
    from labeler import console, pipeline

    settings = Settings(
        model,
        faces=faces,
        detector=detector,
        min_face=min_face,
        face_threshold=face_threshold,
        max_faces=max_faces,
        threshold=threshold,
        max_pixels=max_pixels,
        absolute=absolute,
        save_crops=save_crops,
    )
    redo = frozenset(one for one, wanted in ((Redo.FAILED, retry_failed), (Redo.CHANGED, refresh)) if wanted)
    job = pipeline.Job(tuple(inputs), out, settings, workers, batch_size, overwrite, all_files, device, redo)
    with decoders(), console.labeling_progress(quiet=quiet) as progress:
        summary = pipeline.classify(job, progress)
    if as_json:
        typer.echo(json.dumps(summary.as_json()))
    if not quiet:
        console.show_summary(summary)
    if profile:
        console.show_profile(summary.profile)
    raise typer.Exit(summary.exit_code)


@app.command(epilog=EXIT_CODES)
def sort(
    source: Annotated[
        Path | None, typer.Argument(help="A table made by classify, or a folder, which is classified first.")
    ] = None,
    into: Annotated[Path | None, typer.Option("--into", help="The folder to sort into.")] = None,
    mode: Annotated[Mode, typer.Option("--mode", help="How a file gets its place there.")] = Mode.COPY,
    flat: Annotated[bool, typer.Option("--flat", help="No subfolders below the label's folder.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the plan, change nothing.")] = False,
    undo: Annotated[Path | None, typer.Option("--undo", help="Take back what was sorted into this folder.")] = None,
    root: Annotated[
        Path | None, typer.Option("--root", help="Where the table's files are, if not where they were classified.")
    ] = None,
    model: ModelOption = "",
    threshold: Threshold = 0.0,
    workers: Workers = 0,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Sort files into one folder per label, plus uncertain/, no_face/ and failed/.

    A photo with several faces goes where its largest face goes. Nothing is ever overwritten: a file whose name is
    taken gets a number. A sort that was stopped is continued by the same command and taken back by --undo. When a
    folder is given, its table is kept in the sorted folder as labels.csv; --model, --threshold and --workers are
    those of classify.

    Examples: labeler sort labels.csv --into sorted | labeler sort ./photos --into sorted --mode symlink |
    labeler sort --undo sorted
    """
    from labeler import console, sorting

    if undo:
        outcomes = console.show_moves(sorting.undo(undo), None, undo, quiet=quiet)
    elif source and into:
        rows, folder = _sortable(source, root, into, Settings(model, threshold=threshold), workers, dry_run, quiet)
        moves = sorting.plan(rows, folder, into, mode, flat=flat)
        if dry_run:
            console.show_plan(moves, into, as_json=as_json)
            return
        outcomes = console.show_moves(sorting.apply(moves, into), len(moves), into, quiet=quiet)
    else:
        raise LabelerError("name a table or a folder and --into SORTED, or --undo SORTED; see `labeler sort --help`")
    if as_json:
        typer.echo(json.dumps(outcomes))
    raise typer.Exit(1 if any(sorting.Outcome(outcome).notable for outcome in outcomes) else 0)


def _sortable(
    source: Path, root: Path | None, into: Path, settings: Settings, workers: int, dry_run: bool, quiet: bool
) -> tuple[Iterable[Row], str]:
    """Return the rows to sort by, of a table or made now, and the folder that their files are relative to."""
    from labeler import console, pipeline, sorting, tables

    if not source.is_dir():
        return tables.read(source), str(root) if root else tables.root(source)
    sorting.plan([], str(source), into)  # Refuses what cannot be sorted before an hour is spent on labels.
    if dry_run:
        return pipeline.label([source], settings, workers), str(source)
    into.mkdir(exist_ok=True)
    job = pipeline.Job((source,), into / "labels.csv", settings, workers)
    with decoders(), console.labeling_progress(quiet=quiet) as progress:
        summary = pipeline.classify(job, progress)
    if not quiet:
        console.show_summary(summary)
    return tables.read(summary.out), str(source)


@app.command(epilog=EXIT_CODES)
def train(
    data: Data,
    out: Annotated[Path, typer.Option("--out", "-o", help="The run directory: new, or empty.")],
    labels: Labels = None,
    classes: Classes = "",
    group_by: GroupBy = "",
    val: Annotated[Path | None, typer.Option("--val", help="A directory like DATA to validate with.")] = None,
    val_split: Annotated[float, typer.Option("--val-split", help="Else this share of DATA, class by class.")] = 0.2,
    arch: Architecture = None,
    start: Start = None,
    epochs: Epochs = None,
    patience: Patience = None,
    batch_size: Annotated[
        int | None,
        typer.Option("--batch-size", help="Pictures per step.", show_default="32; 128 with default, unless --from"),
    ] = None,
    learning_rate: LearningRate = None,
    augment: Augment = None,
    balance: Annotated[
        float, typer.Option("--balance", help="0: every picture counts the same; 1: every class; or between.")
    ] = 0.0,
    seed: Annotated[int, typer.Option("--seed", help="Decides the split, the first weights and the order.")] = 0,
    workers: Workers = 0,
    resume: Annotated[bool, typer.Option("--resume", help="Continue the run in the run directory.")] = False,
    as_json: Json = False,
) -> None:
    """Train a network on folders of faces and export it as a bundle that classify can use.

    The run directory gets best_model.keras, model.onnx, history.csv, metrics.json, curves.png and confusion.png.
    Ctrl-C stops after the batch and keeps the best network. Copies and near copies of one picture are never on both
    sides of the split. --workers is for reading the pictures. Needs the extra `train`.

    With --from, training goes on from a trained model: a few hundred corrected pictures adapt it in minutes. Classes it
    knows by name are kept, others are new; what it was worth before is printed too.

    Examples: labeler train ./faces --out runs/first |
    labeler train ./photos --labels corrected.csv --from runs/first --out runs/adapted
    """
    from labeler import console

    fit = _training().fit
    settings = fit.TrainSettings(
        data,
        out,
        val,
        val_split,
        arch,
        epochs,
        patience,
        batch_size,
        learning_rate,
        augment,
        seed,
        workers,
        resume,
        labels=labels,
        classes=classes,
        group_by=group_by,
        balance=balance,
        start=start,
    )
    trained = fit.train(settings)
    if as_json:
        typer.echo(json.dumps(trained.figures.as_json()))
    console.show_figures(trained.figures)
    console.say(str(trained.calibration))
    if start and trained.before:
        console.show_change(start, trained.before, trained.figures)
    console.say(f"{out} holds epoch {trained.best_epoch} of {trained.epochs}; use it with --model {out}")


@app.command(epilog=EXIT_CODES)
def evaluate(
    data: Data,
    model: ModelOption = "",
    labels: Labels = None,
    classes: Classes = "",
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Write metrics.json and the three drawings there.")
    ] = None,
    wanted_accuracy: Annotated[
        float | None, typer.Option("--wanted-accuracy", min=0, max=1, help="Suggest the --threshold that gives it.")
    ] = None,
    robustness: Annotated[
        bool, typer.Option("--robustness", help="Judge colour casts, rotation, shifts and compression, too.")
    ] = False,
    without_copies_of: Annotated[
        Path | None, typer.Option("--without-copies-of", help="Leave out pictures pixel-identical to one in there.")
    ] = None,
    workers: Workers = 0,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Compare a model with labelled pictures: accuracy, macro-F1, calibration, per class, confusion matrix.

    The truth is the folders that the pictures stand in, or a table of labels or votes; it and the model's classes are
    compared by name, in whatever order. Files that failed are left out and counted. --out draws the confusion matrix,
    whether scores are as often right as they say, and what thresholds keep. Needs the extra `evaluate`.

    Example: labeler evaluate ./test --model runs/first --wanted-accuracy 0.95 --out report
    """
    from labeler import bundles, console, results

    with needs("evaluate", "matplotlib", "sklearn"):
        from labeler import evaluation, exam
        from training.labels import truth
    with decoders():
        verdict = exam.take(
            exam.Exam(
                data,
                model,
                bundles.card(bundles.find(model)).class_names,
                truth(labels, classes, data),
                evaluation.copies_of(without_copies_of, data) if without_copies_of else frozenset(),
                workers,
                wanted_accuracy,
                robustness,
            ),
            partial(console.followed, quiet=quiet),
        )
    if out:
        exam.write(verdict, out)
    if as_json:
        typer.echo(json.dumps(verdict.as_json()))
    if not quiet:
        results.show(verdict)


@app.command(epilog=EXIT_CODES)
def audit(
    data: Data,
    out: Annotated[Path, typer.Option("--out", "-o", help="The table to write: .csv, .jsonl or .parquet; new.")],
    labels: Labels = None,
    classes: Classes = "",
    model: ModelOption = "",
    folds: Annotated[int, typer.Option("--folds", min=2, help="Each of so many parts is judged by the others.")] = 5,
    workers: Workers = 0,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Find probably wrong labels, contradictions and copies in a labelled data set.

    What the model sees in the pictures, not what it calls them, decides: a classifier of your own labels is fitted to
    it, and each label is judged by pictures of other folds. The table holds the pictures with an issue, the worst
    first. A model trained on the very labels that are audited agrees with their mistakes. Needs the extra `audit`.

    Example: labeler audit ./faces --out audit.csv
    """
    from labeler import console

    with needs("audit", "cleanlab", "imagehash", "onnx", "scipy", "sklearn", "matplotlib", "threadpoolctl"):
        from training import auditing
    settings = auditing.AuditSettings(data, out, labels, classes, model, folds, workers)
    audited = auditing.audit(settings, console.stderr(quiet=quiet))
    if as_json:
        typer.echo(json.dumps(audited.as_json()))
    if not quiet:
        console.say("\n".join(audited.lines(out)))
    raise typer.Exit(audited.exit_code)


@app.command(epilog=EXIT_CODES)
def annotate(
    table: Annotated[Path, typer.Argument(help="A table made by classify.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The folder to draw into: new, or empty.")],
    root: Annotated[
        Path | None, typer.Option("--root", help="Where the table's files are, if not where they were classified.")
    ] = None,
    max_pixels: MaxPixels = 100_000_000,
    quiet: Quiet = False,
) -> None:
    """Draw the boxes, labels and scores of a table on its pictures, for a look or a slide.

    Example: labeler annotate labels.csv --out drawn
    """
    from labeler import annotation, console, tables

    settings = Settings(root=str(root) if root else tables.root(table), max_pixels=max_pixels)
    drawn = annotation.annotate(tables.read(table), tables.class_names(table), settings, out)
    with decoders():
        failed = console.show_annotated(drawn, out, quiet=quiet)
    raise typer.Exit(1 if failed else 0)


def _training() -> Any:
    """Return the training package, loaded."""
    from labeler import console, quiet

    console.say("loading TensorFlow ...")
    with (
        needs("train", "tensorflow", "keras", "tf2onnx", "onnx", "matplotlib", "sklearn", "imagehash", "scipy"),
        quiet.stderr(),
    ):
        import training.export
        import training.fit
    return training


@models_app.callback(invoke_without_command=True)
def models(ctx: typer.Context, as_json: Json = False) -> None:
    """List the models that ship, with their figures."""
    if ctx.invoked_subcommand:
        return
    from labeler import bundles

    found = [bundles.card(path) for path in bundles.shipped(bundles.CLASSIFIER).values()]
    if as_json:
        typer.echo(json.dumps([card.as_json() for card in found]))
        return
    from labeler import cards

    cards.show_all(found)


@models_app.command("show")
def show_model(
    model: Annotated[str, typer.Argument(help="A bundle's name, a run directory, an .onnx or a .keras file.")],
    as_json: Json = False,
) -> None:
    """Print a model's card: classes, figures, training data, licence, hash; of one that ships all that is known.

    Example: labeler models show default
    """
    from labeler import bundles

    path = bundles.find(model)
    card, readme = bundles.card(path), bundles.readme(path)
    if as_json:
        typer.echo(json.dumps({**card.as_json(), "readme": readme}))
        return
    from labeler import cards

    cards.show(card, readme)


@models_app.command("convert")
def convert_model(
    keras_file: Annotated[Path, typer.Argument(help="A .keras file whose network takes 64x64 RGB scaled to 0..1.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The bundle to write: an .onnx file.")],
    class_names: Annotated[
        str, typer.Option("--class-names", help="In the order of its outputs: angry,disgust,...; if it has none.")
    ] = "",
) -> None:
    """Make a bundle of a .keras file, checked against it. Needs the extra `train`.

    Example: labeler models convert best_model.keras --class-names angry,happy,sad --out model.onnx
    """
    names = [name.strip() for name in class_names.split(",")] if class_names else None
    _training().export.convert(keras_file, names, out)
    show_model(str(out))


def main() -> None:
    """Run the `labeler` command; a bug exits with 70, so that no script takes it for a finished run."""
    try:
        app()
    except Exception:  # noqa: BLE001 - the last line of defence
        traceback.print_exc()
        typer.echo("labeler: this is a bug in labeler; please report the lines above", err=True)
        sys.exit(70)
