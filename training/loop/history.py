"""The history of a run: the figures of each epoch, the best epoch, and the epochs since."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from dataclasses import asdict, astuple, dataclass, fields
from pathlib import Path
from typing import Any

from labeler.storage import atomic


@dataclass(frozen=True, slots=True, kw_only=True)
class Epoch:
    """The figures of one epoch; ``number`` counts from 1."""

    number: int
    loss: float
    accuracy: float
    val_loss: float
    val_accuracy: float
    seconds: float


class History:
    """The finished epochs of a run, oldest first."""

    def __init__(self, epochs: Iterable[Epoch] = ()) -> None:
        self.epochs = list(epochs)

    @property
    def best(self) -> Epoch:
        """Return the first epoch with the lowest validation loss, as Keras' callbacks choose it."""
        best = self.epochs[0]
        for epoch in self.epochs:
            if epoch.val_loss < best.val_loss:
                best = epoch
        return best

    @property
    def waited(self) -> int:
        """Return the number of epochs since the best one."""
        return self.epochs[-1].number - self.best.number if self.epochs else 0

    def as_json(self) -> list[dict[str, Any]]:
        """Return the epochs as JSON objects."""
        return [asdict(epoch) for epoch in self.epochs]

    def write(self, path: Path) -> None:
        """Write the epochs as CSV.

        Raises:
            OutputError: the file cannot be written.
        """
        text = io.StringIO()
        writer = csv.writer(text)
        writer.writerow(("epoch", *(field.name for field in fields(Epoch)[1:])))
        writer.writerows(astuple(epoch) for epoch in self.epochs)
        atomic.write(path, text.getvalue())
