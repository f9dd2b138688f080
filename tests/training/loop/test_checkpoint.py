"""A run is kept whole after every epoch, whatever kills it."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest

from labeler.errors import LabelerError
from training.loop import checkpoint
from training.loop.history import Epoch, History
from training.networks import architectures


def history(*losses: float) -> History:
    return History(
        Epoch(number=number, loss=1.0, accuracy=0.5, val_loss=loss, val_accuracy=0.5, seconds=0.1)
        for number, loss in enumerate(losses, 1)
    )


def as_it_is(_: keras.Model) -> None:
    """Keep the best network as it was trained."""


@pytest.fixture(scope="module")
def network() -> keras.Model:
    """A network that has learnt for three steps."""
    trained = architectures.compiled(architectures.documented(2), 0.01)
    for _ in range(3):
        trained.train_on_batch(np.ones((4, 64, 64, 3), np.float32), np.eye(2)[[0, 1, 1, 1]])
    return trained


def test_network_optimizer_and_history_come_back(network: keras.Model, tmp_path: Path) -> None:
    checkpoint.save(tmp_path, network, history(3.0, 2.0))
    kept = checkpoint.load(tmp_path, as_it_is)

    assert kept is not None
    assert kept.history.epochs == history(3.0, 2.0).epochs
    assert all(map(np.array_equal, kept.network.get_weights(), network.get_weights()))
    assert [v.numpy().tolist() for v in kept.network.optimizer.variables[:2]] == [3, pytest.approx(0.01)]
    moments = zip(kept.network.optimizer.variables[2:], network.optimizer.variables[2:], strict=True)
    assert all(np.array_equal(one, other) for one, other in moments)


def test_there_is_no_state_before_the_first_epoch(tmp_path: Path) -> None:
    assert checkpoint.load(tmp_path, as_it_is) is None


def test_a_best_network_cut_short_by_a_kill_is_mended(network: keras.Model, tmp_path: Path) -> None:
    checkpoint.save(tmp_path, network, history(3.0, 2.0))
    (tmp_path / "best_model.keras").write_bytes(b"PK half of it")
    checkpoint.load(tmp_path, as_it_is)

    best = keras.saving.load_model(tmp_path / "best_model.keras", compile=False)
    assert all(map(np.array_equal, best.get_weights(), network.get_weights()))


def test_a_best_network_is_mended_as_it_is_to_be_kept(network: keras.Model, tmp_path: Path) -> None:
    checkpoint.save(tmp_path, network, history(2.0))
    kept = checkpoint.load(tmp_path, lambda best: best.set_weights([0 * one for one in best.get_weights()]))
    best = keras.saving.load_model(tmp_path / "best_model.keras", compile=False)

    assert kept is not None
    assert all(map(np.array_equal, kept.network.get_weights(), network.get_weights()))
    assert not any(one.any() for one in best.get_weights())


def test_a_best_network_of_an_earlier_epoch_is_left_alone(network: keras.Model, tmp_path: Path) -> None:
    checkpoint.save(tmp_path, network, history(3.0, 2.0, 2.5))
    (tmp_path / "best_model.keras").write_bytes(b"of epoch 2")
    checkpoint.load(tmp_path, as_it_is)

    assert (tmp_path / "best_model.keras").read_bytes() == b"of epoch 2"


def test_a_damaged_state_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "state.keras").write_bytes(b"nonsense")

    with pytest.raises(LabelerError, match=r"state.keras is damaged"):
        checkpoint.load(tmp_path, as_it_is)
