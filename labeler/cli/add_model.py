"""The command that makes a bundle of any network: models add, and models convert."""

from __future__ import annotations

import json
import math
import tempfile
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from labeler.adding.said import Channels, Layout, Said
from labeler.cli import own_models
from labeler.cli.datasets import training_package
from labeler.cli.options import Json
from labeler.errors import LabelerError, needs, one_line
from labeler.records import Resize

if TYPE_CHECKING:
    from labeler.adding.export_folder import Found

_KERAS = frozenset({".keras", ".h5", ".hdf5"})

_MAX_NAMES = 1 << 24
"""Upper limit on a file of class names, in bytes."""

_PANEL = "What the files do not say"

Source = Annotated[
    Path,
    typer.Argument(
        help="An .onnx, .keras or .h5 file; or the folder of an export by Hugging Face or timm: model.onnx with its "
        "config.json."
    ),
]
Name = Annotated[str, typer.Option("--name", help="The bundle's name, for --model.", show_default=False)]
Out = Annotated[
    Path | None,
    typer.Option(
        "--out",
        "-o",
        help="The folder to write NAME/model.onnx to, or the .onnx file. Without it, your own folder of bundles.",
        show_default=False,
    ),
]
ClassNames = Annotated[
    str,
    typer.Option(
        "--class-names",
        help="Class names in the order of the outputs: angry,happy,... or a file with one name a line.",
        rich_help_panel=_PANEL,
    ),
]
Scale = Annotated[
    str,
    typer.Option(
        "--scale",
        help="What pixels, 0 to 255, are multiplied by: 1/255 (without the option), 1/127.5, 1, 0.0039.",
        rich_help_panel=_PANEL,
    ),
]
Mean = Annotated[
    str,
    typer.Option("--mean", help="What is subtracted from them then: one number or three.", rich_help_panel=_PANEL),
]
Std = Annotated[
    str, typer.Option("--std", help="What they are divided by then: one number or three.", rich_help_panel=_PANEL)
]
LayoutOption = Annotated[
    Layout | None,
    typer.Option("--layout", help="The order of the axes; nchw is channels first.", rich_help_panel=_PANEL),
]
ChannelsOption = Annotated[
    Channels | None, typer.Option("--channels", help="What a pixel is; bgr is OpenCV's order.", rich_help_panel=_PANEL)
]
Logits = Annotated[
    bool | None,
    typer.Option(
        "--logits/--probabilities",
        help="Whether the outputs are logits, which get a softmax. Without it, the graph and its answers tell.",
        rich_help_panel=_PANEL,
        show_default=False,
    ),
]
Side = Annotated[
    int | None,
    typer.Option("--side", help="The side of its images in pixels, where it takes any.", rich_help_panel=_PANEL),
]
CropMargin = Annotated[
    float | None,
    typer.Option(
        "--crop-margin",
        min=0,
        max=2,
        help="What is added around a face on each side, as a share of its box's longer side. Without it, nothing.",
        rich_help_panel=_PANEL,
    ),
]
ResizeOption = Annotated[
    Resize | None,
    typer.Option("--resize", help="How an image that is taken whole becomes a square.", rich_help_panel=_PANEL),
]
Licence = Annotated[
    str, typer.Option("--licence", help="The licence of the network, for its card.", rich_help_panel=_PANEL)
]
Inspect = Annotated[
    bool, typer.Option("--inspect", help="Print what is understood, and what had to be guessed; write nothing.")
]


