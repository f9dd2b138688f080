"""Compare predicted labels with true ones by class name: accuracy, precision, recall, F1, confusion matrix."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

from labeler.errors import NoPicturesError
from labeler.evaluation import calibration, intervals
from labeler.evaluation.calibration import Confidence, Probabilities
from labeler.evaluation.classes import check_names
from labeler.evaluation.intervals import Interval

FOLDERS = "class folders"
"""Describes the ground truth for a person when no table gives it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassFigures:
    """Precision, recall and F1 of one class; `support` is the number of images whose true class it is."""

    precision: float
    recall: float
    f1: float
    support: int


@dataclass(frozen=True, kw_only=True)
class Figures:
    """How well predicted labels agree with the ground truth.

    `macro_f1` is the mean F1 over the classes that occur in the truth. `majority_baseline` is the accuracy of always
    predicting its most frequent class. The intervals are 95% confidence intervals, see `intervals`. `confusion` has a
    row per true and a column per predicted class, both in the order of `class_names`. `left_out` counts what is not in
    `n` by reason: a status, or `COPY`, `TIE`, `MISSING` or `FURTHER_FACE` of `truth`. `against` names the truth.
    """

    n: int
    accuracy: float
    accuracy_interval: Interval
    macro_f1: float
    macro_f1_interval: Interval
    majority_baseline: float
    class_names: tuple[str, ...]
    per_class: dict[str, ClassFigures]
    confusion: tuple[tuple[int, ...], ...]
    left_out: dict[str, int] = field(default_factory=dict)
    against: str = FOLDERS
    confidence: Confidence | None = None
    """None where only labels were compared."""

    def as_json(self) -> dict[str, Any]:
        """Return the figures as a JSON object."""
        return {**asdict(self), "confidence": self.confidence and self.confidence.as_json()}


def compare(
    truth: Sequence[str],
    predicted: Sequence[str],
    class_names: Sequence[str],
    probabilities: Probabilities | None = None,
) -> Figures:
    """Compare predicted with true class names, both in the same order of images.

    ``probabilities`` (n, classes), when given, are those of the predictions: their calibration is computed as well.

    Raises:
        LabelerError: a name in either is not among ``class_names``.
        NoPicturesError: there is nothing to compare.
    """
    check_names("the truth", truth, class_names)
    check_names("the labels", predicted, class_names)
    if not truth:
        raise NoPicturesError("there is no labelled photo left to compare with the truth")
    names = list(class_names)
    scores = precision_recall_fscore_support(truth, predicted, labels=names, zero_division=0)
    per_class = {
        name: ClassFigures(precision=float(precision), recall=float(recall), f1=float(f1), support=int(support))
        for name, precision, recall, f1, support in zip(names, *scores, strict=True)
    }
    confusion = confusion_matrix(truth, predicted, labels=names)
    cells = tuple(tuple(row) for row in confusion.tolist())
    right = int(np.trace(confusion))
    places = np.array([names.index(name) for name in truth])
    present = [one.f1 for one in per_class.values() if one.support]
    return Figures(
        n=len(truth),
        accuracy=right / len(truth),
        accuracy_interval=intervals.of_share(right, len(truth)),
        macro_f1=sum(present) / len(present),
        macro_f1_interval=intervals.of_macro_f1(cells),
        majority_baseline=max(one.support for one in per_class.values()) / len(truth),
        class_names=tuple(names),
        per_class=per_class,
        confusion=cells,
        confidence=None if probabilities is None else calibration.of(probabilities, places),
    )
