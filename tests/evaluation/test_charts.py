"""What was measured can be drawn, whatever it is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from labeler.errors import OutputError
from labeler.evaluation import calibration, charts, metrics
from labeler.evaluation.metrics import Figures

DRAWINGS = [charts.draw_confusion, charts.draw_reliability, charts.draw_coverage]


def figures(classes: int, n: int) -> Figures:
    """Return the figures of random answers."""
    names = [f"class {index}" for index in range(classes)]
    random = np.random.default_rng(classes + n)
    probabilities = random.dirichlet(np.ones(classes) / 2, n)
    truth = [names[place] for place in random.integers(0, classes, n)]
    return metrics.compare(truth, [names[place] for place in probabilities.argmax(axis=1)], names, probabilities)


@pytest.mark.parametrize(("classes", "n"), [(2, 1), (8, 300)])
@pytest.mark.parametrize("draw", DRAWINGS)
def test_figures_are_drawn_for_any_number_of_classes_and_pictures(
    draw: Callable[[Figures, Path], None], classes: int, n: int, tmp_path: Path
) -> None:
    draw(figures(classes, n), tmp_path / "drawn.png")
    pixels = np.asarray(Image.open(tmp_path / "drawn.png").convert("RGB"))

    assert len(np.unique(pixels.reshape(-1, 3), axis=0)) > 10


def test_the_suggested_threshold_is_marked(tmp_path: Path) -> None:
    found = figures(3, 300)
    charts.draw_coverage(found, tmp_path / "plain.png")
    charts.draw_coverage(found, tmp_path / "marked.png", calibration.Kept(0.62, 150, 90))

    assert (tmp_path / "plain.png").read_bytes() != (tmp_path / "marked.png").read_bytes()


def test_a_drawing_that_cannot_be_written_is_an_output_error(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="cannot write"):
        charts.draw_confusion(figures(2, 10), tmp_path / "missing" / "confusion.png")
