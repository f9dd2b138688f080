"""The per-batch function: file names in, rows out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property
from itertools import chain, starmap
from time import perf_counter, process_time
from typing import NamedTuple

import numpy as np

from labeler import storage
from labeler.errors import one_line
from labeler.executors import worker
from labeler.images.crop import crop, cut, resized
from labeler.images.decode import decode
from labeler.images.picture import ImageError, Picture, Pixels
from labeler.images.read import read
from labeler.inference import bundle, detector, session
from labeler.inference.classifier import Classifier
from labeler.inference.yunet import YuNet
from labeler.profile import Spent
from labeler.records import INPUT_SIDE, Device, Face, Faces, Row, Settings, Status

DECIMALS = 6
"""Probabilities are rounded here, once, so that every format of the table holds the very same numbers."""

LONGEST_S = 60.0
"""So much processor time one picture may take a worker process; then the system ends it. The slowest of 24 megapixels
took 1.1 s. A JPEG's scan takes 10 bytes and, at 25 megapixels, 2 ms: 1 MB asks for minutes."""

Vary = Callable[[Pixels], Pixels]
"""Takes a face as it was cut out (height, width, 3), returns one like it. Picklable."""

Keep = Callable[[str, int, Pixels], str]
"""Keeps the crop of a file's n-th face somewhere; returns why it could not, or nothing."""


def given_up(cause: str) -> str:
    """Return the reason of a row whose file ends every worker that reads it, of the signal's name."""
    if cause == "SIGPROF":
        return f"reading it takes more than {LONGEST_S:.0f} s of processor time"
    return f"reading it ended the process: {cause}"


class Seen(NamedTuple):
    """What a photo shows: its faces, largest first, each with its crop (side, side, 3) uint8 RGB."""

    faces: list[tuple[Face, Pixels]]
    width: int
    """Of the upright image, in pixels, like `height`."""
    height: int
    version: str = ""
    """That of the file; empty where the image came from none."""
    damage: str = ""
    """What the decoder said of image data that is lost."""


class Looker:
    """See a photo as every network does. Training, evaluation and classification all look through this.

    The detector is loaded by the first image that needs it. ``side`` is that of a crop, in pixels; ``vary`` changes
    each face that was found before it is scaled, to see what a model makes of it.
    """

    def __init__(
        self, settings: Settings, device: Device = Device.CPU, vary: Vary | None = None, side: int = INPUT_SIDE
    ) -> None:
        self.settings = settings
        self.spent = Spent()
        self.device = device
        self._store = storage.at(settings.root)
        self._detector: detector.Detector | None = None
        self._vary = vary
        self._side = side
        self._longer = side if settings.faces is Faces.WHOLE else YuNet.decoded_side

    def __call__(self, file: str) -> Seen:
        """Return what a photo shows.

        Raises:
            ImageError: the file cannot be read, or its image cannot be used.
            ModelError: the detector cannot be used.
        """
        worker.allow(LONGEST_S)
        try:
            began = perf_counter()
            try:
                picture, version = read(self._store, file, self._side, self._longer, self.settings.max_pixels)
            finally:
                self.spent.decode_s += perf_counter() - began
            return self.look(picture, version)
        finally:
            worker.allow(0)

    def seen(self, file: str) -> Seen | ImageError:
        """Return what a photo shows, or why it cannot be used.

        Raises:
            ModelError: the detector cannot be used.
        """
        try:
            return self(file)
        except ImageError as exc:
            return exc

    def look(self, picture: Picture, version: str = "") -> Seen:
        """Return what a decoded image shows, of this version of its file.

        Raises:
            ModelError: the detector cannot be used.
        """
        began = perf_counter()
        found = [(face, self._crop(picture, face)) for face in self._faces(picture)]
        self.spent.faces_s += perf_counter() - began
        return Seen(found, picture.width, picture.height, version, picture.damage)

    def decode(self, content: bytes) -> Picture:
        """Decode an image as far as it is needed to find its faces and cut them out.

        Raises:
            ImageError: it cannot be used.
        """
        return decode(content, self._side, self._longer, self.settings.max_pixels)

    def _crop(self, picture: Picture, face: Face) -> Pixels:
        if self._vary is None:
            return crop(picture, face, self._side)
        return resized(self._vary(cut(picture, face)), self._side)

    def _faces(self, picture: Picture) -> list[Face]:
        if detector.is_crop(picture.width, picture.height, self.settings.faces):
            return [Face(0.0, 0.0, float(picture.width), float(picture.height))]  # As they are read from a table.
        if self._detector is None:
            self._detector = YuNet(bundle.detector(self.settings.detector), self.device)
        return detector.faces(self._detector, picture.pixels, picture.width, picture.height, self.settings)


