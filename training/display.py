"""What a person sees of a training: a bar while pictures are read and within an epoch, a line for each epoch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import keras
from rich.console import Console
from rich.progress import TaskID
from rich.text import Text

from training import bars
from training.history import Epoch, History
from training.reading import Progress as Reading

Logs = Mapping[str, float] | None


class Display(keras.callbacks.Callback):  # type: ignore[misc] # Keras has no types.
    """Bars on a terminal, lines everywhere. Comes after the callback that writes the history."""

    def __init__(self, console: Console, history: History, epochs: int, patience: int) -> None:
        super().__init__()
        self._console = console
        self._history = history
        self._epochs = epochs
        self._patience = patience
        self._progress = bars.bars(console)
        self._task = TaskID(0)

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Show the bar inside the block."""
        self._task = self._progress.add_task("preparing", total=None, note="")
        with self._progress:
            yield

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:  # noqa: ARG002
        name = f"epoch {epoch + 1}/{self._epochs}"
        self._progress.reset(self._task, total=self.params["steps"], description=name, note=self._outlook())

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:  # noqa: ARG002
        self._progress.advance(self._task)

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:  # noqa: ARG002
        finished = self._history.epochs[-1]
        self._console.print(_line(finished, self._epochs, best=self._history.waited == 0), soft_wrap=True)

    def _outlook(self) -> str:
        if not self._history.epochs:
            return ""
        best = self._history.best
        return f"best {best.val_loss:.4f} in epoch {best.number}, patience {self._history.waited}/{self._patience}"


@contextmanager
def reading(console: Console) -> Iterator[Reading]:
    """Show a bar while the pictures are read."""
    with bars.counting(console, "reading pictures") as progress:
        yield progress


def _line(epoch: Epoch, epochs: int, *, best: bool) -> Text:
    number = f"epoch {epoch.number:>{len(str(epochs))}}/{epochs}"
    figures = (
        f"loss {epoch.loss:.4f}  accuracy {epoch.accuracy:.4f}  "
        f"val_loss {epoch.val_loss:.4f}  val_accuracy {epoch.val_accuracy:.4f}  {epoch.seconds:5.1f} s"
    )
    line = Text(f"{number}  {figures}")
    return line.append("  * best", "bold green") if best else line
