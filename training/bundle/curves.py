"""The learning curves of a run: loss and accuracy in training and validation, with the best epoch marked."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from labeler.evaluation.charts import INK, PALE_INK, blank
from training.loop.history import Epoch, History

_TRAINING, _VALIDATION = "#9aa7b5", "#1f6fb4"


def draw(history: History) -> Figure:
    """Draw the learning curves of a run: loss on the left, accuracy on the right."""
    figure = blank(11, 4.5)
    left, right = figure.subplots(1, 2)
    best = history.best
    _panel(left, history, "loss", f"validation loss {best.val_loss:.3f} in epoch {best.number}, the best")
    _panel(right, history, "accuracy", f"validation accuracy {best.val_accuracy:.1%} in epoch {best.number}")
    right.yaxis.set_major_formatter(PercentFormatter(1))
    return figure


def _panel(axes: Axes, history: History, name: str, title: str) -> None:
    numbers = [epoch.number for epoch in history.epochs]
    training = [getattr(epoch, name) for epoch in history.epochs]
    validation = [getattr(epoch, f"val_{name}") for epoch in history.epochs]
    marker = "o" if len(numbers) == 1 else None
    for values, others, label, color in (
        (training, validation, "training", _TRAINING),
        (validation, training, "validation", _VALIDATION),
    ):
        above = values[-1] > others[-1] or (values[-1] == others[-1] and values is training)
        axes.plot(numbers, values, color=color, linewidth=2, marker=marker)
        axes.annotate(
            label,
            (numbers[-1], values[-1]),
            (7, 0),
            textcoords="offset points",
            color=color,
            va="bottom" if above else "top",  # So that the two labels never overlap.
        )
    _mark(axes, history.best, f"val_{name}")
    axes.set_title(title, loc="left", color=INK, weight="bold", fontsize=12, pad=12)
    axes.set_xlabel("epoch", color=PALE_INK)
    margin = 0.02 * len(numbers) if len(numbers) > 1 else 0.3
    axes.set_xlim(numbers[0] - margin, numbers[-1] + margin)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.grid(axis="y", color="#e6eaee")
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_color("#c5ccd3")
    axes.tick_params(length=0, labelcolor=PALE_INK)


def _mark(axes: Axes, best: Epoch, key: str) -> None:
    axes.axvline(best.number, color=_VALIDATION, linewidth=1, linestyle=(0, (4, 3)), alpha=0.6)
    axes.plot(best.number, getattr(best, key), "o", color="white", markeredgecolor=_VALIDATION, markersize=9, mew=2)
