"""The commands for reviews: show them, put those of several persons together, import them."""

from __future__ import annotations

import getpass
import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from labeler.cli.options import Json, ProgressOption, Quiet, Reviews, Root, Table, here
from labeler.errors import LabelerError
from labeler.records import Progress

app = typer.Typer(help="Show the reviews of a table, merge those of several persons, import them from other tools.")


class Source(StrEnum):
    """Where corrections were made; see `reviewers.importing.Source`."""

    CSV = "csv"
    LABEL_STUDIO = "label-studio"
    CVAT = "cvat"


class Decide(StrEnum):
    """Who decides; see `reviewers.merge.Decide`, whose names alone are needed here."""

    MAJORITY = "majority"
    CLEANLAB = "cleanlab"


@app.callback(invoke_without_command=True)
def reviews(ctx: typer.Context) -> None:
    """Show the reviews of a table, merge those of several persons, import them from other tools."""
    if not ctx.invoked_subcommand:
        typer.echo(ctx.get_help())
        raise typer.Exit(2)


@app.command("show")
def show_reviews(
    table: Table,
    root: Root = "",
    reviews: Reviews = None,
    progress: ProgressOption = Progress.AUTO,
    as_json: Json = False,
) -> None:
    """Print what each reviewer said, and how far they agree: raw, kappa, Krippendorff's alpha, Gwet's AC1.

    Of blind cards it also prints how careful each one was: cards shown twice that were answered differently, and labels
    that were wrong on purpose and missed.

    Example: labeler reviews show labels.csv
    """
    from labeler.cli import show_photos, show_reviews
    from labeler.reviewers import merge as merging
    from labeler.tables import remote

    with remote.local(table, reviews) as path:
        found = merging.votes(path, root, show_photos.watching(progress, quiet=as_json))
    if as_json:
        typer.echo(json.dumps(found.as_json()))
        return
    show_reviews.show(found)


@app.command("merge")
def merge_reviews(
    table: Table,
    others: Annotated[
        list[Path] | None,
        typer.Argument(metavar="OTHER.reviews.jsonl", help="Reviews of the same table.", show_default=False),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            callback=here,
            help="Put all of them into this file instead.",
            show_default="the reviews of the table",
        ),
    ] = None,
    decide: Annotated[
        Decide,
        typer.Option(
            "--decide",
            help="Who decides where reviewers do not agree. majority: of equally many votes the latest. cleanlab: "
            "reviewers and the model by how far they can be trusted; needs the extra `audit`.",
        ),
    ] = Decide.MAJORITY,
    root: Root = "",
    reviews: Reviews = None,
    progress: ProgressOption = Progress.AUTO,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Put the reviews of several persons together, and print how far they agree.

    What is missing is appended to the reviews of the table; the order does not matter, nor does merging twice. All
    votes are kept: what counts is decided by them.

    Example: labeler reviews merge labels.csv ann.reviews.jsonl bob.reviews.jsonl
    """
    from labeler.cli import show_photos, show_reviews
    from labeler.reviewers import merge as merging
    from labeler.tables import remote

    with remote.local(table, reviews, corrects=not out) as path:
        wanted = merging.MergeSettings(
            table=path, others=others or [], out=out, decide=merging.Decide(decide.value), root=root
        )
        found = merging.merge(wanted, show_photos.watching(progress, quiet=quiet))
    if as_json:
        typer.echo(json.dumps(found.as_json()))
    if not quiet:
        show_reviews.show_merged(found)


@app.command("import")
def import_reviews(
    table: Table,
    file: Annotated[Path, typer.Argument(help="What the other tool wrote.", show_default=False)],
    source: Annotated[
        Source,
        typer.Option(
            "--from",
            help="csv: a copy of the table (.csv, .jsonl, .parquet) with another `label`, or with a column "
            "`corrected`. label-studio: its JSON. cvat: its XML, CVAT for images 1.1.",
        ),
    ],
    reviewer: Annotated[
        str,
        typer.Option(
            "--reviewer", help="Who said it.", show_default="your login; with label-studio the annotators' names"
        ),
    ] = "",
    export: Annotated[
        Path | None,
        typer.Option(
            "--export",
            help="With cvat, the folder of the export: faces that it shows and FILE lacks are no faces.",
            show_default=False,
        ),
    ] = None,
    accept: Annotated[
        bool, typer.Option("--accept", help="Labels that were left as they were have been looked at, and are right.")
    ] = False,
    root: Root = "",
    reviews: Reviews = None,
    progress: ProgressOption = Progress.AUTO,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Import corrections that were made in a spreadsheet, in Label Studio or in CVAT.

    They are appended to the reviews of the table; importing a file twice adds nothing. What cannot be used is counted
    and named, and the exit code is then 1.

    Example: labeler reviews import labels.csv corrected.csv --from csv
    """
    from labeler.cli import show_photos, show_reviews
    from labeler.reviewers import importing
    from labeler.tables import remote

    with remote.local(table, reviews, corrects=True) as path:
        wanted = importing.ImportSettings(
            table=path,
            file=file,
            source=importing.Source(source.value),
            reviewer=_named(reviewer) if reviewer or source is not Source.LABEL_STUDIO else "",
            export=export,
            accept=accept,
            root=root,
        )
        found = importing.import_reviews(wanted, show_photos.watching(progress, quiet=quiet))
    if as_json:
        typer.echo(json.dumps(found.as_json()))
    if not quiet:
        show_reviews.show_imported(found)
    raise typer.Exit(found.exit_code)


def _named(reviewer: str) -> str:
    """Return the reviewer's name; by default the login's."""
    name = reviewer.strip()
    if not reviewer:
        try:
            name = getpass.getuser()
        except (KeyError, OSError):  # No such user, as in some containers.
            name = "reviewer"
    if not name or len(name) > 100 or not name.isprintable():
        raise LabelerError("a reviewer's name has 1 to 100 letters: --reviewer NAME")
    return name
