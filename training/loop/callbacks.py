"""What happens between epochs: the documented callbacks, and those that let a run be stopped and continued."""

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
"""About as many steps as an epoch may have before two share their chance."""


def early_stopping(patience: int) -> keras.callbacks.EarlyStopping:
    """Stop when the validation loss has not fallen for ``patience`` epochs; go back to the best weights."""
    return keras.callbacks.EarlyStopping(monitor="val_loss", patience=patience, restore_best_weights=True)


def checkpoint(folder: Path) -> keras.callbacks.ModelCheckpoint:
    """Keep the network with the lowest validation loss."""
    path = folder / BEST_NETWORK
    return keras.callbacks.ModelCheckpoint(path, monitor="val_loss", save_best_only=True)


class Recorder(keras.callbacks.Callback):  # type: ignore[misc] # Keras has no types.
    """Add every finished epoch to the history and keep the state of the run. Comes first of all callbacks."""

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


class Chance(keras.callbacks.Callback):  # type: ignore[misc] # Keras has no types.
    """Let what drops out in an epoch depend on the seed and the epoch alone: Keras does not save how far chance was."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self._seed = seed

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:  # noqa: ARG002
        for place, layer in enumerate(self.model.layers):
            if isinstance(layer, keras.layers.Dropout):
                layer.seed_generator.state.assign([(self._seed + place) % 2**32, epoch * _DRAWS_PER_EPOCH])


class Memory(keras.callbacks.Callback):  # type: ignore[misc] # Keras has no types.
    """Give the documented callbacks back what they knew when the run was stopped. Comes after them."""

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
    """The user pressed Ctrl-C; the epoch under way is dropped, for half an epoch could not be continued."""


class StopOnInterrupt(keras.callbacks.Callback):  # type: ignore[misc] # Keras has no types.
    """Turn Ctrl-C into the end of training at the next batch, where nothing is half written."""

    def __init__(self) -> None:
        super().__init__()
        self._asked = False

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Take Ctrl-C over inside the block; a second one ends the program at once."""
        if threading.current_thread() is not threading.main_thread():  # Only that one is told of signals.
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
