"""Time the emotion network of an npm package on face crops on one core, converted to ONNX (tfjs.py says how and why).

    python benchmarks/npm_network_script.py FOLDER face-api|human crops.npy answers.npz

FOLDER is where the packages were installed; neither node nor TensorFlow.js is needed to run them:

    npm install --ignore-scripts @vladmandic/face-api@1.7.15 @vladmandic/human@3.3.6
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import tfjs
import timed_network

from labeler.inference import session

folder, name, crops, answers = sys.argv[1:]

timed_network.use_one_core()
converted = Path(answers).with_suffix(".onnx")
converted.write_bytes(tfjs.convert(Path(folder), name))
network = session.load(converted)
timed_network.measure(
    lambda gray: network.run(None, {"gray": gray[:, None].astype(np.float32)})[0],
    tfjs.CLASSES[name],
    (tfjs.package(Path(folder), name) / tfjs.FILES[name][1]).stat().st_size,
    crops,
    answers,
)
