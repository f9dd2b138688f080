"""The commands for photos: classify, sort, annotate."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from labeler.cli.options import (
    AllFiles,
    BatchSize,
    Detector,
    DeviceOption,
    Exclude,
    FacesOption,
    FaceThreshold,
    Include,
    Inputs,
    Json,
    Limit,
    MaxFaces,
    MaxPixels,
    MinFace,
    ModelOption,
    NoReviews,
    Overwrite,
    PriorOption,
    ProgressOption,
    Quiet,
    Refresh,
    RetryFailed,
    Sample,
    SaveCrops,
    Seed,
    Threshold,
    Workers,
)
from labeler.errors import LabelerError
from labeler.native_output import decoders
from labeler.records import Device, Faces, Mode, Progress, Redo, Row, Settings

if TYPE_CHECKING:
    from labeler.job import Summary


def classify(
    inputs: Inputs,
    out: Annotated[Path, typer.Option("--out", "-o", help="The table to write: .csv, .jsonl or .parquet.")],
    model: ModelOption = "",
    faces: FacesOption = Faces.AUTO,
    threshold: Threshold = 0.0,
    prior: PriorOption = "trained",
    detector: Detector = "",
    min_face: MinFace = 24,
    face_threshold: FaceThreshold = 0.6,
    max_faces: MaxFaces = 0,
    save_crops: SaveCrops = "",
    workers: Workers = 0,
    batch_size: BatchSize = 0,
    max_pixels: MaxPixels = 100_000_000,
    absolute: Annotated[bool, typer.Option("--absolute", help="Write absolute paths.")] = False,
    all_files: AllFiles = False,
    include: Include = None,
    exclude: Exclude = None,
    limit: Limit = 0,
    sample: Sample = 0,
    seed: Seed = 0,
    overwrite: Overwrite = False,
    retry_failed: RetryFailed = False,
    refresh: Refresh = False,
    device: DeviceOption = Device.AUTO,
    profile: Annotated[
        bool, typer.Option("--profile", help="Print the time of each stage, and what would help.")
    ] = False,
    progress: ProgressOption = Progress.AUTO,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Label every face in folders of photos: one row per face, and one reason per file without a face.

    Faces are detected in photos larger than 128 pixels; a smaller photo is one face crop. The same command continues
    an unfinished table; with --retry-failed or --refresh, too, the table is completed first, with the settings it was
    begun with.

    Examples: labeler classify ./photos --out labels.csv | labeler classify ./photos --out labels.csv --prior balanced
    """
    from labeler import pipeline
    from labeler.cli import show_photos
    from labeler.inference import prior as priors
    from labeler.job import Job
    from labeler.selection import Selection

    settings = Settings(
        model=model,
        faces=faces,
        detector=detector,
        min_face=min_face,
        face_threshold=face_threshold,
        max_faces=max_faces,
        threshold=threshold,
        prior=priors.wanted(prior, model),
        max_pixels=max_pixels,
        absolute=absolute,
        save_crops=save_crops,
    )
    selection = Selection(
        include=tuple(include or ()), exclude=tuple(exclude or ()), limit=limit, sample=sample, seed=seed
    )
    redo = frozenset(one for one, wanted in ((Redo.FAILED, retry_failed), (Redo.CHANGED, refresh)) if wanted)
    job = Job(
        inputs=tuple(inputs),
        out=out,
        settings=settings,
        workers=workers,
        batch_size=batch_size,
        overwrite=overwrite,
        all_files=all_files,
        device=device,
        redo=redo,
        selection=selection,
    )
    with decoders(), show_photos.labeling_progress(progress, quiet=quiet) as show:
        summary = pipeline.classify(job, show)
    _end(summary, as_json=as_json, profile=profile, quiet=quiet)


def _end(summary: Summary, *, as_json: bool, profile: bool, quiet: bool) -> NoReturn:
    from labeler.cli import show_photos

    if as_json:
        typer.echo(json.dumps(summary.as_json()))
    if not quiet:
        show_photos.show_summary(summary)
    if profile:
        show_photos.show_profile(summary.profile)
    raise typer.Exit(summary.exit_code)


