"""What a training shows: bars on a terminal, plain lines elsewhere."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from labeler.records import Progress
from training.loop.history import Epoch, History
from training.loop.progress import Display


def shown(*, terminal: bool, losses: tuple[float, ...] = (2.0, 2.5)) -> str:
    """Return what a training of three steps an epoch writes."""
    output = io.StringIO()
    history = History()
    console = Console(file=output, force_terminal=terminal, width=120)
    form = Progress.BAR if terminal else Progress.NONE
    display = Display(console, history, epochs=20, patience=10, form=form)
    display.set_params({"steps": 3})
    with display.shown():
        for epoch, loss in enumerate(losses):
            display.on_epoch_begin(epoch)
            for batch in range(3):
                display.on_train_batch_end(batch)
            history.epochs.append(
                Epoch(number=epoch + 1, loss=1.5, accuracy=0.25, val_loss=loss, val_accuracy=0.5, seconds=3.25)
            )
            display.on_epoch_end(epoch)
    return output.getvalue()


def test_a_line_tells_an_epoch() -> None:
    line = shown(terminal=False).splitlines()[1]

    assert line == "epoch  2/20  loss 1.5000  accuracy 0.2500  val_loss 2.5000  val_accuracy 0.5000    3.2 s"


def test_a_new_best_is_marked() -> None:
    lines = shown(terminal=False, losses=(2.0, 2.5, 1.0)).splitlines()

    assert [line.endswith("* best") for line in lines] == [True, False, True]


def test_there_are_only_lines_without_a_terminal() -> None:
    assert len(shown(terminal=False).splitlines()) == 2


@pytest.mark.parametrize("part", ["epoch 2/20", "best 2.0000 in epoch 1, patience 0/10", "━"])
def test_a_terminal_has_a_bar(part: str) -> None:
    assert part in shown(terminal=True)
