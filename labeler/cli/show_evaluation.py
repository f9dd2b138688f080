"""What a person sees of what a model is worth. Rich, on stderr only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

from labeler import console
from labeler.records import EXAMPLES

if TYPE_CHECKING:  # Only to say what comes in: they load the whole pipeline.
    from labeler.evaluation.evaluate import Evaluation
    from labeler.evaluation.metrics import Figures


def show(verdict: Evaluation) -> None:
    """Print the figures, and what was asked for besides."""
    show_figures(verdict.figures)
    terminal = console.stderr()
    for line in verdict.passed_over:
        terminal.print(f"passed over: {line}", markup=False, soft_wrap=True)
    if verdict.missing:
        named = ", ".join(verdict.missing[:EXAMPLES]) + (", ..." if len(verdict.missing) > EXAMPLES else "")
        terminal.print(f"missing: {named}", markup=False, soft_wrap=True)
    if verdict.wanted_accuracy is not None:
        terminal.print(_advice(verdict, verdict.wanted_accuracy), soft_wrap=True)
    if verdict.trials:
        _show_trials(verdict, terminal)


def show_figures(figures: Figures) -> None:
    """Print how each class is found, then the figures over all."""
    terminal = console.stderr()
    table = Table(box=None, pad_edge=False)
    table.add_column("class")
    for name in ("precision", "recall", "F1", "pictures"):
        table.add_column(name, justify="right")
    for name, one in figures.per_class.items():
        table.add_row(Text(name), f"{one.precision:.3f}", f"{one.recall:.3f}", f"{one.f1:.3f}", f"{one.support:,}")
    terminal.print(table)
    terminal.print(
        f"accuracy {figures.accuracy:.3f} {_interval(figures.accuracy_interval)}, always the most frequent class: "
        f"{figures.majority_baseline:.3f}, macro-F1 {figures.macro_f1:.3f} {_interval(figures.macro_f1_interval)}, "
        f"n = {figures.n:,}, against {figures.against}",
        soft_wrap=True,
    )
    if figures.confidence:
        judged = figures.confidence
        terminal.print(
            f"calibration error {judged.ece:.3f} (15 bins), log loss {judged.nll:.3f}, Brier score {judged.brier:.3f}"
        )
    if any(figures.left_out.values()):
        terminal.print("left out: " + ", ".join(f"{count:,} {why}" for why, count in figures.left_out.items()))


def show_change(model: str, before: Figures, after: Figures) -> None:
    """Print what a model was worth before it was adapted, and after, on the same pictures."""
    of_both = f"n = {after.n:,}, always the most frequent class: {after.majority_baseline:.3f}"
    console.say(f"before: accuracy {before.accuracy:.3f}, macro-F1 {before.macro_f1:.3f}, by {model}")
    console.say(
        f"after:  accuracy {after.accuracy:.3f}, macro-F1 {after.macro_f1:.3f}, on the same pictures ({of_both})"
    )
    if after.accuracy <= before.accuracy:
        console.say(f"it got no better: go on using {model}, or adapt it to more pictures")


def _advice(verdict: Evaluation, wanted: float) -> str:
    kept, total = verdict.suggestion, verdict.figures.n
    if not kept:
        return f"no threshold keeps faces of which {wanted:.1%} are labelled right"
    low, high = kept.interval
    return (
        f"for an accuracy of {wanted:.1%}: --threshold {kept.threshold:.2f} keeps {kept.n / total:.1%} of the faces "
        f"({kept.n:,} of {total:,}), {kept.accuracy:.1%} of them right ({low:.1%} to {high:.1%})"
    )


def _show_trials(verdict: Evaluation, terminal: Console) -> None:
    table = Table(box=None, pad_edge=False)
    table.add_column("each picture")
    table.add_column("accuracy", justify="right")
    table.add_column("points lost", justify="right")
    table.add_row("as it is", f"{verdict.figures.accuracy:.3f}", "")
    for trial in verdict.trials:
        table.add_row(trial.variation, f"{trial.accuracy:.3f}", f"{round(trial.drop, 1) + 0.0:.1f}")  # No -0.0.
    terminal.print(table)


def _interval(interval: tuple[float, float]) -> str:
    return f"({interval[0]:.3f} to {interval[1]:.3f})"
