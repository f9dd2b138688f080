"""What the commands that measure models print: the result they were asked for, so on stdout."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from labeler.evaluation.agreement import Gain
from labeler.evaluation.compare_models import Compared, Measured
from labeler.evaluation.intervals import Interval
from labeler.evaluation.quantised import Quantised, Side
from labeler.words import counted

_ABREAST = 3
"""Upper limit on the models in one table, for 80 columns."""


def show_quantised(found: Quantised, name: str) -> None:
    """Print both bundles side by side; ``name`` is what --model takes."""
    terminal = Console(highlight=False)
    sides = found.before, found.after
    rows = [("MB", _megabytes([one.size for one in sides])), ("faces/s, one core", [_speed(one) for one in sides])]
    if found.gain:
        rows = [
            ("accuracy", [_with_interval(one.accuracy, one.accuracy_interval) for one in sides]),
            ("macro-F1", [_with_interval(one.macro_f1, one.macro_f1_interval) for one in sides]),
            *rows,
        ]
    terminal.print(_columns(("", "float32", "int8"), rows))
    low, high = found.agreed_interval
    known = f", against {found.against}" if found.gain else f"; accuracy is not known: {found.against}"
    same = f"the same label: {found.agreed:.1%} ({low:.1%} to {high:.1%})"
    lines = [
        f"{same}; probabilities differ by {found.difference:.4f} on average",
        f"calibrated on {counted(found.calibrated, 'face')}, measured on {found.n:,} others{known}",
        f"{found.out}: use it with --model {name}",
    ]
    if found.gain:
        lines.insert(0, f"accuracy, int8 - float32: {_points(found.gain)}")
    for line in lines:
        terminal.print(Text(line), soft_wrap=True)


def show_compared(found: Compared) -> None:
    """Print the models side by side, a column for each, and every other one beside the first."""
    terminal = Console(highlight=False)
    for at in range(0, len(found.models), _ABREAST):
        terminal.print(_beside(found.models[at : at + _ABREAST]))
    first = found.models[0]
    for other in found.others:
        test = other.test
        said = (
            f"accuracy, {other.model} - {first.model}: {_points(other.gain)}; only {first.model} right: "
            f"{test.only_a:,}, only {other.model}: {test.only_b:,}; McNemar's p {test.spelled_p}"
        )
        terminal.print(Text(said), soft_wrap=True)
    left = f"; {found.left_out:,} that not all of them label are left out" if found.left_out else ""
    always = f"always the most frequent class: {first.figures.majority_baseline:.3f}"
    terminal.print(Text(f"{counted(found.n, 'photo')}, against {found.against}{left}; {always}"), soft_wrap=True)
    for line in found.passed_over:
        terminal.print(Text(f"passed over: {line}"), soft_wrap=True)
    if found.missing:
        terminal.print(Text(f"missing: {counted(len(found.missing), 'photo')}: {found.missing[0]}, ..."))


def _beside(models: Sequence[Measured]) -> Table:
    rows = [
        ("accuracy", [_with_interval(one.figures.accuracy, one.figures.accuracy_interval) for one in models]),
        ("macro-F1", [_with_interval(one.figures.macro_f1, one.figures.macro_f1_interval) for one in models]),
        ("calibration error", [f"{one.ece:.3f}" for one in models]),
        ("log loss", [f"{one.nll:.3f}" for one in models]),
        ("faces/s, one core", [f"{one.speed:,.{0 if one.speed > 10 else 1}f}" for one in models]),
        ("MB", _megabytes([one.card.size for one in models])),
        ("side", [f"{one.card.input_size}" for one in models]),
        ("weights", [one.card.weights or "?" for one in models]),
        ("not labelled", [_left_out(one) for one in models]),
    ]
    return _columns(("", *(one.model for one in models)), rows)


def _columns(head: Sequence[str], rows: Sequence[tuple[str, Sequence[str]]]) -> Table:
    table = Table(box=None, pad_edge=False)
    for place, name in enumerate(head):
        table.add_column(Text(name), justify="right" if place else "left", overflow="fold")
    for name, cells in rows:
        table.add_row(Text(name), *map(Text, cells))
    return table


def _with_interval(value: float | None, interval: Interval | None) -> str:
    if value is None or interval is None:
        return "?"
    return f"{value:.3f} ({interval[0]:.3f}-{interval[1]:.3f})"


def _points(gain: Gain) -> str:
    low, high = (100 * one for one in gain.interval)
    return f"{100 * gain.value:+.1f} points (95% interval {low:+.1f} to {high:+.1f})"


def _speed(one: Side) -> str:
    return f"{one.speed:,.{0 if one.speed > 10 else 1}f}"


def _megabytes(sizes: Sequence[int]) -> list[str]:
    return [f"{size / 1e6:.1f}" for size in sizes]


def _left_out(one: Measured) -> str:
    return ", ".join(f"{count:,} {reason}" for reason, count in one.left_out.items()) or "none"
