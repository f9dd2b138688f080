"""What the commands for models and `doctor` print: the result they were asked for, so on stdout."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markdown import Markdown
from rich.table import Table
from rich.text import Text

from labeler.inference.bundle import Card

_OPTIONS = {
    name: f"--{name.replace('_', '-')}"
    for name in ("class_names", "channels", "layout", "scale", "mean", "std", "crop_margin", "resize", "licence")
} | {"logits": "--logits or --probabilities"}
"""The option for each fact that can be guessed, or be missing."""

_SHOWN = 10
"""Upper limit on the class names that are shown of a network that is added."""


def show_all(cards: Iterable[tuple[Card, Card | None]]) -> None:
    """Print one line per model, given with the card of its file in float32; with that file, two."""
    Console(highlight=False).print(_listed(cards))


def show_own(folder: Path, cards: Collection[tuple[Card, Card | None]], damaged: Iterable[tuple[str, str]]) -> None:
    """Print the user's own bundles as `show_all` does, the folder that they are in, and why others cannot be used."""
    terminal = Console(highlight=False)
    terminal.print("", Text(f"yours, in {folder}:"), sep="\n", soft_wrap=True)
    if cards:
        terminal.print(_listed(cards))
    for path, why in damaged:
        terminal.print(Text(why if path in why else f"{path}: {why}", "red"), soft_wrap=True)


def _listed(cards: Iterable[tuple[Card, Card | None]]) -> Table:
    table = Table(box=None, pad_edge=False)
    for name in ("model", "accuracy", "baseline", "macro-F1", "no_face", "MB", "faces/s", "measured on"):
        table.add_column(name, overflow="fold" if name == "model" else "ellipsis")
    for card, float32 in cards:
        figures = card.validation
        files = [card, float32] if float32 else [card]
        table.add_row(
            Text("\n".join([f"{card.name} {card.weights}".rstrip(), *(f"  {one.weights}" for one in files[1:])])),
            _figure(figures.get("accuracy")),
            _figure(figures.get("majority_baseline")),
            _figure(figures.get("macro_f1")),
            "no" if card.face_threshold is None else "yes",
            "\n".join(_megabytes(one) for one in files),
            "\n".join("?" if one.speed is None else f"{one.speed:,.0f}" for one in files),
            Text(f"{figures.get('data', '?')}, n = {figures.get('n', '?')}"),
        )
    return table


def show(card: Card, readme: str = "", float32: Card | None = None) -> None:
    """Print a model card without its reliability bins, which `report` draws, and below it the model's README.

    ``float32`` is the card of its file in float32.
    """
    table = Table(box=None, show_header=False, pad_edge=False)
    for name, value in card.as_json().items():
        shown = ", ".join(map(str, value)) if isinstance(value, tuple) else "" if value is None else value
        if isinstance(value, dict):
            printed = {key: one for key, one in value.items() if key != "reliability"}
            shown = json.dumps(printed, indent=1, ensure_ascii=False)
        table.add_row(Text(name.replace("_", " "), "bold"), Text(str(shown)))
    if float32:
        speed = f", {float32.speed:,.0f} faces a second" if float32.speed else ""
        table.add_row(
            Text("float32", "bold"), Text(f"{_megabytes(float32)} MB{speed}\n{float32.path}\n{float32.sha256}")
        )
    terminal = Console(highlight=False)
    terminal.print(table)
    if readme:
        terminal.print("", Markdown(readme), sep="\n")


def show_added(understood: Mapping[str, Any], made: Mapping[str, Any] | None) -> None:
    """Print what is known of a network with where it is from, and what was made of it."""
    table = Table(box=None, pad_edge=False)
    for name in ("", "understood", "from"):
        table.add_column(name)
    for name, fact in understood.items():
        if "from" not in fact:
            table.add_row(Text(name, "bold"), Text(_fact(fact)), Text("graph"))
            continue
        origin = fact["from"] or "nowhere"
        if origin in ("guess", "default", "nowhere") and name in _OPTIONS:
            origin = f"{origin} ({_OPTIONS[name]})"
        table.add_row(Text(name.replace("_", " "), "bold"), Text(_fact(fact["value"])), Text(origin))
    terminal = Console(highlight=False)
    terminal.print(table)
    if made:
        apart = f"{made['difference']:.1g} apart at most, on {made['images']} images"
        terminal.print(f"proved: the bundle and the original are {apart}", f"written: {made['path']}", sep="\n")
    else:
        terminal.print("nothing was written")


def show_report(report: Mapping[str, Any]) -> None:
    """Print the report of `doctor`."""
    table = Table(box=None, show_header=False, pad_edge=False)
    for name, value in report.items():
        shown = value
        if isinstance(value, dict):
            shown = "\n".join(f"{key.replace('_', ' ')}: {_plain(one)}" for key, one in value.items())
        table.add_row(Text(name.replace("_", " "), "bold"), Text(_plain(shown)))
    Console(highlight=False).print(table)


def _fact(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {'any' if one is None else one}" for key, one in value.items())
    if isinstance(value, tuple | list):
        shown = ", ".join(f"{one:.6g}" if isinstance(one, float) else str(one) for one in value[:_SHOWN])
        return f"{shown}, ... ({len(value):,})" if len(value) > _SHOWN else shown
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _plain(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return "none" if value is None else str(value)


def _figure(value: float | None) -> str:
    return "?" if value is None else f"{value:.3f}"


def _megabytes(card: Card) -> str:
    return f"{card.size / 1e6:.1f}"
