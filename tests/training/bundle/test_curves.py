"""The learning curves show the epochs as they were, and mark the best one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from matplotlib.axes import Axes
from PIL import Image

from labeler.evaluation import charts
from training.bundle import curves
from training.loop.history import Epoch, History

LOSS, ACCURACY = (2.0, 1.5, 1.0), (0.2, 0.4, 0.6)
VAL_LOSS, VAL_ACCURACY = (2.1, 1.2, 1.4), (0.3, 0.5, 0.45)


def history(
    loss: Sequence[float] = LOSS,
    accuracy: Sequence[float] = ACCURACY,
    val_loss: Sequence[float] = VAL_LOSS,
    val_accuracy: Sequence[float] = VAL_ACCURACY,
) -> History:
    names = ("loss", "accuracy", "val_loss", "val_accuracy")
    columns = zip(loss, accuracy, val_loss, val_accuracy, strict=True)
    return History(
        Epoch(number=number, seconds=1.0, **dict(zip(names, figures, strict=True)))
        for number, figures in enumerate(columns, 1)
    )


@pytest.fixture
def panels() -> list[Axes]:
    """Loss, accuracy."""
    return curves.draw(history()).axes


def labels(axes: Axes) -> dict[str, tuple[float, float]]:
    """Return where each curve's label stands."""
    return {text.get_text(): text.xy for text in axes.texts}


def test_each_panel_shows_training_and_validation_by_epoch(panels: list[Axes]) -> None:
    for axes, training, validation in zip(panels, (LOSS, ACCURACY), (VAL_LOSS, VAL_ACCURACY), strict=True):
        drawn = [line.get_xydata().tolist() for line in axes.lines[:2]]
        assert drawn == [[[number, value] for number, value in enumerate(each, 1)] for each in (training, validation)]


def test_each_curve_is_labelled_at_its_end_in_its_colour(panels: list[Axes]) -> None:
    assert labels(panels[0]) == {"training": (3, 1.0), "validation": (3, 1.4)}
    assert labels(panels[1]) == {"training": (3, 0.6), "validation": (3, 0.45)}
    for axes in panels:
        assert [text.get_color() for text in axes.texts] == [line.get_color() for line in axes.lines[:2]]


def test_of_two_curves_the_upper_one_has_its_label_above(panels: list[Axes]) -> None:
    sides = [{text.get_text(): text.get_va() for text in axes.texts} for axes in panels]

    assert sides == [{"training": "top", "validation": "bottom"}, {"training": "bottom", "validation": "top"}]


def test_the_best_epoch_is_marked_on_the_validation_curve(panels: list[Axes]) -> None:
    for axes, best in zip(panels, (1.2, 0.5), strict=True):
        upright, dot = axes.lines[2:]
        assert set(upright.get_xdata()) == {2}
        assert dot.get_xydata().tolist() == [[2, best]]


def test_the_titles_and_axes_say_what_is_drawn(panels: list[Axes]) -> None:
    assert [axes.get_title("left") for axes in panels] == [
        "validation loss 1.200 in epoch 2, the best",
        "validation accuracy 50.0% in epoch 2",
    ]
    assert [axes.get_xlabel() for axes in panels] == ["epoch", "epoch"]
    assert [axes.get_xlim() for axes in panels] == [pytest.approx((0.94, 3.06))] * 2
    assert panels[1].yaxis.get_major_formatter().format_pct(0.5, 1) == "50%"


def test_a_single_epoch_is_drawn_as_a_point() -> None:
    axes = curves.draw(history((2.0,), (0.2,), (2.1,), (0.3,))).axes[0]

    assert [line.get_marker() for line in axes.lines[:2]] == ["o", "o"]
    assert axes.get_xlim() == pytest.approx((0.7, 1.3))


@pytest.mark.parametrize("losses", [(2.0,), (2.0, 1.5, 1.7), (2.0, math.nan)], ids=["one", "several", "diverged"])
def test_any_history_is_written_in_its_size_and_with_something_on_it(losses: tuple[float, ...], tmp_path: Path) -> None:
    accuracies = [0.4] * len(losses)
    charts.save(curves.draw(history(losses, accuracies, losses, accuracies)), tmp_path / "curves.png")
    with Image.open(tmp_path / "curves.png") as image:
        pixels = np.asarray(image.convert("L"))

    assert pixels.shape == (4.5 * charts.DPI, 11 * charts.DPI)
    assert 0.005 < (pixels < 200).mean() < 0.6  # Ink on white.
