"""The commands that draw pages of tables: report, diff."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from labeler.cli.options import (
    Classes,
    Json,
    Labels,
    MaxPixels,
    NoReviews,
    ProgressOption,
    Quiet,
    Reviews,
    Root,
    Table,
    here,
)
from labeler.native_output import decoders
from labeler.records import Progress

ClassFolders = Annotated[
    bool, typer.Option("--class-folders", help="Compare with the first folder of each name as the true class.")
]
Pictures = Annotated[bool, typer.Option("--pictures/--no-pictures", help="Show the faces, which are personal data.")]
Replace = Annotated[bool, typer.Option("--overwrite", help="Replace a file that is no page of labeler.")]


def report(
    table: Table,
    out: Annotated[Path, typer.Option("--out", "-o", callback=here, help="The page to write: an .html file.")],
    root: Root = "",
    reviews: Reviews = None,
    labels: Labels = None,
    classes: Classes = "",
    class_folders: ClassFolders = False,
    samples: Annotated[
        int,
        typer.Option(
            "--samples", min=0, max=100, help="Faces to show of each kind - surest, least sure, random - and label."
        ),
    ] = 12,
    seed: Annotated[int, typer.Option("--seed", help="Random seed of the random faces.")] = 0,
    pictures: Pictures = True,
    overwrite: Replace = False,
    max_pixels: MaxPixels = 100_000_000,
    no_reviews: NoReviews = False,
    progress: ProgressOption = Progress.AUTO,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Draw a table as one self-contained page: counts, scores, faces of each label, and what failed and why.

    The page needs no network and no scripts. With --labels or --class-folders it compares the labels with the truth.

    Example: labeler report labels.csv --out report.html
    """
    from labeler import console
    from labeler.cli import show_photos
    from labeler.report import report as reporting
    from labeler.tables import remote

    with decoders(), remote.local(table, reviews) as path:
        wanted = reporting.ReportSettings(
            table=path,
            out=out,
            root=root,
            samples=samples,
            seed=seed,
            pictures=pictures,
            labels=labels,
            classes=classes,
            class_folders=class_folders,
            reviews=not no_reviews,
            overwrite=overwrite,
            max_pixels=max_pixels,
        )
        found = reporting.write(wanted, show_photos.watching(progress, quiet=quiet))
    if as_json:
        typer.echo(json.dumps(found.as_json()))
    if not quiet:
        console.say(f"{found.faces:,} faces in {found.files:,} photos: {out}")


def diff(
    a: Table,
    b: Annotated[str, typer.Argument(help="Another table of the same photos, or its address.", show_default=False)],
    out: Annotated[
        Path | None, typer.Option("--out", "-o", callback=here, help="Draw it as a page, too: an .html file.")
    ] = None,
    root: Root = "",
    labels: Labels = None,
    classes: Classes = "",
    class_folders: ClassFolders = False,
    flips: Annotated[
        int, typer.Option("--flips", min=0, max=500, help="Faces of another class to show, the surest first.")
    ] = 20,
    least_iou: Annotated[
        float,
        typer.Option(
            "--iou",
            min=0.01,
            max=1.0,
            help="Boxes that overlap at least so much are of one face: intersection over union.",
        ),
    ] = 0.5,
    ignore_versions: Annotated[
        bool,
        typer.Option("--ignore-versions", help="Compare files by name alone, although their size or time differs."),
    ] = False,
    pictures: Pictures = True,
    overwrite: Replace = False,
    max_pixels: MaxPixels = 100_000_000,
    no_reviews: NoReviews = False,
    progress: ProgressOption = Progress.AUTO,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Compare two tables of the same photos: two models, two thresholds, before and after fine-tuning.

    It prints what only one table has, which labels changed into which, agreement and Cohen's kappa, and the surest
    changes; with --labels or --class-folders the accuracy of both and McNemar's test. --out draws it with the faces.

    Example: labeler diff before.csv after.csv --out diff.html
    """
    from labeler.cli import show_diff, show_photos
    from labeler.report import diff as differing
    from labeler.report import diff_page
    from labeler.tables import remote

    with decoders(), remote.local(a) as path_a, remote.local(b) as path_b:
        wanted = differing.DiffSettings(
            a=path_a,
            b=path_b,
            named=(a, b),
            flips=flips,
            least_iou=least_iou,
            ignore_versions=ignore_versions,
            root=root,
            labels=labels,
            classes=classes,
            class_folders=class_folders,
            reviews=not no_reviews,
        )
        page = (
            diff_page.PageSettings(out=out, pictures=pictures, overwrite=overwrite, max_pixels=max_pixels)
            if out
            else None
        )
        if page:
            diff_page.check(wanted, page)
        watched = show_photos.watching(progress, quiet=quiet)
        found = differing.diff(wanted, watched)
        if page:
            diff_page.write(found, page, watched)
    if as_json:
        typer.echo(json.dumps(found.as_json()))
    if not quiet:
        show_diff.show(found, out)
