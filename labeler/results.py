"""What a person sees of a model's exam. Rich, on stderr only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from labeler import console

if TYPE_CHECKING:  # Only to say what comes in: it loads the whole pipeline.
    from labeler.exam import Verdict


def show(verdict: Verdict) -> None:
    """Print the figures, and what was asked for besides."""
    console.show_figures(verdict.figures)
    terminal = console.stderr()
    for line in verdict.passed_over:
        terminal.print(f"passed over: {line}", markup=False, soft_wrap=True)
    if verdict.wanted_accuracy is not None:
        terminal.print(_advice(verdict, verdict.wanted_accuracy), soft_wrap=True)
    if verdict.trials:
        _show_trials(verdict, terminal)


def _advice(verdict: Verdict, wanted: float) -> str:
    kept, total = verdict.suggestion, verdict.figures.n
    if not kept:
        return f"no threshold keeps faces of which {wanted:.1%} are labelled right"
    low, high = kept.interval
    return (
        f"for an accuracy of {wanted:.1%}: --threshold {kept.threshold:.2f} keeps {kept.n / total:.1%} of the faces "
        f"({kept.n:,} of {total:,}), {kept.accuracy:.1%} of them right ({low:.1%} to {high:.1%})"
    )


def _show_trials(verdict: Verdict, terminal: Console) -> None:
    table = Table(box=None, pad_edge=False)
    table.add_column("each picture")
    table.add_column("accuracy", justify="right")
    table.add_column("points lost", justify="right")
    table.add_row("as it is", f"{verdict.figures.accuracy:.3f}", "")
    for trial in verdict.trials:
        table.add_row(trial.variation, f"{trial.accuracy:.3f}", f"{round(trial.drop, 1) + 0.0:.1f}")  # No -0.0.
    terminal.print(table)
