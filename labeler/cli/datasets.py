"""The commands for labelled data sets: train, evaluate, audit."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from labeler.cli.options import (
    Architecture,
    Augment,
    Classes,
    Data,
    Epochs,
    FacesOption,
    GroupBy,
    Json,
    Labels,
    LearningRate,
    ModelOption,
    NoReviews,
    Patience,
    PriorOption,
    ProgressOption,
    Quiet,
    ResizeOption,
    Start,
    Strategy,
    Workers,
)
from labeler.errors import needs
from labeler.native_output import decoders
from labeler.records import Faces, Progress

ImagesPerStep = Annotated[
    int | None,
    typer.Option("--batch-size", help="Images per step.", show_default="32; 128 with default, unless --from"),
]
ValidationShare = Annotated[
    float, typer.Option("--val-split", help="Without --val: the share of DATA for validation, stratified.")
]


def train(
    data: Data,
    out: Annotated[Path, typer.Option("--out", "-o", help="The run directory: a new or an empty one.")],
    labels: Labels = None,
    classes: Classes = "",
    no_reviews: NoReviews = False,
    group_by: GroupBy = "",
    val: Annotated[Path | None, typer.Option("--val", help="A folder like DATA for validation.")] = None,
    val_split: ValidationShare = 0.2,
    arch: Architecture = None,
    start: Start = None,
    faces: FacesOption = Faces.AUTO,
    resize: ResizeOption = None,
    epochs: Epochs = None,
    patience: Patience = None,
    batch_size: ImagesPerStep = None,
    learning_rate: LearningRate = None,
    augment: Augment = None,
    balance: Annotated[
        float, typer.Option("--balance", help="Class weights: 0 none, 1 equal weight for every class, or between.")
    ] = 0.0,
    seed: Annotated[
        int, typer.Option("--seed", help="Random seed of the split, the initial weights and the order.")
    ] = 0,
    workers: Workers = 0,
    strategy: Strategy = "none",
    resume: Annotated[bool, typer.Option("--resume", help="Continue the run in the run directory.")] = False,
    progress: ProgressOption = Progress.AUTO,
    as_json: Json = False,
) -> None:
    """Train a network on folders of faces and export it as a bundle that classify can use.

    The run directory gets best_model.keras, model.onnx, history.csv, metrics.json, curves.png and confusion.png.
    Ctrl-C stops after the current batch and keeps the best network. Copies and near copies of a photo are never on
    both sides of the split. --workers is the number of processes that read photos. Needs the extra `train`.

    --from fine-tunes a trained model: a few hundred corrected photos adapt it in minutes. Classes of the same name keep
    their weights, other classes are new; the accuracy before and after is printed. Of a network that was added (models
    add), only the last layer is trained, on its features.

    Examples: labeler train ./faces --out runs/first |
    labeler train ./photos --labels corrected.csv --from runs/first --out runs/adapted
    """
    from labeler import console
    from labeler.cli import show_evaluation

    fit = training_package().fit
    settings = fit.TrainSettings(
        data=data,
        out=out,
        val=val,
        val_split=val_split,
        arch=arch,
        epochs=epochs,
        patience=patience,
        batch_size=batch_size,
        learning_rate=learning_rate,
        augment=augment,
        seed=seed,
        workers=workers,
        resume=resume,
        labels=labels,
        classes=classes,
        reviews=not no_reviews,
        group_by=group_by,
        balance=balance,
        start=start,
        faces=faces,
        resize=resize,
        strategy=strategy,
    )
    trained = fit.train(settings, progress)
    if as_json:
        typer.echo(json.dumps(trained.figures.as_json()))
    show_evaluation.show_figures(trained.figures)
    console.say(str(trained.calibration))
    if start and trained.before:
        show_evaluation.show_change(start, trained.before, trained.recalibrated, trained.figures)
    held = "a new last layer" if trained.only_head else f"epoch {trained.best_epoch} of {trained.epochs}"
    console.say(f"{out} holds {held}; use it with --model {out}")


def evaluate(
    data: Data,
    model: ModelOption = "",
    faces: FacesOption = Faces.AUTO,
    resize: ResizeOption = None,
    prior: PriorOption = "trained",
    labels: Labels = None,
    classes: Classes = "",
    no_reviews: NoReviews = False,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Write metrics.json and three charts into this folder.")
    ] = None,
    wanted_accuracy: Annotated[
        float | None,
        typer.Option("--wanted-accuracy", min=0, max=1, help="Suggest the --threshold with this accuracy."),
    ] = None,
    robustness: Annotated[
        bool,
        typer.Option(
            "--robustness", help="Measure the accuracy under perturbations, too: colour cast, rotation, shift, JPEG."
        ),
    ] = False,
    without_copies_of: Annotated[
        Path | None, typer.Option("--without-copies-of", help="Leave out photos that are pixel-identical to one there.")
    ] = None,
    workers: Workers = 0,
    progress: ProgressOption = Progress.AUTO,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Compare a model with labelled photos: accuracy, macro-F1, calibration, figures per class, confusion matrix.

    The ground truth is the class folder of each photo, or a table of labels or votes. It is compared with the model's
    classes by name, whatever their order. Files that failed or are damaged are left out and counted. --out draws the
    confusion matrix, the reliability diagram, and accuracy and coverage by threshold. Needs the extra `evaluate`.

    Example: labeler evaluate ./test --model runs/first --wanted-accuracy 0.95 --out report
    """
    from labeler import console
    from labeler.cli import show_evaluation, show_photos
    from labeler.inference import bundle
    from labeler.inference import prior as priors

    if not quiet:
        console.say("loading ...")
    with needs("evaluate", "matplotlib", "sklearn"):
        from labeler.evaluation import evaluate as evaluation
        from labeler.evaluation.truth import copies_of
        from labeler.tables.labels import truth
    with decoders():
        verdict = evaluation.evaluate(
            evaluation.EvaluateSettings(
                data=data,
                model=model,
                class_names=bundle.card(bundle.find(model)).class_names,
                faces=faces,
                resize=resize,
                prior=priors.wanted(prior, model),
                truth=truth(labels, classes, data, reviews=not no_reviews),
                copies=copies_of(without_copies_of, data) if without_copies_of else frozenset(),
                workers=workers,
                wanted_accuracy=wanted_accuracy,
                robustness=robustness,
            ),
            partial(show_photos.followed, form=progress, quiet=quiet),
        )
    if out:
        evaluation.write(verdict, out)
    if as_json:
        typer.echo(json.dumps(verdict.as_json()))
    if not quiet:
        show_evaluation.show(verdict)


