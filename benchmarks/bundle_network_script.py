"""Time a bundle of labeler on face crops on one core, as `labeler classify` runs it.

python benchmarks/bundle_network_script.py MODEL crops.npy answers.npz
"""

from __future__ import annotations

import sys

import numpy as np
import timed_network

from labeler.inference import bundle
from labeler.inference.classifier import Classifier

model, crops, answers = sys.argv[1:]

timed_network.use_one_core()
path = bundle.find(model)
classifier = Classifier(path)
timed_network.measure(
    lambda gray: classifier.predict(np.repeat(gray[..., None], 3, axis=3)),
    classifier.card.class_names,
    path.stat().st_size,
    crops,
    answers,
)