class BatchLabeler:
    """Turn batches of file names into rows. The models are loaded when they are needed. For ``vary`` see `Looker`.

    ``keep`` is given the crop of every face.
    """

    def __init__(
        self, settings: Settings, device: Device = Device.CPU, vary: Vary | None = None, keep: Keep | None = None
    ) -> None:
        self.settings = settings
        self.device = device
        """What the networks run on; what was asked for, before they are loaded."""
        self._vary = vary
        self._keep = keep

    @cached_property
    def classifier(self) -> Classifier:
        """The model."""
        self.device = session.device(self.device)
        return Classifier(bundle.find(self.settings.model), self.device)

    @cached_property
    def looker(self) -> Looker:
        """What gives the model its crops."""
        side = self.classifier.card.input_size
        return Looker(self.settings, self.device, self._vary, side)

    def __call__(self, names: Iterable[str]) -> list[Row]:
        """Label files named relative to ``settings.root``; each gives at least one row, in the order given.

        ``names`` is iterated once: each file is read and looked at before the next name is asked for.

        Raises:
            ModelError: a model cannot be used.
            OutputError: a crop cannot be kept, for the disk is full, or gone.
        """
        return self.label((name, self.looker.seen(name)) for name in names)

    def label(self, shown: Iterable[tuple[str, Seen | ImageError]]) -> list[Row]:
        """Label what was seen, each with the name that its rows get; what could not be used gives a row that says why.

        Raises:
            ModelError: a model cannot be used.
            OutputError: a crop cannot be kept, for the disk is full, or gone.
        """
        looked = list(chain.from_iterable(starmap(self._looked, shown)))
        predicted = self._predict([crop for _, crop in looked if crop is not None])
        return [row if crop is None else self._labelled(row, next(predicted)) for row, crop in looked]

    def _looked(self, name: str, seen: Seen | ImageError) -> list[tuple[Row, Pixels | None]]:
        if isinstance(seen, ImageError):
            return [(Row(name, status=seen.status, reason=one_line(seen.reason), version=seen.version), None)]
        row = Row.of_image(name, seen.width, seen.height, seen.version)
        if not seen.faces:
            none = "no face was found"
            damage = f"{none}; {seen.damage}"
            return [(row.damaged(damage) if seen.damage else row.without_label(Status.NO_FACE, none), None)]
        if seen.damage:
            row = row.damaged(seen.damage)
        if self._keep:
            for index, (_, pixels) in enumerate(seen.faces):
                self.looker.spent.note_lost(self._keep(name, index, pixels))
        return [(row.located(index, face), pixels) for index, (face, pixels) in enumerate(seen.faces)]

    def _predict(self, crops: Sequence[Pixels]) -> Iterator[list[float]]:
        if not crops:
            return iter(())
        began = perf_counter()
        probabilities = self.classifier.predict(np.stack(crops))
        rounded: list[list[float]] = probabilities.astype(np.float64).round(DECIMALS).tolist()
        self.looker.spent.predict_s += perf_counter() - began
        return iter(rounded)

    def _labelled(self, row: Row, probabilities: list[float]) -> Row:
        return row.labelled(tuple(probabilities), self.classifier.card.class_names, self.settings.threshold)


class Timed:
    """A labeler that tells with the rows of each batch where the time went."""

    def __init__(self, labeler: BatchLabeler) -> None:
        self._labeler = labeler

    def __call__(self, names: Iterable[str]) -> tuple[list[Row], Spent]:
        """Return what the labeler returns, and what it took."""
        began, worked = perf_counter(), process_time()
        rows = self._labeler(names)
        looker = self._labeler.looker
        spent, looker.spent = looker.spent, Spent()
        spent.whole_s, spent.cpu_s = perf_counter() - began, process_time() - worked
        spent.device = self._labeler.device
        return rows, spent
