"""The command that makes a bundle of any network: models add, and models convert."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from labeler.cli.datasets import training_package
from labeler.cli.options import Json
from labeler.errors import LabelerError, needs
from labeler.records import Resize

if TYPE_CHECKING:
    from labeler.adding.export_folder import Found
    from labeler.adding.said import Said

_KERAS = frozenset({".keras", ".h5", ".hdf5"})
_MAX_NAMES = 1 << 24
"""Upper limit on a file of class names, in bytes."""

_GIVEN = "What the files do not say"


def add_model(
    source: Annotated[
        Path,
        typer.Argument(
            help="An .onnx, .keras or .h5 file; or the folder of an export by Hugging Face or timm: model.onnx, "
            "config.json, preprocessor_config.json."
        ),
    ],
    name: Annotated[str, typer.Option("--name", help="The bundle's name, for --model.", show_default=False)] = "",
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            help="The folder to write NAME/model.onnx to, or the .onnx file to write. Without it, your own folder of "
            "bundles.",
            show_default=False,
        ),
    ] = None,
    class_names: Annotated[
        str,
        typer.Option(
            "--class-names",
            help="Class names in the order of the outputs: angry,happy,... or a file with one name a line.",
            rich_help_panel=_GIVEN,
        ),
    ] = "",
    scale: Annotated[
        str,
        typer.Option(
            "--scale",
            help="What pixels (0 to 255) are multiplied by: 1/255, 1/127.5, 1. Without it 1/255.",
            rich_help_panel=_GIVEN,
        ),
    ] = "",
    mean: Annotated[
        str,
        typer.Option("--mean", help="What is subtracted then: one number or three.", rich_help_panel=_GIVEN),
    ] = "",
    std: Annotated[
        str, typer.Option("--std", help="What it is divided by then: one number or three.", rich_help_panel=_GIVEN)
    ] = "",
    layout: Annotated[
        str,
        typer.Option("--layout", help="The order of the axes: nhwc or nchw (channels first).", rich_help_panel=_GIVEN),
    ] = "",
    channels: Annotated[
        str, typer.Option("--channels", help="rgb, bgr (OpenCV's order) or gray.", rich_help_panel=_GIVEN)
    ] = "",
    logits: Annotated[
        bool | None,
        typer.Option(
            "--logits/--probabilities",
            help="Whether the outputs are logits, which need a softmax. Without it, the graph and its answers tell.",
            rich_help_panel=_GIVEN,
            show_default=False,
        ),
    ] = None,
    side: Annotated[
        int,
        typer.Option(
            "--side", help="Side of its images in pixels, where it takes any.", rich_help_panel=_GIVEN, show_default=False
        ),
    ] = 0,
    crop_margin: Annotated[
        float | None,
        typer.Option(
            "--crop-margin",
            min=0,
            max=2,
            help="What is added around a face on each side, as a share of its box's longer side. Without it none.",
            rich_help_panel=_GIVEN,
            show_default=False,
        ),
    ] = None,
    resize: Annotated[
        Resize | None,
        typer.Option(
            "--resize",
            help="How an image that is taken whole becomes a square.",
            rich_help_panel=_GIVEN,
            show_default=False,
        ),
    ] = None,
    licence: Annotated[
        str, typer.Option("--licence", help="The network's licence, for its card.", rich_help_panel=_GIVEN)
    ] = "",
    inspect: Annotated[
        bool, typer.Option("--inspect", help="Print what is understood, and what is guessed; write nothing.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Make a bundle of a network that you have: an .onnx, .keras or .h5 file, or an export of Hugging Face or timm.

    What it needs is put into its graph: gray, order of channels, layout, scale, mean and standard deviation, softmax.
    On the faces of the example photos the bundle's answers are compared with those of the original. Needs the extra
    `models`; for .keras and .h5 files `train`.

    Examples:

    labeler models add vit-emotions/ --name vit --out models/

    labeler models add net.onnx --name mine --class-names angry,happy,sad --mean 0.5 --std 0.5 --out models/

    labeler models add net.onnx --class-names names.txt --channels gray --inspect
    """
    options = _options(class_names, scale, mean, std, layout, channels, side, licence)
    with needs("models", "onnx"):
        import labeler.adding.add
    with tempfile.TemporaryDirectory(prefix="labeler-") as folder:
        _add(source, name, out, options, Path(folder), as_json=as_json)


def _add(source: Path, folder: Path) -> None: ...
