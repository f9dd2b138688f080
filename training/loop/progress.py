"""The progress of a run on the terminal: the steps of an epoch, and a line for each finished epoch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import keras
from rich.console import Console
from rich.text import Text

from labeler import progress
from labeler.records import Progress
from training.loop.history import Epoch, History

Logs = Mapping[str, float] | None


class Display(keras.callbacks.Callback):  # type: ignore[misc] # Keras has no types.
    """Shows the progress. It must come after the callback that adds epochs to the history."""

    def __init__(
        self, console: Console, history: History, epochs: int, patience: int, form: Progress = Progress.AUTO
    ) -> None:
        super().__init__()
        self._console = console
        self._history = history
        self._epochs = epochs
        self._patience = patience
        self._form = form
        self._meter = progress.Meter(doing="preparing")

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Show the progress inside the block."""
        with progress.shown("preparing", self._console, self._form) as self._meter:
            yield

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:  # noqa: ARG002
        self._meter.restart(f"epoch {epoch + 1}/{self._epochs}", self.params["steps"], self._outlook())

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:  # noqa: ARG002
        self._meter.set(batch + 1, self._meter.total)

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:  # noqa: ARG002
        finished = self._history.epochs[-1]
        self._console.print(_line(finished, self._epochs, best=self._history.waited == 0), soft_wrap=True)

    def _outlook(self) -> str:
        if not self._history.epochs:
            return ""
        best = self._history.best
        return f"best {best.val_loss:.4f} in epoch {best.number}, patience {self._history.waited}/{self._patience}"


def _line(epoch: Epoch, epochs: int, *, best: bool) -> Text:
    number = f"epoch {epoch.number:>{len(str(epochs))}}/{epochs}"
    figures = (
        f"loss {epoch.loss:.4f}  accuracy {epoch.accuracy:.4f}  "
        f"val_loss {epoch.val_loss:.4f}  val_accuracy {epoch.val_accuracy:.4f}  {epoch.seconds:5.1f} s"
    )
    line = Text(f"{number}  {figures}")
    return line.append("  * best", "bold green") if best else line