def audit(
    data: Data,
    out: Annotated[Path, typer.Option("--out", "-o", help="The table to write: .csv, .jsonl or .parquet; new.")],
    labels: Labels = None,
    classes: Classes = "",
    no_reviews: NoReviews = False,
    model: ModelOption = "",
    faces: FacesOption = Faces.AUTO,
    resize: ResizeOption = None,
    folds: Annotated[int, typer.Option("--folds", min=2, help="Folds of the cross-validation.")] = 5,
    workers: Workers = 0,
    progress: ProgressOption = Progress.AUTO,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Find probably wrong labels, contradictions and copies in a labelled data set.

    The embeddings of the model decide, not its predictions: a classifier of your own labels is fitted to them, and each
    label is judged by a classifier fitted to the other folds. The table holds the photos with an issue, the worst
    first. A model trained on the audited labels agrees with their mistakes. Needs the extra `audit`.

    Example: labeler audit ./faces --out audit.csv
    """
    from labeler import console

    if not quiet:
        console.say("loading ...")
    with needs("audit", "cleanlab", "imagehash", "scipy", "sklearn", "matplotlib", "threadpoolctl"):
        from training.audit import audit as auditing
    settings = auditing.AuditSettings(
        data=data,
        out=out,
        labels=labels,
        classes=classes,
        reviews=not no_reviews,
        model=model,
        faces=faces,
        resize=resize,
        folds=folds,
        workers=workers,
    )
    audited = auditing.audit(settings, console.stderr(quiet=quiet), progress)
    if as_json:
        typer.echo(json.dumps(audited.as_json()))
    if not quiet:
        console.say("\n".join(audited.lines(out)))
    raise typer.Exit(audited.exit_code)


def training_package() -> Any:
    """Import the training package, with TensorFlow, and return it."""
    from labeler import console, native_output

    console.say("loading TensorFlow ...")
    with (
        needs("train", "tensorflow", "keras", "tf2onnx", "onnx", "matplotlib", "sklearn", "imagehash", "scipy"),
        native_output.stderr(),
    ):
        import training.bundle.export
        import training.fit
    return training
