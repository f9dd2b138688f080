"""Any history can be drawn."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from training.bundle import curves
from training.loop.history import Epoch, History


@pytest.mark.parametrize("losses", [(2.0,), (2.0, 1.5, 1.7), (2.0, math.nan)], ids=["one", "several", "diverged"])
def test_any_history_can_be_drawn(losses: tuple[float, ...], tmp_path: Path) -> None:
    history = History(Epoch(number, loss, 0.4, loss, 0.5, 1.0) for number, loss in enumerate(losses, 1))
    curves.draw(history, tmp_path / "curves.png")
    pixels = np.asarray(Image.open(tmp_path / "curves.png").convert("RGB"))

    assert pixels.shape[1] > 1000
    assert len(np.unique(pixels.reshape(-1, 3), axis=0)) > 10
