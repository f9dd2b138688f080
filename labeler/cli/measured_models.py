"""The commands for models that measure: quantize makes a bundle faster, compare sets models side by side."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from labeler.cli import own_models
from labeler.cli.options import (
    Classes,
    FacesOption,
    Json,
    Labels,
    NoReviews,
    ProgressOption,
    Quiet,
    ResizeOption,
    Workers,
    here,
)
from labeler.errors import LabelerError, needs
from labeler.records import Faces, Progress

On = Annotated[
    Path,
    typer.Option("--on", callback=here, help="A folder of photos; with class subfolders, or --labels, it is labelled."),
]


def quantize(
    model: Annotated[str, typer.Argument(help="A bundle with weights in float32: its name, its folder or its file.")],
    on: On,
    name: Annotated[
        str, typer.Option("--name", help="The name of the new bundle in your own folder.", show_default="MODEL-int8")
    ] = "",
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", callback=here, help="Write the bundle into this folder instead of your own."),
    ] = None,
    labels: Labels = None,
    classes: Classes = "",
    no_reviews: NoReviews = False,
    faces: FacesOption = Faces.AUTO,
    resize: ResizeOption = None,
    images: Annotated[
        int, typer.Option("--images", min=1, help="Photos to calibrate on; at most half of those that there are.")
    ] = 300,
    test_images: Annotated[int, typer.Option("--test-images", min=1, help="Most other photos to measure on.")] = 2000,
    progress: ProgressOption = Progress.AUTO,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Make a bundle with weights of 8-bit integers, which is smaller and on most processors faster.

    Some photos tell the range of each activation (static quantisation); others, which it was not calibrated on, what it
    costs and gains: accuracy and macro-F1 where the class is known, otherwise how far both bundles agree, and the
    speed. Nothing is overwritten. Needs the extra `models`.

    Example: labeler models quantize mine --on ./photos
    """
    from labeler import console
    from labeler.cli import show_measured, show_photos

    if not quiet:
        console.say("loading ...")
    with needs("models", "onnx"):
        from labeler.evaluation import quantised
        from labeler.tables.labels import truth
    target = _free(out) if out else own_models.place(name or f"{_name(model)}-int8")
    settings = quantised.QuantiseSettings(
        model=model,
        out=target,
        name=name or target.parent.resolve().name,
        data=on,
        truth=truth(labels, classes, on, reviews=not no_reviews),
        faces=faces,
        resize=resize,
        images=images,
        test_images=test_images,
    )
    found = quantised.make(settings, show_photos.watching(progress, quiet=quiet))
    if as_json:
        typer.echo(json.dumps(found.as_json()))
    elif not quiet:
        show_measured.show_quantised(found, str(target.parent) if out else target.parent.name)


def compare(
    models: Annotated[list[str], typer.Argument(metavar="A B ...", help="Two or more models: names or paths.")],
    on: On,
    labels: Labels = None,
    classes: Classes = "",
    no_reviews: NoReviews = False,
    faces: FacesOption = Faces.AUTO,
    resize: ResizeOption = None,
    workers: Workers = 0,
    progress: ProgressOption = Progress.AUTO,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Compare models of the same classes on labelled photos: accuracy, macro-F1, calibration, speed, size.

    All run on the processor and are measured on the same photos, those that every one of them labels. The speed is that
    of the network alone on one core, measured side by side. The table goes to stdout.

    Example: labeler models compare default documented --on ./test
    """
    from labeler import console
    from labeler.cli import show_measured, show_photos

    if not quiet:
        console.say("loading ...")
    from labeler.evaluation import compare_models as comparison
    from labeler.tables.labels import truth

    settings = comparison.CompareSettings(
        models=tuple(models),
        data=on,
        truth=truth(labels, classes, on, reviews=not no_reviews),
        faces=faces,
        resize=resize,
        workers=workers,
    )
    found = comparison.compare(settings, show_photos.watching(progress, quiet=quiet))
    if as_json:
        typer.echo(json.dumps(found.as_json()))
    else:
        show_measured.show_compared(found)


def _name(model: str) -> str:
    """Return the name of a model that is given by its name or a path."""
    from labeler.inference import bundle

    return model if model in bundle.shipped(bundle.CLASSIFIER) | bundle.own() else bundle.card(bundle.find(model)).name


def _free(folder: Path) -> Path:
    """Return the file of a new bundle in a folder that holds none."""
    from labeler.inference import bundle

    if folder.exists() and not folder.is_dir():
        raise LabelerError(f"{folder} is a file; name a folder with --out")
    for file in (bundle.CLASSIFIER, bundle.FLOAT32):
        if (folder / file).exists():
            raise LabelerError(f"{folder / file} exists; choose another --out")
    return folder / bundle.CLASSIFIER
