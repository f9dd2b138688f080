"""Label the faces of photos with the package `fer`: a baseline for `labeler classify`.

It is written as the package's README shows, with the default detector, and writes what `detect_emotions` returns.

    python benchmarks/fer_script.py FOLDER_OF_PHOTOS labels.csv

It needs, in an environment of its own (OpenCV 5 has no Haar cascades, newer setuptools no pkg_resources):

    pip install fer==25.10.3 "opencv-contrib-python<5" "setuptools<81"
"""

from __future__ import annotations

import csv
import os
import sys

from fer.fer import FER

folder, table = sys.argv[1:]

detector = FER()
with open(table, "w", newline="", encoding="utf-8") as stream:
    writer = csv.writer(stream)
    writer.writerow(["file", "x", "y", "width", "height", "label", "score"])
    for file in sorted(os.listdir(folder)):
        for face in detector.detect_emotions(os.path.join(folder, file)):
            label, score = max(face["emotions"].items(), key=lambda emotion: emotion[1])
            writer.writerow([file, *face["box"], label, score])
