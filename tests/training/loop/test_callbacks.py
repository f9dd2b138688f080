"""The documented callbacks with the documented settings, and what they remember when a run is continued."""

from __future__ import annotations

import signal
from pathlib import Path

import keras
import numpy as np
import pytest

from training.loop import callbacks
from training.loop.checkpoint import load
from training.loop.history import Epoch, History
from training.networks import architectures


def history(*losses: float) -> History:
    return History(
        Epoch(number=number, loss=1.0, accuracy=0.5, val_loss=loss, val_accuracy=0.5, seconds=0.1)
        for number, loss in enumerate(losses, 1)
    )


@pytest.fixture
def network() -> keras.Model:
    made = architectures.compiled(architectures.documented(2), 0.001)
    made.optimizer.build(made.trainable_variables)
    return made


def test_early_stopping_is_the_documented_one() -> None:
    stopping = callbacks.early_stopping(10)

    assert type(stopping) is keras.callbacks.EarlyStopping
    assert (stopping.monitor, stopping.patience, stopping.restore_best_weights) == ("val_loss", 10, True)
    assert (stopping.min_delta, stopping.mode, stopping.baseline, stopping.start_from_epoch) == (0, "auto", None, 0)


def test_the_checkpoint_is_the_documented_one(tmp_path: Path) -> None:
    checkpoint = callbacks.checkpoint(tmp_path)

    assert type(checkpoint) is keras.callbacks.ModelCheckpoint
    assert Path(checkpoint.filepath) == tmp_path / "best_model.keras"
    assert (checkpoint.monitor, checkpoint.save_best_only) == ("val_loss", True)
    assert (checkpoint.save_weights_only, checkpoint.mode, checkpoint.save_freq) == (False, "auto", "epoch")


def test_a_finished_epoch_is_kept_with_its_figures(network: keras.Model, tmp_path: Path) -> None:
    epochs = History()
    recorder = callbacks.Recorder(tmp_path, epochs)
    recorder.set_model(network)
    recorder.on_epoch_begin(0)
    recorder.on_epoch_end(0, {"loss": 1.5, "accuracy": 0.25, "val_loss": 1.25, "val_accuracy": 0.5})
    kept = load(tmp_path, lambda _: None)

    assert kept is not None
    assert kept.history.epochs == epochs.epochs
    assert (epochs.best.number, epochs.best.val_loss, epochs.best.val_accuracy) == (1, 1.25, 0.5)


def test_the_documented_callbacks_remember_the_best_epoch(network: keras.Model, tmp_path: Path) -> None:
    network.save(tmp_path / "best_model.keras")
    stopping, checkpoint = callbacks.early_stopping(10), callbacks.checkpoint(tmp_path)
    stopping.on_train_begin()
    callbacks.RestoreState(tmp_path, history(3.0, 2.0, 2.5), stopping, checkpoint).on_train_begin()

    assert (stopping.best, checkpoint.best, stopping.best_epoch, stopping.wait) == (2.0, 2.0, 1, 1)
    assert all(map(np.array_equal, stopping.best_weights, network.get_weights()))


def test_ctrl_c_ends_training_at_the_next_batch() -> None:
    interrupt = callbacks.StopOnInterrupt()
    interrupt.on_train_batch_end(0)
    with interrupt.listening():
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(callbacks.Stopped):
            interrupt.on_train_batch_end(1)


def test_a_second_ctrl_c_ends_at_once() -> None:
    with callbacks.StopOnInterrupt().listening():
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


def test_ctrl_c_is_given_back_afterwards() -> None:
    before = signal.getsignal(signal.SIGINT)
    with callbacks.StopOnInterrupt().listening():
        pass

    assert signal.getsignal(signal.SIGINT) == before
