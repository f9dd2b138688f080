"""Keras callbacks: the documented early stopping and checkpoint, and those that make a run resumable."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import keras

from training.loop.checkpoint import BEST_NETWORK, save
from training.loop.history import Epoch, History

Logs = Mapping[str, float] | None

_DRAWS_PER_EPOCH = 2**16
"""Upper limit, about, on the steps of an epoch, so that no two steps share the random numbers of dropout."""


def early_stopping(patience: int) -> keras.callbacks.EarlyStopping:
    """Stop when the validation loss has not decreased for ``patience`` epochs; restore the best weights."""
    return keras.callbacks.EarlyStopping(monitor="val_loss", patience=patience, restore_best_weights=True)


def checkpoint(folder: Path) -> keras.callbacks.ModelCheckpoint:
    """Save the network with the lowest validation loss."""
    path = folder / BEST_NETWORK
    return keras.callbacks.ModelCheckpoint(path, monitor="val_loss", save_best_only=True)


class Recorder(keras.callbacks.Callback):  # type: ignore[misc] # Keras has no types.
    """Add each finished epoch to the history and save the state of the run. It must be the first callback."""

    def __init__(self, folder: Path, history: History) -> None:
        super().__init__()
        self._folder = folder
        self._history = history
        self._started = 0.0

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:  # noqa: ARG002
        self._started = time.monotonic()

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        figures = {name: float(value) for name, value in (logs or {}).items()}
        seconds = round(time.monotonic() - self._started, 3)
        self._history.epochs.append(Epoch(number=epoch + 1, seconds=seconds, **figures))
        save(self._folder, self.model, self._history)


class DropoutSeeds(keras.callbacks.Callback):  # type: ignore[misc] # Keras has no types.
    """Seed dropout by the seed and the epoch alone, because Keras does not save the state of its generators."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self._seed = seed

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:  # noqa: ARG002
        for place, layer in enumerate(self.model.layers):
            if isinstance(layer, keras.layers.Dropout):
                layer.seed_generator.state.assign([(self._seed + place) % 2**32, epoch * _DRAWS_PER_EPOCH])


class RestoreState(keras.callbacks.Callback):  # type: ignore[misc] # Keras has no types.
    """Restore the state of the documented callbacks when a run is resumed. It must come after them."""

    def __init__(
        self,
        folder: Path,
        history: History,
        stopping: keras.callbacks.EarlyStopping,
        checkpoint: keras.callbacks.ModelCheckpoint,
    ) -> None:
        super().__init__()
        self._folder = folder
        self._history = history
        self._stopping = stopping
        self._checkpoint = checkpoint

    def on_train_begin(self, logs: Logs = None) -> None:  # noqa: ARG002
        if not self._history.epochs:
            return
        best = self._history.best
        self._checkpoint.best = self._stopping.best = best.val_loss
        self._stopping.best_epoch = best.number - 1
        self._stopping.wait = self._history.waited
        network = keras.saving.load_model(self._folder / BEST_NETWORK, compile=False, safe_mode=True)
        self._stopping.best_weights = network.get_weights()


class Stopped(Exception):  # noqa: N818 - a wish of the user, not an error
    """The user pressed Ctrl-C. The epoch in progress is dropped, because half an epoch cannot be resumed."""


class StopOnInterrupt(keras.callbacks.Callback):  # type: ignore[misc] # Keras has no types.
    """End training at the next batch after Ctrl-C, where no file is half written."""

    def __init__(self) -> None:
        super().__init__()
        self._asked = False

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Handle Ctrl-C inside the block; a second one ends the program at once."""
        if threading.current_thread() is not threading.main_thread():  # Only that one gets signals.
            yield
            return
        previous = signal.signal(signal.SIGINT, self._ask)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, previous)

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:  # noqa: ARG002
        self._stop_if_asked()

    def on_test_batch_end(self, batch: int, logs: Logs = None) -> None:  # noqa: ARG002
        self._stop_if_asked()

    def _ask(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002
        self._asked = True
        signal.signal(signal.SIGINT, signal.default_int_handler)

    def _stop_if_asked(self) -> None:
        if self._asked:
            raise Stopped
