"""What the commands for models and `doctor` print: the result they were asked for, so on stdout."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from rich.console import Console
from rich.markdown import Markdown
from rich.table import Table
from rich.text import Text

from labeler.inference.bundle import Card


def show_all(cards: Iterable[Card]) -> None:
    """Print one line per model."""
    table = Table(box=None, pad_edge=False)
    for name in ("model", "classes", "accuracy", "baseline", "macro-F1", "non-faces", "measured on"):
        table.add_column(name)
    for card in cards:
        figures = card.validation
        table.add_row(
            card.name,
            str(len(card.class_names)),
            _figure(figures.get("accuracy")),
            _figure(figures.get("majority_baseline")),
            _figure(figures.get("macro_f1")),
            "labelled" if card.face_threshold is None else "no_face",
            f"{figures.get('data', '?')}, n = {figures.get('n', '?')}",
        )
    Console(highlight=False).print(table)


def show(card: Card, readme: str = "") -> None:
    """Print a model card without its reliability bins, which `report` draws, and below it the model's README."""
    table = Table(box=None, show_header=False, pad_edge=False)
    for name, value in card.as_json().items():
        shown = ", ".join(value) if isinstance(value, tuple) else "" if value is None else value
        if isinstance(value, dict):
            printed = {key: one for key, one in value.items() if key != "reliability"}
            shown = json.dumps(printed, indent=1, ensure_ascii=False)
        table.add_row(Text(name.replace("_", " "), "bold"), Text(str(shown)))
    terminal = Console(highlight=False)
    terminal.print(table)
    if readme:
        terminal.print("", Markdown(readme), sep="\n")


def show_report(report: Mapping[str, Any]) -> None:
    """Print the report of `doctor`."""
    table = Table(box=None, show_header=False, pad_edge=False)
    for name, value in report.items():
        shown = value
        if isinstance(value, dict):
            shown = "\n".join(f"{key.replace('_', ' ')}: {_plain(one)}" for key, one in value.items())
        table.add_row(Text(name.replace("_", " "), "bold"), Text(_plain(shown)))
    Console(highlight=False).print(table)


def _plain(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return "none" if value is None else str(value)


def _figure(value: float | None) -> str:
    return "?" if value is None else f"{value:.3f}"
