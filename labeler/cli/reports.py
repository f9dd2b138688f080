"""The commands that draw pages of tables: report."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from labeler.cli.options import Classes, Json, Labels, MaxPixels, ProgressOption, Quiet
from labeler.native_output import decoders
from labeler.records import Progress

Table = Annotated[Path, typer.Argument(help="A table made by classify.")]
Root = Annotated[Path | None, typer.Option("--root", help="Where the table's files are now, if they have moved since.")]


def report(
    table: Table,
    out: Annotated[Path, typer.Option("--out", "-o", help="The page to write: an .html file.")],
    root: Root = None,
    labels: Labels = None,
    classes: Classes = "",
    class_folders: Annotated[
        bool, typer.Option("--class-folders", help="Compare with the first folder of each name as the true class.")
    ] = False,
    samples: Annotated[
        int,
        typer.Option(
            "--samples", min=0, max=100, help="Faces to show of each kind - surest, least sure, random - and label."
        ),
    ] = 12,
    seed: Annotated[int, typer.Option("--seed", help="Random seed of the random faces.")] = 0,
    pictures: Annotated[
        bool, typer.Option("--pictures/--no-pictures", help="Show the faces, which are personal data.")
    ] = True,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a file that is no report.")] = False,
    max_pixels: MaxPixels = 100_000_000,
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

    wanted = reporting.ReportSettings(
        table=table,
        out=out,
        root=str(root) if root else "",
        samples=samples,
        seed=seed,
        pictures=pictures,
        labels=labels,
        classes=classes,
        class_folders=class_folders,
        overwrite=overwrite,
        max_pixels=max_pixels,
    )
    with decoders():
        found = reporting.write(wanted, show_photos.watching(progress, quiet=quiet))
    if as_json:
        typer.echo(json.dumps(found.as_json()))
    if not quiet:
        console.say(f"{found.faces:,} faces in {found.files:,} photos: {out}")
