"""Charts of an evaluation: confusion matrix, reliability diagram, accuracy-coverage curve."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import PercentFormatter
from numpy.typing import NDArray

from labeler.evaluation import intervals
from labeler.evaluation.calibration import BINS, Confidence, Kept
from labeler.evaluation.metrics import Figures
from labeler.storage import atomic

INK, PALE_INK = "#1c2430", "#5d6875"
"""Text colours of all charts."""

DPI = 160
"""Pixels per inch of a written figure."""

_BLUE, _PALE_BLUE, _GRID, _AXIS = "#1f6fb4", "#c9dff2", "#e6eaee", "#c5ccd3"
_MARKED = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
"""Thresholds that are named on the accuracy-coverage curve where there is room."""

_APART = 0.07
"""Lower limit on the distance, in coverage, between two named thresholds: closer names would touch."""

_FEWEST = 20
"""Lower limit on the faces of a point of the accuracy-coverage curve: the accuracy of fewer is chance."""


def draw_confusion(figures: Figures) -> Figure:
    """Draw the confusion matrix: in each cell its share of the true class, and its count."""
    side = max(4.2, 1.6 + 0.82 * len(figures.class_names))
    figure = blank(side, side + 0.3)
    axes = figure.add_subplot()
    counts = np.array(figures.confusion)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    _write_cells(axes, counts, shares)
    _name_classes(axes, figures)
    accuracies = f"accuracy {figures.accuracy:.1%}   baseline {figures.majority_baseline:.1%}"
    title = f"{accuracies}\nmacro-F1 {figures.macro_f1:.3f}   n = {figures.n:,}"
    axes.set_title(title, fontsize=11.5, color=INK, pad=12, weight="bold")
    return figure


def draw_reliability(figures: Figures) -> Figure:
    """Draw the reliability diagram: accuracy by score, with 95% intervals, above the histogram of the scores."""
    confidence = _confidence(figures)
    figure = blank(5.6, 6.4)
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(4, 1))
    _draw_bins(above, confidence)
    _draw_counts(below, confidence, figures)
    mean = sum(one.n * one.score for one in confidence.reliability) / figures.n
    _title(above, f"calibration error {confidence.ece:.1%}   n = {figures.n:,}\nmean score {mean:.1%}   accuracy "
           f"{figures.accuracy:.1%}")  # fmt: skip
    return figure


def draw_coverage(figures: Figures, suggestion: Kept | None = None) -> Figure:
    """Draw the accuracy-coverage curve: how accurate the labels are that a threshold keeps, by how many it keeps."""
    confidence = _confidence(figures)
    figure = blank(6.6, 5.2)
    axes = figure.add_subplot()
    kept = [one for one in confidence.coverage if one.n >= min(_FEWEST, figures.n)]
    shares = [one.n / figures.n for one in kept]
    low, high = zip(*(one.interval for one in kept), strict=True)
    axes.fill_between(shares, low, high, color=_PALE_BLUE, alpha=0.6, linewidth=0)
    axes.plot(shares, [one.accuracy for one in kept], color=_BLUE, linewidth=2)
    _name_thresholds(axes, kept, figures.n, suggestion)
    axes.set_xlim(1.02, -0.02)
    axes.set_ylim(_floor(kept), 1.01)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(PercentFormatter(1))
    axes.set_xlabel(
        f"faces that keep a label; dots: the threshold; right: by {figures.against}", color=PALE_INK, labelpad=8
    )
    axes.set_ylabel("accuracy of these labels, with its 95% interval", color=PALE_INK, labelpad=8)
    _plain(axes)
    told = f"all labels: accuracy {figures.accuracy:.1%}   n = {figures.n:,}"
    if suggestion:
        told = (
            f"threshold {suggestion.threshold:.2f} keeps {suggestion.n / figures.n:.1%}, "
            f"{suggestion.accuracy:.1%} of them right\n{told}"
        )
    _title(axes, told)
    return figure


def blank(width: float, height: float) -> Figure:
    """Return a white figure; the size is in inches."""
    figure = Figure((width, height), facecolor="white", layout=ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.1))
    FigureCanvasAgg(figure)
    return figure


def save(figure: Figure, path: Path) -> None:
    """Write a figure as a PNG or, by the file's suffix, whatever else Matplotlib writes; in place once it is complete.

    Raises:
        OutputError: the file cannot be written.
    """
    with atomic.replacing(path) as beside:
        figure.savefig(beside, dpi=DPI)


def _write_cells(axes: Axes, counts: NDArray[np.int64], shares: NDArray[np.float64]) -> None:
    for (row, column), count in np.ndenumerate(counts):
        share = shares[row, column]
        color = "white" if share > 0.55 else INK if count else "#b4bcc6"
        weight = "bold" if row == column else "normal"
        style: dict[str, Any] = {"ha": "center", "va": "center", "color": color, "in_layout": False}
        axes.text(column, row - 0.1, f"{share:.0%}", size=11, weight=weight, **style)
        axes.text(column, row + 0.21, f"{count:,}", size=8, **style)


def _name_classes(axes: Axes, figures: Figures) -> None:
    places = range(len(figures.class_names))
    rows = [f"{name}\n{one.support:,}" for name, one in figures.per_class.items()]
    axes.set_xticks(places, figures.class_names, rotation=35, ha="right", rotation_mode="anchor")
    axes.set_yticks(places, rows)
    axes.set_xlabel("predicted", color=PALE_INK, labelpad=8)
    axes.set_ylabel(f"true class and its photos, by {figures.against}; each row is 100%", color=PALE_INK, labelpad=8)
    axes.tick_params(length=0, labelcolor=INK)
    axes.spines[:].set_visible(False)
    axes.set_xticks(np.arange(len(places) - 1) + 0.5, minor=True)
    axes.set_yticks(np.arange(len(places) - 1) + 0.5, minor=True)
    axes.grid(which="minor", color="white", linewidth=2)
    axes.tick_params(which="minor", length=0)


def _confidence(figures: Figures) -> Confidence:
    if figures.confidence is None:
        raise ValueError("this chart needs figures of labels with probabilities")
    return figures.confidence


def _draw_bins(axes: Axes, confidence: Confidence) -> None:
    axes.plot((0, 1), (0, 1), color=PALE_INK, linewidth=1, linestyle=(0, (4, 3)))
    found = [one for one in confidence.reliability if one.n]
    shares = [one.right / one.n for one in found]
    scores = [one.score for one in found]
    low, high = zip(*(intervals.of_share(one.right, one.n) for one in found), strict=True)
    axes.vlines(scores, low, high, color=_PALE_BLUE, linewidth=5, capstyle="round")
    axes.plot(scores, shares, color=_BLUE, linewidth=1.5, marker="o", markersize=5.5)
    for text, place, ha in (("underconfident: right more often than the score", (0.03, 0.95), "left"),
                            ("overconfident: right less often than the score", (0.97, 0.05), "right")):  # fmt: skip
        axes.text(
            *place,
            text,
            color=PALE_INK,
            size=9,
            ha=ha,
            va="center",
            style="italic",
            bbox={"color": "white", "pad": 1.5},
        )
    axes.set_ylim(0, 1.02)
    axes.yaxis.set_major_formatter(PercentFormatter(1))
    axes.set_ylabel("share that is right, with its 95% interval", color=PALE_INK, labelpad=8)
    _plain(axes)


def _draw_counts(axes: Axes, confidence: Confidence, figures: Figures) -> None:
    edges = np.arange(BINS) / BINS
    shares = [one.n / figures.n for one in confidence.reliability]
    axes.bar(edges + 0.5 / BINS, shares, width=0.86 / BINS, color=_BLUE)
    axes.set_xlim(0, 1.02)
    axes.xaxis.set_major_formatter(PercentFormatter(1))
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.locator_params(axis="y", nbins=3)
    axes.set_xlabel(f"score of the label (right: by {figures.against})", color=PALE_INK, labelpad=8)
    axes.set_ylabel("faces", color=PALE_INK, labelpad=8)
    _plain(axes)


def _name_thresholds(axes: Axes, kept: list[Kept], total: int, suggestion: Kept | None) -> None:
    """Mark the suggested threshold and some others on the curve, none so close to another that their names touch."""
    taken = []
    if suggestion:
        taken.append(suggestion.n / total)
        axes.plot(taken[0], suggestion.accuracy, "o", color=_BLUE, markersize=9, zorder=3)
        _name(axes, f"{suggestion.threshold:.2f}", taken[0], suggestion.accuracy, weight="bold", color=_BLUE)
    for one in kept:
        share = one.n / total
        if one.threshold in _MARKED and 1 - share > _APART and all(abs(share - other) > _APART for other in taken):
            taken.append(share)
            axes.plot(share, one.accuracy, "o", color="white", markeredgecolor=_BLUE, markersize=6, mew=1.5, zorder=3)
            _name(axes, f"{one.threshold:g}", share, one.accuracy, color=PALE_INK)


def _name(axes: Axes, text: str, x: float, y: float, **style: Any) -> None:
    axes.annotate(text, (x, y), (5, -6), textcoords="offset points", ha="left", va="top", size=9, **style)


def _floor(kept: list[Kept]) -> float:
    """Return the lower end of the accuracy axis: a multiple of 0.1 below all points of the curve."""
    lowest = min(one.accuracy for one in kept)
    return max(math.floor((lowest - 0.04) * 10) / 10, 0.0)


def _title(axes: Axes, text: str) -> None:
    axes.set_title(text, fontsize=11.5, color=INK, pad=12, weight="bold", loc="left")


def _plain(axes: Axes) -> None:
    axes.grid(color=_GRID)
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_color(_AXIS)
    axes.tick_params(length=0, labelcolor=PALE_INK, pad=7)
