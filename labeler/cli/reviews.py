"""The commands for reviews: show them, put those of several persons together."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from labeler.cli.options import Json, Quiet, Root, Table

app = typer.Typer(help="Show the reviews of a table, merge those of several persons, import them from other tools.")


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
def show_reviews(table: Table, root: Root = None, as_json: Json = False) -> None:
    """Print what each reviewer said, and how far they agree: raw, kappa, Krippendorff's alpha, Gwet's AC1.

    Example: labeler reviews show labels.csv
    """
    from labeler.cli import show_reviews
    from labeler.reviewers import merge as merging

    found = merging.votes(table, str(root) if root else "")
    if as_json:
        typer.echo(json.dumps(found.as_json()))
        return
    show_reviews.show(found)


@app.command("merge")
def merge_reviews(
    table: Table,
    others: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[OTHER.reviews.jsonl]...", help="Reviews of the same table.", show_default=False),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", "-o", help="Put all of them into this file instead.", show_default="the reviews of the table"
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
    root: Root = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Put the reviews of several persons together, and print how far they agree.

    What is missing is appended to the reviews of the table; the order does not matter, nor does merging twice. All
    votes are kept: what counts is decided by them.

    Example: labeler reviews merge labels.csv ann.reviews.jsonl bob.reviews.jsonl
    """
    from labeler.cli import show_reviews
    from labeler.reviewers import merge as merging

    wanted = merging.MergeSettings(
        table=table,
        others=others or [],
        out=out,
        decide=merging.Decide(decide.value),
        root=str(root) if root else "",
    )
    found = merging.merge(wanted)
    if as_json:
        typer.echo(json.dumps(found.as_json()))
    if not quiet:
        show_reviews.show_merged(found)
