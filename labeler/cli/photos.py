"""The commands for photos: classify, sort, annotate."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from labeler.cli.options import (
    Address,
    AllFiles,
    Anonymous,
    BatchSize,
    Column,
    Detector,
    DeviceOption,
    Endpoint,
    EngineOption,
    Exclude,
    FacesOption,
    FaceThreshold,
    FromList,
    Include,
    Inputs,
    Json,
    Keep,
    Limit,
    MaxFaces,
    MaxPixels,
    MinFace,
    ModelOption,
    NoReviews,
    Overwrite,
    PlanOnly,
    PriorOption,
    ProgressOption,
    Quiet,
    Refresh,
    Region,
    ResizeOption,
    RetryFailed,
    Reviews,
    Root,
    Sample,
    SaveCrops,
    Seed,
    ShardOption,
    Table,
    Threshold,
    Top,
    UnitSize,
    Workers,
    addressed,
    here,
    reaching,
)
from labeler.errors import LabelerError
from labeler.native_output import decoders
from labeler.records import Device, Engine, Faces, Mode, Progress, Redo, Row, Settings

if TYPE_CHECKING:
    from labeler.job import Request, Summary
    from labeler.lists.entry import Wanted
    from labeler.parts.order import Order


def classify(
    *,
    inputs: Inputs = None,
    out: Annotated[
        str,
        typer.Option(
            "--out",
            "-o",
            help="The table to write: .csv, .jsonl or .parquet; or a directory for parts, which ends in /, or an "
            "address such as s3://bucket/labels/.",
        ),
    ],
    model: ModelOption = "",
    faces: FacesOption = Faces.AUTO,
    resize: ResizeOption = None,
    threshold: Threshold = 0.0,
    top: Top = 0,
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
    from_list: FromList = "",
    column: Column = "",
    keep: Keep = "",
    include: Include = None,
    exclude: Exclude = None,
    endpoint: Endpoint = "",
    region: Region = "",
    anonymous: Anonymous = False,
    limit: Limit = 0,
    sample: Sample = 0,
    seed: Seed = 0,
    overwrite: Overwrite = False,
    retry_failed: RetryFailed = False,
    refresh: Refresh = False,
    shard: ShardOption = "",
    unit_size: UnitSize = 0,
    plan_only: PlanOnly = False,
    engine: EngineOption = Engine.LOCAL,
    address: Address = "",
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

    With --faces whole, any network labels whole photos, not faces: --resize says how they become squares.

    An --out that ends in / is a directory of Parquet parts, for runs that are large, remote, or shared by several
    machines: each runs the same command with its --shard, and the last one finishes the directory.

    Examples: labeler classify ./photos --out labels.csv | labeler classify ./photos --out labels.csv --prior balanced |
    labeler classify s3://bucket/photos --out s3://bucket/labels/ --shard 3/16 |
    labeler classify ./photos --from-list split.csv --keep id,split --out labels.csv
    """
    summary = _classified(SimpleNamespace(**locals()))
    _end(summary, as_json=as_json, profile=profile, quiet=quiet)


def _classified(asked: SimpleNamespace) -> Summary:
    """Carry out `classify`, given its options by their names."""
    from labeler import pipeline
    from labeler.cli import show_photos
    from labeler.job import Job
    from labeler.parts.order import is_directory

    request = _request(asked)
    (out,) = addressed([asked.out], asked.endpoint, asked.region, anonymous=asked.anonymous)
    redo = {one for one, wanted in ((Redo.FAILED, asked.retry_failed), (Redo.CHANGED, asked.refresh)) if wanted}
    with decoders(), show_photos.labeling_progress(asked.progress, quiet=asked.quiet) as show:
        if is_directory(out):
            if asked.overwrite or redo:
                raise LabelerError(
                    f"--overwrite, --retry-failed and --refresh change a table, and the parts in {out} are never "
                    "changed; choose another --out"
                )
            from labeler.parts import classify as parts  # It loads pyarrow, which a run into one file does without.

            return parts.classify(_order(asked, request, out), show)
        if asked.shard or asked.unit_size or asked.plan_only or asked.engine is Engine.RAY:
            raise LabelerError(f"--shard, --unit-size, --plan-only and --engine go with a directory: --out {out}/")
        job = Job.of(request, out=Path(out), overwrite=asked.overwrite, redo=frozenset(redo))
        return pipeline.classify(job, show)


def _request(asked: SimpleNamespace) -> Request:
    from labeler.inference import prior as priors
    from labeler.job import Request
    from labeler.selection import Selection

    of_settings = {name: getattr(asked, name) for name in Settings.__dataclass_fields__ if hasattr(asked, name)}
    settings = Settings(**{**of_settings, "prior": priors.wanted(asked.prior, asked.model)})
    selection = Selection(
        include=tuple(asked.include or ()),
        exclude=tuple(asked.exclude or ()),
        limit=asked.limit,
        sample=asked.sample,
        seed=asked.seed,
    )
    return Request(
        inputs=addressed(asked.inputs or (), asked.endpoint, asked.region, anonymous=asked.anonymous),
        settings=settings,
        workers=asked.workers,
        batch_size=asked.batch_size,
        all_files=asked.all_files,
        device=asked.device,
        selection=selection,
        listing=_listing(asked),
    )


