"""The commands for models: list them, show a model card, add one."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from labeler.cli import own_models
from labeler.cli.add_model import add_model
from labeler.cli.options import Json
from labeler.errors import ModelError

if TYPE_CHECKING:
    from labeler.inference.bundle import Card

app = typer.Typer(help="List models, show a model card, add a network of your own, make one faster, compare models.")


@app.callback(invoke_without_command=True)
def models(ctx: typer.Context, as_json: Json = False) -> None:
    """List the shipped models with their figures, and your own."""
    if not ctx.invoked_subcommand:
        list_models(as_json)


@app.command("list")
def list_models(as_json: Json = False) -> None:
    """List the shipped models with their figures, and the bundles in your own folder.

    Example: labeler models list
    """
    from labeler.inference import bundle

    found = [(bundle.card(path), _float32(path)) for path in bundle.shipped(bundle.CLASSIFIER).values()]
    mine, damaged = _own()
    if as_json:
        cards = [{**_as_json(*pair), "own": pair in mine} for pair in (*found, *mine)]
        typer.echo(json.dumps([*cards, *({"path": path, "own": True, "error": why} for path, why in damaged)]))
        return
    from labeler.cli import show_models

    show_models.show_all(found)
    if mine or damaged:
        show_models.show_own(own_models.folder(), mine, damaged)


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


def _own() -> tuple[list[tuple[Card, Card | None]], list[tuple[str, str]]]:
    """Return the user's own bundles, each with its card in float32, and the paths of those that are damaged with why.

    One with the name of a shipped bundle, which no command would take, is among the latter.
    """
    from labeler.inference import bundle, own_bundles

    known = bundle.own()
    cards, damaged = [], []
    for name, path in own_bundles.named(bundle.CLASSIFIER).items():
        if name not in known:
            damaged.append((str(path), f"{path.parent} has the name of a shipped bundle, which is used; rename it"))
            continue
        try:
            cards.append((replace(bundle.card(path), name=name), _float32(path)))
        except ModelError as exc:
            damaged.append((str(path), str(exc)))
    return cards, damaged


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
