"""Labels against the truth: by name, never by index, and nothing left out in silence."""

from __future__ import annotations

import json

import numpy as np
import pytest

from labeler.errors import LabelerError, NoPicturesError
from labeler.evaluation import metrics

NAMES = ("angry", "happy", "sad")
TRUTH = ["angry", "angry", "happy", "happy", "happy", "sad"]
PREDICTED = ["angry", "happy", "happy", "happy", "sad", "happy"]


def test_accuracy_is_the_share_of_right_answers() -> None:
    assert metrics.compare(TRUTH, PREDICTED, NAMES).accuracy == 3 / 6


def test_the_baseline_always_answers_the_most_frequent_class() -> None:
    assert metrics.compare(TRUTH, PREDICTED, NAMES).majority_baseline == 3 / 6


def test_each_class_has_precision_recall_f1_and_support() -> None:
    happy = metrics.compare(TRUTH, PREDICTED, NAMES).per_class["happy"]

    assert happy == metrics.ClassFigures(precision=2 / 4, recall=2 / 3, f1=pytest.approx(4 / 7), support=3)


def test_confusion_has_a_row_for_each_true_class() -> None:
    assert metrics.compare(TRUTH, PREDICTED, NAMES).confusion == ((1, 1, 0), (0, 2, 1), (0, 1, 0))


def test_macro_f1_is_the_mean_over_the_classes_that_the_truth_holds() -> None:
    figures = metrics.compare(["angry", "happy"], ["angry", "sad"], NAMES)

    assert figures.macro_f1 == (1 + 0) / 2


def test_the_order_of_the_class_names_changes_no_figure() -> None:
    one = metrics.compare(TRUTH, PREDICTED, NAMES)
    other = metrics.compare(TRUTH, PREDICTED, ("sad", "angry", "happy"))

    assert (one.accuracy, one.macro_f1, one.per_class) == (
        other.accuracy,
        pytest.approx(other.macro_f1),
        other.per_class,
    )


def test_accuracy_and_macro_f1_have_intervals() -> None:
    figures = metrics.compare(TRUTH, PREDICTED, NAMES)

    assert figures.accuracy_interval == pytest.approx((0.188, 0.812), abs=1e-3)
    assert figures.macro_f1_interval[0] < figures.macro_f1 < figures.macro_f1_interval[1]


def test_probabilities_are_judged_where_they_are_known() -> None:
    probabilities = np.array([[0.8, 0.1, 0.1], [0.2, 0.7, 0.1]])
    judged = metrics.compare(["angry", "sad"], ["angry", "happy"], NAMES, probabilities).confidence

    assert judged
    assert judged.ece == pytest.approx((0.2 + 0.7) / 2)


def test_an_unknown_name_lists_both_sets() -> None:
    with pytest.raises(LabelerError, match=r"happiness - not known to the model\. It knows angry, happy, sad"):
        metrics.compare(["happiness", "sad"], ["happy", "sad"], NAMES)


def test_nothing_to_compare_is_an_error() -> None:
    with pytest.raises(NoPicturesError):
        metrics.compare([], [], NAMES)


def test_figures_are_json() -> None:
    figures = json.loads(json.dumps(metrics.compare(TRUTH, PREDICTED, NAMES).as_json()))

    assert (figures["n"], figures["per_class"]["sad"]["support"], figures["confusion"][0]) == (6, 1, [1, 1, 0])