def sort(
    source: Annotated[
        Path | None, typer.Argument(help="A table made by classify, or a folder of photos, which is classified first.")
    ] = None,
    into: Annotated[Path | None, typer.Option("--into", help="The folder to sort into.")] = None,
    mode: Annotated[Mode, typer.Option("--mode", help="How files are placed there.")] = Mode.COPY,
    flat: Annotated[bool, typer.Option("--flat", help="Leave out the subfolders below the label's folder.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the plan and change nothing.")] = False,
    undo: Annotated[Path | None, typer.Option("--undo", help="Undo what was sorted into this folder.")] = None,
    root: Annotated[
        Path | None, typer.Option("--root", help="Where the table's files are now, if they have moved since.")
    ] = None,
    model: ModelOption = "",
    threshold: Threshold = 0.0,
    prior: PriorOption = "trained",
    workers: Workers = 0,
    no_reviews: NoReviews = False,
    progress: ProgressOption = Progress.AUTO,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Sort photos into one folder per label, plus uncertain/, no_face/ and failed/.

    A photo with several faces goes where its largest face goes. Nothing is ever overwritten: a file whose name is
    taken gets a number. The same command continues a sort that was stopped; --undo takes it back. The table of a
    folder is saved in the sorted folder as labels.csv; --model, --threshold, --prior and --workers are as for classify.

    Examples: labeler sort labels.csv --into sorted | labeler sort ./photos --into sorted --mode symlink |
    labeler sort --undo sorted
    """
    from labeler.cli import show_photos
    from labeler.inference import prior as priors
    from labeler.sorting import sort as sorting
    from labeler.tables import decided, reader

    watched = show_photos.watching(progress, quiet=quiet)
    if undo:
        with sorting.undo(undo, watched) as moves:
            outcomes = show_photos.show_moves(iter(moves), len(moves), undo, progress, doing="undoing", quiet=quiet)
    elif source and into:
        folder = _root(source, root)
        with nullcontext() if dry_run else sorting.held(into, folder):
            if source.is_dir():
                settings = Settings(model=model, threshold=threshold, prior=priors.wanted(prior, model))
                rows, class_names = _labelled(source, into, settings, workers, progress, dry_run=dry_run, quiet=quiet)
            else:
                rows = decided.rows(source, not no_reviews, folder)
                class_names = reader.class_names(source)
            plan = sorting.plan(rows, folder, into, mode, flat=flat, class_names=class_names, watched=watched)
            if dry_run:
                show_photos.show_plan(plan, into, as_json=as_json)
                return
            outcomes = show_photos.show_moves(sorting.apply(plan, into), len(plan), into, progress, quiet=quiet)
    else:
        raise LabelerError("name a table or a folder and --into SORTED, or --undo SORTED; see `labeler sort --help`")
    if as_json:
        typer.echo(json.dumps(outcomes))
    raise typer.Exit(1 if any(sorting.Outcome(outcome).notable for outcome in outcomes) else 0)


def _root(source: Path, root: Path | None) -> str:
    """Return the folder that the names of the files to sort are relative to."""
    from labeler.tables import reader

    if source.is_dir():
        return str(source)
    return str(root) if root else reader.root(source)


def _labelled(
    source: Path, into: Path, settings: Settings, workers: int, progress: Progress, *, dry_run: bool, quiet: bool
) -> tuple[Iterable[Row], tuple[str, ...]]:
    """Label a folder; return the rows to sort by, and the names of the classes."""
    from labeler import pipeline
    from labeler.cli import show_photos
    from labeler.inference import bundle
    from labeler.job import Job
    from labeler.sorting import sort as sorting
    from labeler.tables import decided

    sorting.plan([], str(source), into)  # It refuses what cannot be sorted before an hour is spent on labels.
    if dry_run:
        class_names = bundle.card(bundle.find(settings.model)).class_names
        return _heard(pipeline.label([source], settings, workers)), class_names
    job = Job(inputs=(source,), out=into / "labels.csv", settings=settings, workers=workers)
    with decoders(), show_photos.labeling_progress(progress, quiet=quiet) as show:
        summary = pipeline.classify(job, show)
    if not quiet:
        show_photos.show_summary(summary)
    return decided.rows(summary.out), summary.model.class_names


def _heard(rows: Iterable[Row]) -> Iterator[Row]:
    """Yield rows while decoders' messages are captured."""
    with decoders():
        yield from rows


def annotate(
    table: Annotated[Path, typer.Argument(help="A table made by classify.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The folder to draw into: a new or an empty one.")],
    root: Annotated[
        Path | None, typer.Option("--root", help="Where the table's files are now, if they have moved since.")
    ] = None,
    max_pixels: MaxPixels = 100_000_000,
    no_reviews: NoReviews = False,
    progress: ProgressOption = Progress.AUTO,
    quiet: Quiet = False,
) -> None:
    """Draw the bounding boxes, labels and scores of a table on its photos, for review or a slide.

    Example: labeler annotate labels.csv --out drawn
    """
    from labeler import drawing
    from labeler.cli import show_photos
    from labeler.tables import decided, reader

    settings = Settings(root=str(root) if root else reader.root(table), max_pixels=max_pixels)
    rows = decided.rows(table, not no_reviews, settings.root)
    drawn = drawing.annotate(rows, reader.class_names(table), settings, out)
    with decoders():
        failed = show_photos.show_annotated(drawn, out, progress, quiet=quiet)
    raise typer.Exit(1 if failed else 0)
