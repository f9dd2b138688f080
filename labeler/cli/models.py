"""The commands for models: list them, show a model card, add one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from labeler.cli.add_model import add_model
from labeler.cli.options import Json

if TYPE_CHECKING:
    from labeler.inference.bundle import Card

app = typer.Typer(help="List the models, show a model card, add a network of your own.")


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


app.command("add")(add_model)
app.command("convert")(add_model)
