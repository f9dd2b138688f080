"""The command that adapts a model to the photos of a table by what persons said about its faces: adapt."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from labeler.cli.options import Json, ProgressOption, Quiet, Reviews, Root, Table, here
from labeler.errors import needs
from labeler.records import Progress


def adapt(
    table: Table,
    out: Annotated[
        Path, typer.Option("--out", "-o", callback=here, help="The folder of the new model, for classify --model.")
    ],
    model: Annotated[
        str, typer.Option("--model", help="The model that labelled the table.", show_default="as recorded")
    ] = "",
    root: Root = "",
    reviews: Reviews = None,
    workers: Annotated[int, typer.Option("--workers", min=0, help="Number of threads; 0 for one per core.")] = 0,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an existing model in the folder.")] = False,
    progress: ProgressOption = Progress.AUTO,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Adapt the model of a table to its photos, by the faces that were corrected or confirmed (review).

    The last layer of the network is fitted to the reviewed faces, held back by a prior around no change; it takes
    seconds. The faces that were looked at blind (review --certify) are not learnt from: a paired test on them tells
    whether the adapted model is better. If not, nothing is written, and the exit code is 1. Needs the extra `adapt`.

    Example: labeler adapt labels.csv --out runs/mine
    """
    from labeler import console
    from labeler.cli import show_photos
    from labeler.tables import remote

    with needs("adapt", "onnx", "scipy", "imagehash"):
        from labeler.certify import recalibrated_bundle
        from training.adapt import adapt as adapting
    with remote.local(table, reviews) as path:
        source, target = recalibrated_bundle.places(path, model, out, overwrite=overwrite, option="--out")
        found = adapting.adapt(path, source, root, workers, show_photos.watching(progress, quiet=quiet))
    if not quiet:
        console.say("\n".join(found.lines()))
    is_better = found.judged.is_better
    if is_better:
        adapting.write(found, target)
    if as_json:
        typer.echo(json.dumps({**found.as_json(), "written": is_better}))
    if not is_better:
        why = "fewer labels would be right" if found.judged.fewer_right else "the gain is not certain"
        console.say(
            f"{why}: the model stays as it is, and nothing was written. Review more faces, or more "
            f"blind ones: labeler review {table} --certify"
        )
        raise typer.Exit(1)
    if not quiet:
        console.say(f"{target}: use it with --model {out}")
