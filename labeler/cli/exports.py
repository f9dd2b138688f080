"""The command that carries labels elsewhere: export."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from labeler.cli.options import (
    GroupBy,
    Json,
    MaxPixels,
    NoReviews,
    ProgressOption,
    Quiet,
    Reviews,
    Root,
    Table,
    here,
)
from labeler.errors import Interrupted
from labeler.native_output import decoders
from labeler.records import Mode, Progress


class To(StrEnum):
    """The formats of `exports.formats`, whose names alone are needed here."""

    COCO = "coco"
    CROISSANT = "croissant"
    CVAT = "cvat"
    FIFTYONE = "fiftyone"
    IMAGEFOLDER = "imagefolder"
    LABEL_STUDIO = "label-studio"
    PARQUET = "parquet"
    VOC = "voc"
    WEBDATASET = "webdataset"
    YOLO = "yolo"
    YOLO_CLS = "yolo-cls"


class Placed(StrEnum):
    """How pictures get into an export."""

    COPY = "copy"
    SYMLINK = "symlink"
    HARDLINK = "hardlink"
    NONE = "none"


Split = Annotated[
    str,
    typer.Option(
        "--split",
        metavar="SHARES",
        help="Shares of train, val and test: 0.8,0.1,0.1. Copies, near copies and faces of one photo stay "
        "together. 1 for one undivided set.",
        show_default="0.8,0.2 with yolo and yolo-cls; else 1",
    ),
]
Crops = Annotated[
    bool | None,
    typer.Option(
        "--crops/--photos",
        help="Export a picture for each face, or whole photos with boxes.",
        show_default="what suits the format",
    ),
]
PlacedOption = Annotated[
    Placed,
    typer.Option("--mode", help="How photos get into the export. none: they stay in place, and are named there."),
]
PerClass = Annotated[
    int, typer.Option("--per-class", min=0, help="Export at most N random pictures of each class; 0 for all.")
]
MinScore = Annotated[
    float, typer.Option("--min-score", min=0.0, max=1.0, help="Leave out faces whose label has a lower score.")
]
KeepMetadata = Annotated[
    bool, typer.Option("--keep-metadata", help="Keep EXIF, GPS and other metadata in photos that are copied.")
]


def export(
    table: Table,
    to: Annotated[To, typer.Option("--to", help="The format.")],
    out: Annotated[
        Path, typer.Option("--out", "-o", callback=here, help="The folder to export into: a new or empty one.")
    ],
    root: Root = "",
    reviews: Reviews = None,
    split: Split = "",
    group_by: GroupBy = "",
    seed: Annotated[int, typer.Option("--seed", help="Random seed of --split and --per-class.")] = 0,
    crops: Crops = None,
    mode: PlacedOption = Placed.COPY,
    per_class: PerClass = 0,
    min_score: MinScore = 0.0,
    keep_metadata: KeepMetadata = False,
    max_pixels: MaxPixels = 100_000_000,
    no_reviews: NoReviews = False,
    progress: ProgressOption = Progress.AUTO,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Export a table as a data set for other tools: photos with bounding boxes, or a crop of each face.

    Faces that are `uncertain` and files without a label are left out. Beside every export stand a data set card
    (README.md) and a Croissant description. The same command continues after a kill; nothing is overwritten. --split
    reads every photo once, to find near copies, and needs the extra `export`. All formats: docs/export.md.

    Examples: labeler export labels.csv --to coco --out coco/ |
    labeler export labels.csv --to imagefolder --out faces/ --split 0.8,0.1,0.1 --min-score 0.6
    """
    from labeler.cli import show_export, show_photos
    from labeler.exports import export as exporting
    from labeler.exports.settings import ExportSettings
    from labeler.tables import remote

    try:
        with decoders(), remote.local(table, reviews) as path:
            wanted = ExportSettings(
                table=path,
                to=to.value,
                out=out,
                root=root,
                split=show_export.shares(split),
                group_by=group_by,
                seed=seed,
                crops=crops,
                mode=None if mode is Placed.NONE else Mode(mode.value),
                per_class=per_class,
                min_score=min_score,
                keep_metadata=keep_metadata,
                max_pixels=max_pixels,
                reviews=not no_reviews,
            )
            made = exporting.export(wanted, show_photos.watching(progress, quiet=quiet))
    except KeyboardInterrupt:
        raise Interrupted(f"stopped; the same command continues in {out}") from None
    if as_json:
        typer.echo(json.dumps(made.as_json()))
    if not quiet:
        show_export.show(made)
    raise typer.Exit(made.exit_code)
