"""The history of a run knows its best epoch as Keras does."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import pytest

from training.loop.history import Epoch, History


def history(*losses: float) -> History:
    return History(
        Epoch(number=number, loss=1.0, accuracy=0.5, val_loss=loss, val_accuracy=0.5, seconds=0.1)
        for number, loss in enumerate(losses, 1)
    )


@pytest.mark.parametrize(
    ("losses", "best", "waited"),
    [
        ((3.0,), 1, 0),
        ((3.0, 2.0, 2.5), 2, 1),
        ((3.0, 2.0, 2.0, 2.0), 2, 2),
        ((3.0, math.nan, 2.0), 3, 0),
        ((math.nan, 2.0), 1, 1),
    ],
)
def test_the_best_epoch_is_the_first_with_the_lowest_validation_loss(
    losses: tuple[float, ...], best: int, waited: int
) -> None:
    epochs = history(*losses)

    assert (epochs.best.number, epochs.waited) == (best, waited)


def test_it_is_written_as_csv(tmp_path: Path) -> None:
    history(3.0, 2.0).write(tmp_path / "history.csv")
    with (tmp_path / "history.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))

    assert [(row["epoch"], row["val_loss"]) for row in rows] == [("1", "3.0"), ("2", "2.0")]
    assert list(rows[0]) == ["epoch", "loss", "accuracy", "val_loss", "val_accuracy", "seconds"]
