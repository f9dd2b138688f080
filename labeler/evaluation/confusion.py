"""Figures of a confusion matrix, with their 95% intervals. It needs NumPy alone; `metrics` needs scikit-learn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from labeler.evaluation import intervals
from labeler.evaluation.intervals import Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassFigures:
    """Precision, recall and F1 of one class; `support` is the number of faces whose true class it is.

    A share of nothing is 0, and its interval is 0 to 1.
    """

    precision: float
    precision_interval: Interval
    recall: float
    recall_interval: Interval
    f1: float
    f1_interval: Interval
    support: int


@dataclass(frozen=True, kw_only=True)
class Figures:
    """Figures of ``n`` faces; for the names see `metrics.Figures`."""

    n: int
    accuracy: float
    accuracy_interval: Interval
    macro_f1: float
    macro_f1_interval: Interval
    majority_baseline: float
    per_class: dict[str, ClassFigures]
    confusion: tuple[tuple[int, ...], ...]


def between(truth: NDArray[np.integer], predicted: NDArray[np.integer], class_names: Sequence[str]) -> Figures:
    """Return the figures of faces (n,) whose true and predicted classes are indices into ``class_names``."""
    cells = np.zeros((len(class_names), len(class_names)), np.int64)
    np.add.at(cells, (truth, predicted), 1)
    return of(cells.tolist(), class_names)


def of(confusion: Sequence[Sequence[int]], class_names: Sequence[str]) -> Figures:
    """Return the figures of a confusion matrix of at least one face; a row per true, a column per predicted class."""
    counts = np.array(confusion)
    right, true, predicted = np.diagonal(counts), counts.sum(axis=1), counts.sum(axis=0)
    n, hits = int(counts.sum()), int(right.sum())
    f1_intervals = intervals.of_f1(confusion)
    per_class = {
        name: ClassFigures(
            precision=hit / max(answers, 1),
            precision_interval=intervals.of_share(hit, answers),
            recall=hit / max(support, 1),
            recall_interval=intervals.of_share(hit, support),
            f1=2 * hit / max(answers + support, 1),
            f1_interval=f1_intervals[place],
            support=support,
        )
        for place, (name, hit, support, answers) in enumerate(
            zip(class_names, right.tolist(), true.tolist(), predicted.tolist(), strict=True)
        )
    }
    return Figures(
        n=n,
        accuracy=hits / n,
        accuracy_interval=intervals.of_share(hits, n),
        macro_f1=float(intervals.macro_f1(counts)),
        macro_f1_interval=intervals.of_macro_f1(confusion),
        majority_baseline=int(true.max()) / n,
        per_class=per_class,
        confusion=tuple(tuple(row) for row in counts.tolist()),
    )
