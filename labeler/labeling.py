"""The per-batch function: file names in, rows out."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from time import perf_counter, process_time
from typing import NamedTuple

import numpy as np

from labeler.errors import one_line
from labeler.images import decode as images
from labeler.inference import bundle, classifier, session, yunet
from labeler.profile import Spent
from labeler.records import INPUT_SIDE, Device, Face, Faces, Row, Settings, Status
from labeler.storage.crops import Crops

DECIMALS = 6
"""Probabilities are rounded here, once, so that every format of the table holds the very same numbers."""

Vary = Callable[[images.Pixels], images.Pixels]
"""Takes a face as it was cut out (height, width, 3), returns one like it. Picklable."""


class Seen(NamedTuple):
    """What a picture shows: its faces, largest first, each with its crop (64, 64, 3) uint8 RGB."""

    faces: list[tuple[Face, images.Pixels]]
    width: int
    """Of the upright image, in pixels, like `height`."""
    height: int
    version: str
    """Of the file: see `files.version_of`."""
    damage: str
    """What the decoder said of image data that is lost."""


class Looker:
    """See a picture as every network does. Training, evaluation and classification all look through this.

    The detector is loaded by the first picture that needs it. ``vary`` changes each face that was found before it is
    scaled, to see what a model makes of it.
    """

    def __init__(self, settings: Settings, device: Device = Device.CPU, vary: Vary | None = None) -> None:
        self.settings = settings
        self.spent = Spent()
        self.device = device
        self._finder: yunet.Finder | None = None
        self._vary = vary
        self._prefix = "" if settings.absolute else os.path.join(settings.root, "")
        self._longer = INPUT_SIDE if settings.faces is Faces.WHOLE else yunet.DECODED_SIDE

    def __call__(self, file: str) -> Seen:
        """Return what a picture shows.

        Raises:
            ImageError: the picture cannot be used.
            ModelError: the detector cannot be used.
        """
        began = perf_counter()
        try:
            picture = images.read(self._prefix + file, INPUT_SIDE, self._longer, self.settings.max_pixels)
        finally:
            read = perf_counter()
            self.spent.decode_s += read - began
        found = [(face, self._crop(picture, face)) for face in self._faces(picture)]
        self.spent.faces_s += perf_counter() - read
        return Seen(found, picture.width, picture.height, picture.version, picture.damage)

    def _crop(self, picture: images.Picture, face: Face) -> images.Pixels:
        if self._vary is None:
            return images.crop(picture, face, INPUT_SIDE)
        return images.resized(self._vary(images.cut(picture, face)), INPUT_SIDE)

    def _faces(self, picture: images.Picture) -> list[Face]:
        if yunet.is_crop(picture.width, picture.height, self.settings.faces):
            return [Face(0.0, 0.0, float(picture.width), float(picture.height))]  # As they are read from a table.
        if self._finder is None:
            self._finder = yunet.Finder(bundle.detector(self.settings.detector), self.device)
        return self._finder.find(picture.pixels, picture.width, picture.height, self.settings)


class Labeler:
    """Turn batches of files into rows. The models are loaded by the first call. For ``vary`` see `Looker`."""

    def __init__(self, settings: Settings, device: Device = Device.CPU, vary: Vary | None = None) -> None:
        self.settings = settings
        self.device = device
        """What the networks run on; what was asked for, before the first call."""
        self._look_at = Looker(settings, device, vary)
        self._crops = Crops(settings)
        self._classifier: classifier.Classifier | None = None

    @property
    def spent(self) -> Spent:
        """What looking and predicting took since it was last set."""
        return self._look_at.spent

    @spent.setter
    def spent(self, spent: Spent) -> None:
        self._look_at.spent = spent

    def __call__(self, names: Iterable[str]) -> list[Row]:
        """Label files named relative to ``settings.root``; each gives at least one row, in the order given.

        Raises:
            ModelError: a model cannot be used.
            OutputError: a crop cannot be kept, for the disk is full, or gone.
        """
        if self._classifier is None:
            self.device = self._look_at.device = session.device(self.device)
            self._classifier = classifier.Classifier(bundle.find(self.settings.model), self.device)
        looked = list(chain.from_iterable(map(self._look, names)))
        predicted = self._predict([crop for _, crop in looked if crop is not None])
        return [row if crop is None else self._labelled(row, next(predicted)) for row, crop in looked]

    def _look(self, file: str) -> list[tuple[Row, images.Pixels | None]]:
        try:
            seen = self._look_at(file)
        except images.ImageError as exc:
            row = Row(file, status=exc.status, reason=one_line(exc.reason), version=exc.version)
            return [(row, None)]
        row = Row.of_image(file, seen.width, seen.height, seen.version)
        if not seen.faces:
            none = "no face was found"
            damage = f"{none}; {seen.damage}"
            return [(row.damaged(damage) if seen.damage else row.without_label(Status.NO_FACE, none), None)]
        if seen.damage:
            row = row.damaged(seen.damage)
        if self.settings.save_crops:
            for index, (_, crop) in enumerate(seen.faces):
                self.spent.note_lost(self._crops.keep(file, index, images.png(crop)))
        return [(row.located(index, face), crop) for index, (face, crop) in enumerate(seen.faces)]

    def _predict(self, crops: Sequence[images.Pixels]) -> Iterator[list[float]]:
        assert self._classifier is not None
        if not crops:
            return iter(())
        began = perf_counter()
        probabilities = self._classifier.predict(np.stack(crops))
        rounded: list[list[float]] = probabilities.astype(np.float64).round(DECIMALS).tolist()
        self.spent.predict_s += perf_counter() - began
        return iter(rounded)

    def _labelled(self, row: Row, probabilities: list[float]) -> Row:
        assert self._classifier is not None
        names = self._classifier.card.class_names
        return row.labelled(tuple(probabilities), names, self.settings.threshold)


class Timed:
    """A labeler that tells with the rows of each batch where the time went."""

    def __init__(self, labeler: Labeler) -> None:
        self._labeler = labeler

    def __call__(self, names: Iterable[str]) -> tuple[list[Row], Spent]:
        """Return what the labeler returns, and what it took."""
        began, worked = perf_counter(), process_time()
        rows = self._labeler(names)
        spent = self._labeler.spent
        spent.whole_s, spent.cpu_s = perf_counter() - began, process_time() - worked
        spent.device = self._labeler.device
        self._labeler.spent = Spent()
        return rows, spent
