"""The commands for models: list them, show a model card, convert a file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from labeler.cli.datasets import training_package
from labeler.cli.options import Json
from labeler.errors import LabelerError

if TYPE_CHECKING:
    from labeler.inference.bundle import Card

app = typer.Typer(help="List the shipped models, show a model card, convert a .keras file.")


@app.callback(invoke_without_command=True)
def models(ctx: typer.Context, as_json: Json = False) -> None:
    """List the shipped models with their figures."""
    if ctx.invoked_subcommand:
        return
    from labeler.inference import bundle

    found = [(bundle.card(path), _float32(path)) for path in bundle.shipped(bundle.CLASSIFIER).values()]
    if as_json:
        typer.echo(json.dumps([_as_json(*pair) for pair in found]))
        return
    from labeler.cli import show_models

    show_models.show_all(found)


@app.command("show")
def show_model(
    model: Annotated[str, typer.Argument(help="A bundle's name, a run directory, an .onnx or a .keras file.")],
    as_json: Json = False,
) -> None:
    """Print a model card: classes, figures, training data, licence, hash; of a shipped model, all that was measured.

    Example: labeler models show default
    """
    from labeler.inference import bundle

    path = bundle.find(model)
    card, float32, readme = bundle.card(path), _float32(path), bundle.readme(path)
    if as_json:
        typer.echo(json.dumps({**_as_json(card, float32), "readme": readme}))
        return
    from labeler.cli import show_models

    show_models.show(card, readme, float32)


def _float32(path: Path) -> Card | None:
    """Return the card of the file in float32 beside a bundle; None where there is none."""
    from labeler.inference import bundle

    beside = bundle.float32(path)
    return None if beside == path else bundle.card(beside)


def _as_json(card: Card, float32: Card | None) -> dict[str, Any]:
    """Return what `--json` prints of a bundle: its card, and what differs in its file in float32."""
    about = float32 and {name: getattr(float32, name) for name in ("path", "sha256", "size", "speed")}
    return {**card.as_json(), "float32": about}


@app.command("convert")
def convert_model(
    keras_file: Annotated[
        Path, typer.Argument(help="A .keras file; its network takes 64x64 RGB images scaled to 0..1.")
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="The bundle to write: an .onnx file.")],
    class_names: Annotated[
        str,
        typer.Option(
            "--class-names", help="Class names in the order of the outputs, if the file has none: angry,disgust,..."
        ),
    ] = "",
) -> None:
    """Convert a .keras file to a bundle, and check that both give the same. Needs the extra `train`.

    Example: labeler models convert best_model.keras --class-names angry,happy,sad --out model.onnx
    """
    if keras_file.suffix == ".onnx":
        raise LabelerError(
            f"{keras_file} is an ONNX network already; convert reads .keras files. If it holds its class names, use it "
            "with --model as it is; docs/bundle.md says how to add them, and what else a bundle is"
        )
    names = [name.strip() for name in class_names.split(",")] if class_names else None
    training_package().bundle.export.convert(keras_file, names, out)
    show_model(str(out))
