"""The per-batch function: file names in, rows out."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from labeler import classifier, faces, images
from labeler.records import INPUT_SIDE, Face, Row, Settings, Status

DECIMALS = 6
"""Probabilities are rounded here, once, so that every format of the table holds the very same numbers."""


def look(file: str, settings: Settings) -> list[tuple[Face, images.Pixels]]:
    """Return the faces of a picture, largest first, each with its crop (64, 64, 3) uint8 RGB.

    Training, evaluation and classification all see a picture through this one function.

    Raises:
        ImageError: the picture cannot be used.
    """
    path = os.path.join(settings.root, file)
    picture = images.read(path, INPUT_SIDE, settings.max_pixels)
    found = faces.find(picture.width, picture.height, settings.faces)
    return [(face, images.crop(picture, face, INPUT_SIDE)) for face in found]


class Labeler:
    """Turn batches of files into rows. Picklable; the model is loaded by the first call, in the worker."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._classifier: classifier.Classifier | None = None

    def __getstate__(self) -> dict[str, Any]:
        """Leave the model behind: it belongs to this process."""
        return {"settings": self.settings, "_classifier": None}

    def __call__(self, files: Sequence[str]) -> list[Row]:
        """Label files named relative to ``settings.root``; each gives at least one row, in the order given.

        Raises:
            ModelError: the model cannot be used.
        """
        if self._classifier is None:
            self._classifier = classifier.Classifier(classifier.find(self.settings.model))
        looked = [pair for file in files for pair in self._look(file)]
        crops = [crop for _, crop in looked if crop is not None]
        predicted = iter(self._predict(crops))
        return [row if crop is None else self._labelled(row, next(predicted)) for row, crop in looked]

    def _look(self, file: str) -> Iterator[tuple[Row, images.Pixels | None]]:
        row = Row(file)
        try:
            found = look(file, self.settings)
        except images.ImageError as exc:
            yield row.without_label(exc.status, exc.reason), None
            return
        if not found:
            yield row.without_label(Status.NO_FACE, "no face was found"), None
        for index, (face, crop) in enumerate(found):
            yield row.located(index, face), crop

    def _predict(self, crops: Sequence[images.Pixels]) -> list[list[float]]:
        if not crops or self._classifier is None:
            return []
        probabilities = self._classifier.predict(np.stack(crops))
        rounded: list[list[float]] = probabilities.astype(np.float64).round(DECIMALS).tolist()
        return rounded

    def _labelled(self, row: Row, probabilities: list[float]) -> Row:
        assert self._classifier is not None
        names = self._classifier.card.class_names
        return row.labelled(tuple(probabilities), names, self.settings.threshold)
