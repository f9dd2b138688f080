"""The commands for runs past one machine: merge."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from labeler.cli.options import Json, ProgressOption, Quiet
from labeler.records import Progress


def merge(
    parts: Annotated[str, typer.Argument(help="A directory of parts made by classify, or its address.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The table to write: .csv, .jsonl or .parquet.")],
    partial: Annotated[
        bool, typer.Option("--partial", help="Merge the parts that are there, although others are missing.")
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an existing table.")] = False,
    progress: ProgressOption = Progress.AUTO,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Make one table of a directory of parts: all rows in order, as if one run had written it.

    Memory does not grow with the number of rows. Where parts are missing, it says which.

    Examples: labeler merge labels/ --out labels.csv | labeler merge s3://bucket/labels/ --out labels.parquet
    """
    from labeler.cli import show_photos
    from labeler.parts import merge as merging

    watched = show_photos.watching(progress, quiet=quiet)
    merged = merging.merge(parts, out, partial=partial, overwrite=overwrite, watched=watched)
    if as_json:
        typer.echo(json.dumps(merged.as_json()))
    if not quiet:
        show_photos.show_merged(merged)
    raise typer.Exit(1 if merged.missing else 0)
