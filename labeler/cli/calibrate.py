"""The command that recalibrates the scores of a table by its own blind sample: calibrate."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from labeler.cli.options import Json, ProgressOption, Quiet, Reviews, Root, Table, here
from labeler.errors import LabelerError, needs
from labeler.records import Progress


def calibrate(
    table: Table,
    out: Annotated[
        Path, typer.Option("--out", "-o", callback=here, help="The table to write: .csv, .jsonl or .parquet; new.")
    ],
    model_out: Annotated[
        Path | None,
        typer.Option(
            "--model-out", callback=here, help="Write a bundle that gives these scores into this folder, for classify."
        ),
    ] = None,
    model: Annotated[
        str,
        typer.Option(
            "--model", help="With --model-out, the model that labelled the table.", show_default="as recorded"
        ),
    ] = "",
    root: Root = "",
    reviews: Reviews = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace an existing table, and an existing bundle.")
    ] = False,
    progress: ProgressOption = Progress.AUTO,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Recalibrate the scores of a table by the faces that were looked at blind (review --certify).

    One temperature and one offset for each class, shrunk towards none, are fitted to the blind answers; every figure is
    cross-validated. The new table has other probabilities, scores and labels; the reviews go along. Where it would not
    help, or fewer labels would be right, nothing is written, and the exit code is 1. --model-out needs the extra
    `calibrate`.

    Example: labeler calibrate labels.csv --out calibrated.csv --model-out mine/
    """
    from labeler import console
    from labeler.certify import recalibrated
    from labeler.cli import show_photos
    from labeler.tables import remote

    with remote.local(table, reviews) as path:
        recalibrated.check(path, out, overwrite=overwrite)
        source = target = None
        if model_out:
            with needs("calibrate", "onnx"):
                from labeler.certify import recalibrated_bundle
            source, target = recalibrated_bundle.places(path, model, model_out, overwrite=overwrite)
        elif model:
            raise LabelerError("--model is that of the bundle to write: name its folder with --model-out")
        found = recalibrated.fit(path, root)
        if not quiet:
            console.say("\n".join(found.lines()))
        if found.helps:
            if source and target:  # First: where it cannot be written, there is no table either.
                recalibrated_bundle.write(found, source, target)
            recalibrated.write(found, out, overwrite=overwrite, watched=show_photos.watching(progress, quiet=quiet))
    if as_json:
        typer.echo(json.dumps({**found.as_json(), "written": found.helps}))
    if not found.helps:
        one, reason = found.fitted, "fewer labels would be right" if found.fewer_right else "the gain is not certain"
        console.say(
            f"log loss {one.loss_before:.3f} before, {one.loss_after:.3f} after by cross-validation on {found.cards:,} "
            f"cards: {reason}, the scores stay as they are, and nothing was written"
        )
        raise typer.Exit(1)
    if not quiet:
        console.say(f"{out}: {found.changed:.1%} of the labels are others; certify it: labeler review {out} --certify")
        if target:
            console.say(f"{target}: use it with --model {target.parent}")
