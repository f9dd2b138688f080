"""What the commands for data sets print of a model's figures, on stderr."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

from labeler import console
from labeler.records import EXAMPLES

if TYPE_CHECKING:  # For annotations only: these modules load the whole pipeline.
    from labeler.evaluation.evaluate import Evaluation
    from labeler.evaluation.metrics import Figures


def show(verdict: Evaluation) -> None:
    """Print the figures, the suggested threshold and the perturbations that were asked for."""
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
    """Print precision, recall and F1 of each class, then the overall figures."""
    terminal = console.stderr()
    table = Table(box=None, pad_edge=False)
    table.add_column("class")
    for name in ("precision", "recall", "F1", "photos"):
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


def show_change(model: str, before: Figures, recalibrated: Figures | str, after: Figures) -> None:
    """Print the figures before and after fine-tuning, and those of a mere recalibration, on the same photos."""
    of_both = f"n = {after.n:,}, always the most frequent class: {after.majority_baseline:.3f}"
    console.say(f"before: {_change(before)}, by {model}")
    alone = recalibrated if isinstance(recalibrated, str) else _change(recalibrated)
    console.say(f"recalibrated alone (temperature and offsets of the classes): {alone}")
    console.say(f"after:  {_change(after)}, on the same photos ({of_both})")
    if after.accuracy <= before.accuracy:
        console.say(f"the accuracy did not improve: go on using {model}, or fine-tune it on more photos")
    elif not isinstance(recalibrated, str) and after.accuracy <= recalibrated.accuracy:
        console.say("training brought no more than a recalibration does: see labeler calibrate")


def _change(figures: Figures) -> str:
    told = f"accuracy {figures.accuracy:.3f}, macro-F1 {figures.macro_f1:.3f}"
    judged = figures.confidence
    return f"{told}, calibration error {judged.ece:.3f}, log loss {judged.nll:.3f}" if judged else told


def _advice(verdict: Evaluation, wanted: float) -> str:
    kept, total = verdict.suggestion, verdict.figures.n
    if not kept:
        return f"no threshold gives an accuracy of {wanted:.1%}"
    low, high = kept.interval
    return (
        f"for an accuracy of {wanted:.1%}: --threshold {kept.threshold:.2f} keeps {kept.n / total:.1%} of the faces "
        f"({kept.n:,} of {total:,}), {kept.accuracy:.1%} of them right ({low:.1%} to {high:.1%})"
    )


def _show_trials(verdict: Evaluation, terminal: Console) -> None:
    table = Table(box=None, pad_edge=False)
    table.add_column("perturbation")
    table.add_column("accuracy", justify="right")
    table.add_column("points lost", justify="right")
    table.add_row("none", f"{verdict.figures.accuracy:.3f}", "")
    for trial in verdict.trials:
        table.add_row(trial.variation, f"{trial.accuracy:.3f}", f"{round(trial.drop, 1) + 0.0:.1f}")  # No -0.0.
    terminal.print(table)


def _interval(interval: tuple[float, float]) -> str:
    return f"({interval[0]:.3f} to {interval[1]:.3f})"
