"""The checkpoint of a run: network, optimizer and history in one file, so that they always agree."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import keras

from labeler.errors import LabelerError
from labeler.inference import keras_file
from labeler.storage import atomic
from training.loop.history import Epoch, History
from training.loop.weight_averaging import ApplyAverage

BEST_NETWORK = "best_model.keras"
HISTORY = "history.csv"
STATE = "state.keras"

_NOTE = "history.json"


class State(NamedTuple):
    """The state from which a run is resumed."""

    network: keras.Model
    history: History


def save(folder: Path, network: keras.Model, history: History) -> None:
    """Save the state after an epoch. Whenever the process dies, the file holds a whole epoch.

    Raises:
        OutputError: the files cannot be written.
    """
    with atomic.replacing(folder / STATE) as beside:
        network.save(beside)
        keras_file.add(beside, _NOTE, history.as_json())
    history.write(folder / HISTORY)


def load(folder: Path, apply_average: ApplyAverage) -> State | None:
    """Return the state after the last whole epoch; None when no epoch is complete.

    The best network is written again when the last epoch is the best: a kill may have cut it short. ``apply_average``
    is that of `weight_averaging`.

    Raises:
        LabelerError: the file is damaged.
    """
    path = folder / STATE
    if not path.exists():
        return None
    try:
        keras_file.check(path)
        history = History(Epoch(**epoch) for epoch in keras_file.read(path, _NOTE))
        network = keras.saving.load_model(path, safe_mode=True)
    except Exception as exc:  # Keras, h5py and zipfile raise almost anything on a damaged file.
        raise LabelerError(f"{path} is damaged ({exc}); train into another --out") from exc
    if history.waited == 0:  # The state is saved first, so the file of the best network may be incomplete.
        best = keras.saving.load_model(path, safe_mode=True)
        apply_average(best)
        with atomic.replacing(folder / BEST_NETWORK) as beside:
            best.save(beside)
    history.write(folder / HISTORY)
    return State(network, history)
