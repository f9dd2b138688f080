"""The per-batch function: file names in, rows out."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from labeler import classifier, faces, files, images
from labeler.errors import OutputError
from labeler.records import INPUT_SIDE, Face, Faces, Row, Settings, Status

DECIMALS = 6
"""Probabilities are rounded here, once, so that every format of the table holds the very same numbers."""


class Looker:
    """See a picture as every network does. Training, evaluation and classification all look through this.

    Picklable; the detector is loaded by the first picture that needs it, in the worker.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._finder: faces.Finder | None = None

    def __getstate__(self) -> dict[str, Any]:
        """Leave the detector behind: it belongs to this process."""
        return {"settings": self.settings, "_finder": None}

    def __call__(self, file: str) -> list[tuple[Face, images.Pixels]]:
        """Return the faces of a picture, largest first, each with its crop (64, 64, 3) uint8 RGB.

        Raises:
            ImageError: the picture cannot be used.
            ModelError: the detector cannot be used.
        """
        if multiprocessing.parent_process():  # A worker's whole life is this; another process may have its own.
            images.settle_process()
        settings = self.settings
        longer = INPUT_SIDE if settings.faces is Faces.WHOLE else faces.DECODED_SIDE
        picture = images.read(os.path.join(settings.root, file), INPUT_SIDE, longer, settings.max_pixels)
        return [(face, images.crop(picture, face, INPUT_SIDE)) for face in self._faces(picture)]

    def _faces(self, picture: images.Picture) -> list[Face]:
        if faces.is_crop(picture.width, picture.height, self.settings.faces):
            return [Face(0, 0, picture.width, picture.height)]
        if self._finder is None:
            self._finder = faces.Finder(faces.detector(self.settings.detector))
        return self._finder.find(*picture, self.settings)


class Labeler:
    """Turn batches of files into rows. Picklable; the models are loaded by the first call, in the worker."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._look_at = Looker(settings)
        self._classifier: classifier.Classifier | None = None

    def __getstate__(self) -> dict[str, Any]:
        """Leave the model behind: it belongs to this process."""
        return {"settings": self.settings, "_look_at": self._look_at, "_classifier": None}

    def __call__(self, names: Sequence[str]) -> list[Row]:
        """Label files named relative to ``settings.root``; each gives at least one row, in the order given.

        Raises:
            ModelError: a model cannot be used.
            OutputError: a crop cannot be kept.
        """
        if self._classifier is None:
            self._classifier = classifier.Classifier(classifier.find(self.settings.model))
        looked = [pair for name in names for pair in self._look(name)]
        crops = [crop for _, crop in looked if crop is not None]
        predicted = iter(self._predict(crops))
        return [row if crop is None else self._labelled(row, next(predicted)) for row, crop in looked]

    def _look(self, file: str) -> Iterator[tuple[Row, images.Pixels | None]]:
        row = Row(file)
        try:
            found = self._look_at(file)
        except images.ImageError as exc:
            yield row.without_label(exc.status, exc.reason), None
            return
        if not found:
            yield row.without_label(Status.NO_FACE, "no face was found"), None
        for index, (face, crop) in enumerate(found):
            if self.settings.save_crops:
                _keep(crop, crop_path(self.settings, file, index))
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


def crop_path(settings: Settings, file: str, index: int) -> Path:
    """Return where the crop of a face is kept: below the crops' folder as the file is below the root."""
    relative = os.path.relpath(os.path.join(settings.root, file), settings.root)
    return Path(settings.save_crops, f"{relative}.face{index}.png")


def _keep(crop: images.Pixels, path: Path) -> None:
    advice = ". Make room, then run the same command again"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise OutputError(f"cannot write {path}: {exc.strerror}{advice}") from exc
    with files.replacing(path, advice) as beside:
        beside.write_bytes(images.png(crop))
