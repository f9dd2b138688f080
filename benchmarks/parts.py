"""The parts of labelling a photo, each timed alone, in one thread of this process."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from labeler import storage
from labeler.images.crop import crop
from labeler.images.read import read
from labeler.inference import bundle, classifier, yunet
from labeler.inference.detector import faces
from labeler.records import INPUT_SIDE, Settings, View


@dataclass(frozen=True, slots=True)
class Parts:
    """Seconds per photo."""

    decode_s: float
    find_s: float
    predict_s: float
    """Crops and network, in full blocks."""

    @property
    def sum_s(self) -> float:
        """Return the seconds per photo if nothing but the parts took time."""
        return self.decode_s + self.find_s + self.predict_s


class Bench:
    """The parts, loaded and warmed up, called for each photo as `BatchLabeler` calls them."""

    def __init__(self, settings: Settings, example: Path) -> None:
        cv2.setNumThreads(1)
        self._settings = settings
        self._detector = yunet.YuNet(bundle.detector(settings.detector))
        self._classifier = classifier.Classifier(bundle.find(settings.model))
        self.measure([example])

    def measure(self, photographs: Sequence[Path]) -> Parts:
        """Run the parts on photos, one after another, and return the mean time of each part."""
        decode_s = find_s = predict_s = 0.0
        crops = []
        for file in photographs:
            started = time.perf_counter()
            longer = self._detector.decoded_side
            picture, _ = read(storage.at(""), str(file), INPUT_SIDE, longer, self._settings.max_pixels)
            decoded = time.perf_counter()
            found = faces(self._detector, picture.pixels, picture.width, picture.height, self._settings)
            looked = time.perf_counter()
            crops += [crop(picture, face, View()) for face in found]
            predict_s += time.perf_counter() - looked
            decode_s += decoded - started
            find_s += looked - decoded
        started = time.perf_counter()
        if crops:
            self._classifier.predict(np.stack(crops))
        predict_s += time.perf_counter() - started
        return Parts(*(seconds / len(photographs) for seconds in (decode_s, find_s, predict_s)))
