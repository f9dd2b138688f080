"""The command that says what a run would cost."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from labeler.cli.options import (
    AllFiles,
    Anonymous,
    DeviceOption,
    Endpoint,
    FacesOption,
    Json,
    ModelOption,
    Region,
    ResizeOption,
    Threshold,
    UnitSize,
    addressed,
)
from labeler.native_output import decoders
from labeler.records import Device, Faces, Settings


def plan(
    inputs: Annotated[
        list[str],
        typer.Argument(help="Folders and single files, or addresses such as s3://bucket/photos.", show_default=False),
    ],
    sample: Annotated[int, typer.Option("--sample", min=1, help="Label N randomly chosen photos to measure.")] = 200,
    cores: Annotated[
        int, typer.Option("--cores", min=0, help="Cores like this one that the run will have; 0 for this machine's.")
    ] = 0,
    price: Annotated[
        float | None,
        typer.Option("--price", min=0.0, help="What one core costs for an hour.", show_default=False),
    ] = None,
    currency: Annotated[str, typer.Option("--currency", help="The unit of --price, in your own words: EUR.")] = "",
    unit_size: UnitSize = 0,
    model: ModelOption = "",
    faces: FacesOption = Faces.AUTO,
    resize: ResizeOption = None,
    threshold: Threshold = 0.0,
    all_files: AllFiles = False,
    endpoint: Endpoint = "",
    region: Region = "",
    anonymous: Anonymous = False,
    device: DeviceOption = Device.AUTO,
    as_json: Json = False,
) -> None:
    """Say what classify would cost before it is run: files, bytes, core-hours, hours and price. Nothing is written.

    All files are listed, and a random sample of the photos is labelled by one process, as classify would.

    Example: labeler plan s3://bucket/photos --cores 64 --price 0.04 --currency EUR
    """
    from labeler.cli import show_plan
    from labeler.cost.estimate import estimate
    from labeler.job import Request

    settings = Settings(model=model, faces=faces, resize=resize, threshold=threshold)
    places = addressed(inputs, endpoint, region, anonymous=anonymous)
    request = Request(inputs=places, settings=settings, all_files=all_files, device=device)
    with decoders():
        found = estimate(request, sample=sample, unit_files=unit_size, on_cores=cores, price=price, currency=currency)
    if as_json:
        typer.echo(json.dumps(found.as_json()))
    else:
        show_plan.show(found)