def add_model(
    source: Source,
    name: Name = "",
    out: Out = None,
    inspect: Inspect = False,
    class_names: ClassNames = "",
    scale: Scale = "",
    mean: Mean = "",
    std: Std = "",
    layout: LayoutOption = None,
    channels: ChannelsOption = None,
    logits: Logits = None,
    side: Side = None,
    crop_margin: CropMargin = None,
    resize: ResizeOption = None,
    licence: Licence = "",
    as_json: Json = False,
) -> None:
    """Make a bundle of a network you have: an .onnx, .keras or .h5 file, or an export of Hugging Face or timm.

    What the network needs is put into its graph: gray, the order of channels, layout, scale, mean and standard
    deviation, softmax. Its answers for the faces of the example photos are compared with those of the original. Needs
    the extra `models`; for .keras and .h5 files `train`.

    Examples:

    labeler models add vit-emotions/ --name vit

    labeler models add net.onnx --name mine --out models --class-names angry,happy,sad --mean 0.5 --std 0.5

    labeler models add net.onnx --class-names names.txt --channels gray --inspect
    """
    options = Said(
        side=side,
        channels=channels,
        layout=layout,
        scale=_number("--scale", scale) if scale else None,
        mean=_numbers("--mean", mean),
        std=_numbers("--std", std),
        logits=logits,
        class_names=_class_names(class_names),
        crop_margin=crop_margin,
        resize=resize,
        licence=licence or None,
    )
    path = None if inspect else _place(name, out)
    keras = source.suffix in _KERAS
    with tempfile.TemporaryDirectory(prefix="labeler-") if keras else nullcontext() as folder:
        _add(source, options, path, name, Path(folder) if folder else None, as_json=as_json)


def _add(source: Path, options: Said, path: Path | None, name: str, folder: Path | None, *, as_json: bool) -> None:
    """Make the bundle ``path``, or only print what is understood; ``folder`` is for the network of a Keras file."""
    with needs("models", "onnx"):
        from labeler.adding import add
    from labeler.cli import show_models

    found = _of_keras(source, folder) if folder else add.find(source)
    understood = add.understand(source, found, options)
    made = path and add.add(understood, name or _named(path), path)
    if as_json:
        typer.echo(json.dumps({**understood.as_json(), "made": made.as_json() if made else None}))
    else:
        show_models.show_added(understood.as_json(), made.as_json() if made else None)


def _of_keras(source: Path, folder: Path) -> Found:
    """Write the network of a Keras file as a plain ONNX file, and return it with what the file says."""
    from labeler.adding.export_folder import Found

    plain = folder / "plain.onnx"
    if not source.is_file():
        raise LabelerError(f"there is no file {source}")
    said = training_package().bundle.keras_source.write(source, plain)
    names = said.get("class_names")
    return Found(
        network=plain,
        given=source,
        said=Said(
            side=said["side"],
            channels=Channels.GRAY if said["channels"] == 1 else None,
            layout=Layout.NHWC,
            scale=1.0 if said["rescales"] else None,
            class_names=tuple(names) if names else None,
        ),
    )


def _place(name: str, out: Path | None) -> Path:
    """Return the file to write."""
    if out is not None and out.suffix == ".onnx":
        if not out.resolve().parent.is_dir():
            raise LabelerError(f"there is no folder {out.parent}; create it first")
        return _free(out)
    if not name:
        raise LabelerError("give the bundle a --name")
    if not out:
        return own_models.place(name)
    own_models.check_name(name)
    return _free(out / name / "model.onnx")


def _free(path: Path) -> Path:
    if path.exists():
        raise LabelerError(f"{path} exists already; give another --name or --out")
    return path


def _named(path: Path) -> str:
    return path.stem if path.stem != "model" else path.resolve().parent.name


def _class_names(given: str) -> tuple[str, ...] | None:
    """Return the class names that an option gives, or the lines of the file that it names."""
    if not given:
        return None
    path = Path(given)
    if "," in given or not path.is_file():
        return tuple(name.strip() for name in given.split(","))
    try:
        if path.stat().st_size > _MAX_NAMES:
            raise LabelerError(f"{path} is larger than {_MAX_NAMES:,} bytes, too large for class names")
        lines = path.read_text("utf-8-sig").splitlines()
    except (OSError, ValueError) as exc:
        raise LabelerError(f"{path} cannot be read as class names: {one_line(exc)}") from exc
    return tuple(line.strip() for line in lines if line.strip())


def _numbers(option: str, given: str) -> tuple[float, ...] | None:
    if not given:
        return None
    numbers = tuple(_number(option, one) for one in given.split(","))
    if len(numbers) not in (1, 3):
        raise LabelerError(f"{option} {given} is neither one number nor three")
    return numbers


def _number(option: str, given: str) -> float:
    """Return a number; ``1/255`` is one, too."""
    above, _, below = given.partition("/")
    try:
        number = float(above) / float(below or 1)
    except (ValueError, ZeroDivisionError):
        number = math.nan
    if not math.isfinite(number):
        raise LabelerError(f"{option} {given} is no number")
    return number
