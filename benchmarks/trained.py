"""The documented network, trained for one epoch: its speed does not depend on its accuracy."""

from __future__ import annotations

import sys
from pathlib import Path

import crops
from options import Options
from processes import LABELER, finish


def run_directory(options: Options) -> Path:
    """Return a run directory with best_model.keras and the model.onnx made of it; the first call trains it."""
    if options.run:
        return options.run
    run = options.scratch / "run"
    if not run.exists():
        print("training the documented network for one epoch ...", file=sys.stderr)
        data = str(crops.tree(options))
        finish([*LABELER, "train", data, "--out", str(run), "--arch", "documented", "--epochs", "1"])
    return run
