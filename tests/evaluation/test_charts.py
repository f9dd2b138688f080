"""Each chart shows the numbers that it was given, for any number of classes and images."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

from labeler.errors import OutputError
from labeler.evaluation import charts, metrics
from labeler.evaluation.metrics import Figures

DRAWINGS = [charts.draw_confusion, charts.draw_reliability, charts.draw_coverage]

CONFUSED = metrics.compare(
    ["angry", "angry", "happy", "happy", "happy", "sad"],
    ["angry", "happy", "happy", "happy", "sad", "happy"],
    ("angry", "happy", "sad"),
)
"""Confusion matrix: 1 1 0, 0 2 1, 0 1 0."""

SCORED = ((0.95, 10, 10), (0.85, 10, 8), (0.65, 10, 6), (0.55, 10, 5))
"""Score, answers with that score, and how many of them are right."""


def scored() -> Figures:
    """Return the figures of 40 answers of two classes with the scores of `SCORED`."""
    scores = np.repeat([score for score, _, _ in SCORED], [n for _, n, _ in SCORED])
    truth = [name for _, n, right in SCORED for name in ["happy"] * right + ["sad"] * (n - right)]
    return metrics.compare(truth, ["happy"] * len(truth), ("happy", "sad"), np.column_stack([scores, 1 - scores]))


def random_figures(classes: int, n: int) -> Figures:
    """Return the figures of random answers."""
    names = [f"class {index}" for index in range(classes)]
    random = np.random.default_rng(classes + n)
    probabilities = random.dirichlet(np.ones(classes) / 2, n)
    truth = [names[place] for place in random.integers(0, classes, n)]
    return metrics.compare(truth, [names[place] for place in probabilities.argmax(axis=1)], names, probabilities)


def written(axes: Axes) -> dict[tuple[float, float], str]:
    """Return the texts on axes by their place."""
    return {tuple(map(float, text.get_position())): text.get_text() for text in axes.texts}


def marked(axes: Axes) -> dict[str, list[float]]:
    """Return the annotated points by their text."""
    return {text.get_text(): [float(value) for value in text.xy] for text in axes.texts}


def test_a_cell_of_the_confusion_matrix_holds_its_share_of_the_row_and_its_count() -> None:
    axes = charts.draw_confusion(CONFUSED).axes[0]
    cells = {
        (round(row), column): (share, written(axes)[column, row + 0.31])
        for (column, row), share in written(axes).items()
        if share.endswith("%")
    }

    assert cells == {
        (0, 0): ("50%", "1"), (0, 1): ("50%", "1"), (0, 2): ("0%", "0"),
        (1, 0): ("0%", "0"), (1, 1): ("67%", "2"), (1, 2): ("33%", "1"),
        (2, 0): ("0%", "0"), (2, 1): ("100%", "1"), (2, 2): ("0%", "0"),
    }  # fmt: skip


def test_the_colours_of_the_confusion_matrix_are_the_shares_of_the_rows() -> None:
    image = charts.draw_confusion(CONFUSED).axes[0].images[0]

    assert np.allclose(image.get_array(), [[1 / 2, 1 / 2, 0], [0, 2 / 3, 1 / 3], [0, 1, 0]])
    assert image.get_clim() == (0, 1)


def test_the_confusion_matrix_names_its_classes_its_axes_and_the_figures() -> None:
    axes = charts.draw_confusion(replace(CONFUSED, against="the labels in t.csv")).axes[0]

    assert [label.get_text() for label in axes.get_xticklabels()] == ["angry", "happy", "sad"]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["angry\n2", "happy\n3", "sad\n1"]
    assert axes.get_xlabel() == "predicted"
    assert axes.get_ylabel().startswith("true class")
    assert "the labels in t.csv" in axes.get_ylabel()
    assert axes.get_title() == "accuracy 50.0%   baseline 50.0%\nmacro-F1 0.413   n = 6"


def test_the_reliability_diagram_shows_accuracy_by_score() -> None:
    axes = charts.draw_reliability(scored()).axes[0]
    diagonal, curve = axes.lines

    assert np.allclose(diagonal.get_xydata(), [(0, 0), (1, 1)])
    assert np.allclose(curve.get_xydata(), [(0.55, 0.5), (0.65, 0.6), (0.85, 0.8), (0.95, 1.0)])
    assert (axes.get_xlim(), axes.get_ylim()) == ((0, 1.02), (0, 1.02))
    assert axes.get_title("left") == "calibration error 5.0%   n = 40\nmean score 75.0%   accuracy 72.5%"


def test_the_reliability_diagram_shows_the_95_percent_interval_of_each_accuracy() -> None:
    spans = charts.draw_reliability(scored()).axes[0].collections[0].get_segments()

    assert np.allclose(
        [[score, low, high] for (score, low), (_, high) in spans],
        [[0.55, 0.237, 0.763], [0.65, 0.313, 0.832], [0.85, 0.490, 0.943], [0.95, 0.722, 1.0]],
        atol=1e-3,
    )


def test_the_histogram_below_shows_how_many_answers_have_a_score() -> None:
    axes = charts.draw_reliability(scored()).axes[1]
    heights = {round(bar.get_x() + bar.get_width() / 2, 3): bar.get_height() for bar in axes.patches}

    assert len(heights) == 15
    assert {middle: share for middle, share in heights.items() if share} == {
        0.567: 0.25, 0.633: 0.25, 0.833: 0.25, 0.967: 0.25,
    }  # fmt: skip
    assert axes.get_xlabel() == "score of the label (right: by class folders)"


def test_an_empty_bin_has_no_point() -> None:
    curve = charts.draw_reliability(random_figures(2, 1)).axes[0].lines[1]

    assert len(curve.get_xdata()) == 1


def test_the_coverage_curve_shows_accuracy_by_the_share_that_is_kept() -> None:
    axes = charts.draw_coverage(scored()).axes[0]
    points = np.unique(axes.lines[0].get_xydata(), axis=0)

    # The 10 answers that score 0.95 are too few for a point.
    assert np.allclose(points, [(0.5, 18 / 20), (0.75, 24 / 30), (1, 29 / 40)])
    assert (axes.get_xlim(), axes.get_ylim()) == ((1.02, -0.02), (0.6, 1.01))
    assert axes.get_title("left") == "all labels: accuracy 72.5%   n = 40"


def test_the_coverage_curve_lies_in_the_band_of_its_95_percent_intervals() -> None:
    (band,) = charts.draw_coverage(scored()).axes[0].collections
    corners = band.get_paths()[0].vertices
    spans = {share: np.unique(corners[np.isclose(corners[:, 0], share), 1]) for share in (0.5, 0.75, 1)}

    assert np.allclose(spans[0.5], (0.699, 0.972), atol=1e-3)
    assert np.allclose(spans[0.75], (0.627, 0.905), atol=1e-3)
    assert np.allclose(spans[1], (0.572, 0.839), atol=1e-3)


def test_thresholds_are_named_on_the_coverage_curve_where_there_is_room() -> None:
    axes = charts.draw_coverage(scored()).axes[0]

    assert marked(axes) == {"0.6": pytest.approx([0.75, 0.8]), "0.7": pytest.approx([0.5, 0.9])}
    assert [list(line.get_xydata()[0]) for line in axes.lines[1:]] == list(marked(axes).values())


def test_the_suggested_threshold_is_marked_and_told() -> None:
    found = scored()
    assert found.confidence
    axes = charts.draw_coverage(found, found.confidence.reaching(0.9)).axes[0]

    assert marked(axes) == {"0.66": pytest.approx([0.5, 0.9]), "0.6": pytest.approx([0.75, 0.8])}
    assert [list(line.get_xydata()[0]) for line in axes.lines[1:]] == list(marked(axes).values())
    assert axes.get_title("left").startswith("threshold 0.66 keeps 50.0%, 90.0% of them right\n")


def test_labels_without_probabilities_have_no_reliability_diagram() -> None:
    with pytest.raises(ValueError, match="needs figures of labels with probabilities"):
        charts.draw_reliability(CONFUSED)


@pytest.mark.parametrize(("classes", "n"), [(2, 1), (8, 300)])
@pytest.mark.parametrize("draw", DRAWINGS)
def test_a_chart_of_any_figures_is_written_in_its_size_and_with_something_on_it(
    draw: Callable[[Figures], Figure], classes: int, n: int, tmp_path: Path
) -> None:
    figure = draw(random_figures(classes, n))
    charts.save(figure, tmp_path / "drawn.png")
    with Image.open(tmp_path / "drawn.png") as image:
        pixels = np.asarray(image.convert("L"))

    width, height = figure.get_size_inches()
    assert pixels.shape == (int(height * charts.DPI), int(width * charts.DPI))
    assert 0.005 < (pixels < 200).mean() < 0.6  # Ink and colours on white.


def test_a_chart_that_cannot_be_written_is_an_output_error(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="cannot write"):
        charts.save(charts.draw_confusion(CONFUSED), tmp_path / "missing" / "confusion.png")