def _listing(asked: SimpleNamespace) -> Wanted | None:
    from labeler.lists.entry import Wanted

    if asked.from_list:
        keep = next(csv.reader([asked.keep]), [])
        options = reaching(asked.endpoint, asked.region, anonymous=asked.anonymous)
        names = tuple(name.strip() for name in keep)
        return Wanted(path=asked.from_list, column=asked.column, keep=names, options=options)
    if asked.column or asked.keep:
        raise LabelerError("--column and --keep go with a list of files: --from-list FILE")
    if not asked.inputs:
        raise LabelerError("name folders or files of photos, or a list of them with --from-list")
    return None


def _order(asked: SimpleNamespace, request: Request, out: str) -> Order:
    from labeler.cli import engine
    from labeler.parts.order import WHOLE, Order, Share

    share = Share.of(asked.shard, os.environ) if asked.shard else WHOLE
    return Order.of(
        request,
        out=out,
        share=share,
        unit_files=asked.unit_size,
        plan_only=asked.plan_only,
        actors=engine.actors(asked.engine, asked.address, asked.workers, asked.device),
    )


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
        str,
        typer.Argument(
            help="A table made by classify, or a folder of photos, which is classified first; or an address of these.",
            show_default=False,
        ),
    ] = "",
    into: Annotated[Path | None, typer.Option("--into", callback=here, help="The folder to sort into.")] = None,
    mode: Annotated[Mode, typer.Option("--mode", help="How files are placed there.")] = Mode.COPY,
    flat: Annotated[bool, typer.Option("--flat", help="Leave out the subfolders below the label's folder.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the plan and change nothing.")] = False,
    undo: Annotated[
        Path | None, typer.Option("--undo", callback=here, help="Undo what was sorted into this folder.")
    ] = None,
    root: Root = "",
    reviews: Reviews = None,
    model: ModelOption = "",
    faces: FacesOption = Faces.AUTO,
    resize: ResizeOption = None,
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
    folder is saved in the sorted folder as labels.csv; --model, --faces, --resize, --threshold, --prior and --workers
    are as for classify.

    Examples: labeler sort labels.csv --into sorted | labeler sort ./photos --into sorted --mode symlink |
    labeler sort --undo sorted
    """
    from labeler.cli import show_photos
    from labeler.inference import prior as priors
    from labeler.sorting import sort as sorting
    from labeler.tables import decided, reader, remote

    watched = show_photos.watching(progress, quiet=quiet)
    if undo:
        with sorting.undo(undo, watched) as moves:
            outcomes = show_photos.show_moves(iter(moves), len(moves), undo, progress, doing="undoing", quiet=quiet)
    elif source and into:
        with ExitStack() as opened:
            table = opened.enter_context(remote.local(source, reviews)) if remote.is_table(source) else None
            folder = reader.root(table, root) if table else source
            if not dry_run:
                opened.enter_context(sorting.held(into, folder))
            if table:
                rows: Iterable[Row] = decided.rows(table, not no_reviews, folder)
                class_names = reader.class_names(table)
            else:
                shares = priors.wanted(prior, model)
                settings = Settings(model=model, faces=faces, resize=resize, threshold=threshold, prior=shares)
                rows, class_names = _labelled(source, into, settings, workers, progress, dry_run=dry_run, quiet=quiet)
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


def _labelled(
    source: str, into: Path, settings: Settings, workers: int, progress: Progress, *, dry_run: bool, quiet: bool
) -> tuple[Iterable[Row], tuple[str, ...]]:
    """Label a folder; return the rows to sort by, and the names of the classes."""
    from labeler import pipeline
    from labeler.cli import show_photos
    from labeler.inference import bundle
    from labeler.job import Job
    from labeler.sorting import sort as sorting
    from labeler.tables import decided

    sorting.plan([], source, into)  # It refuses what cannot be sorted before an hour is spent on labels.
    if dry_run:
        class_names = bundle.card(bundle.find(settings.model)).class_names
        return _heard(pipeline.label([source], settings, workers)), class_names
    job = Job(inputs=(source,), out=into / "labels.csv", settings=settings, workers=workers)
    with decoders(), show_photos.labeling_progress(progress, quiet=quiet) as show:
        summary = pipeline.classify(job, show)
    if not quiet:
        show_photos.show_summary(summary)
    return decided.rows(job.out), summary.model.class_names


def _heard(rows: Iterable[Row]) -> Iterator[Row]:
    """Yield rows while decoders' messages are captured."""
    with decoders():
        yield from rows


def annotate(
    table: Table,
    out: Annotated[
        Path, typer.Option("--out", "-o", callback=here, help="The folder to draw into: a new or an empty one.")
    ],
    root: Root = "",
    reviews: Reviews = None,
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
    from labeler.tables import decided, reader, remote

    with decoders(), remote.local(table, reviews) as path:
        settings = Settings(root=reader.root(path, root), max_pixels=max_pixels)
        rows = decided.rows(path, not no_reviews, settings.root)
        drawn = drawing.annotate(rows, reader.class_names(path), settings, out)
        failed = show_photos.show_annotated(drawn, out, progress, quiet=quiet)
    raise typer.Exit(1 if failed else 0)
