"""How far a run has come: the network, its optimizer and its history in one file, so that they never disagree."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import keras

from labeler.errors import LabelerError
from labeler.inference import keras_file
from labeler.storage import atomic
from training.loop.history import Epoch, History
from training.loop.weight_averaging import Settle

BEST_NETWORK = "best_model.keras"
HISTORY = "history.csv"
STATE = "state.keras"

_NOTE = "history.json"


class State(NamedTuple):
    """What a run continues from."""

    network: keras.Model
    history: History


def save(folder: Path, network: keras.Model, history: History) -> None:
    """Keep the state after an epoch. Whenever the process dies, the file is that of a whole epoch.

    Raises:
        OutputError: the disk is full.
    """
    with atomic.replacing(folder / STATE) as beside:
        network.save(beside)
        keras_file.add(beside, _NOTE, history.as_json())
    history.write(folder / HISTORY)


def load(folder: Path, settle: Settle) -> State | None:
    """Return the state after the last whole epoch; None before the first.

    Mends what a kill may have left behind: a best network that was being written when the epoch ended. For ``settle``
    see `averages`.

    Raises:
        LabelerError: the file is broken.
    """
    path = folder / STATE
    if not path.exists():
        return None
    try:
        keras_file.check(path)
        history = History(Epoch(**epoch) for epoch in keras_file.read(path, _NOTE))
        network = keras.saving.load_model(path, safe_mode=True)
    except Exception as exc:  # Keras, h5py and zipfile raise whatever they meet in a damaged file.
        raise LabelerError(f"{path} is damaged ({exc}); train into another --out") from exc
    if history.waited == 0:  # The state is kept first: this network is the best, written in full or not.
        best = keras.saving.load_model(path, safe_mode=True)
        settle(best)
        with atomic.replacing(folder / BEST_NETWORK) as beside:
            best.save(beside)
    history.write(folder / HISTORY)
    return State(network, history)
