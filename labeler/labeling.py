"""The per-batch function: file names in, rows out."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property
from itertools import chain, repeat, starmap
from time import perf_counter, process_time
from typing import NamedTuple

import numpy as np

from labeler import storage
from labeler.errors import one_line
from labeler.images.crop import framed, resized, sides
from labeler.images.decode import decode, finer, largest_file
from labeler.images.picture import ImageError, Picture, Pixels
from labeler.images.read import read
from labeler.inference import bundle, detector, prior, session, weights
from labeler.inference.classifier import Classifier
from labeler.inference.yunet import YuNet
from labeler.profile import Spent
from labeler.records import Device, Face, Faces, Row, Settings, Status, View

DECIMALS = 6
"""Decimals of a probability, rounded once and here, so that every format of the table holds the same numbers."""

_MOST_CROP_BYTES = 1 << 26
"""Upper limit on the crops of a batch that are in memory at a time, in bytes: 5,461 of 64x64 pixels, 54 of 640x640."""

Vary = Callable[[Pixels], Pixels]
"""Changes the pixels of a cut-out face, (height, width, 3) uint8 RGB: a perturbation. Picklable."""

Keep = Callable[[str, int, Pixels], str]
"""Saves the crop of a file's n-th face; returns the error, or an empty text."""


class Seen(NamedTuple):
    """What a photo shows: its faces, largest first, each with its crop (side, side, 3) uint8 RGB."""

    faces: list[tuple[Face, Pixels]]
    width: int
    """Width of the upright image in pixels; `height` likewise."""
    height: int
    version: str = ""
    """The file's version; empty for an image that came from no file."""
    damage: str = ""
    """The decoder's warning that image data is lost."""


class Looker:
    """Read a photo and cut out its faces, as every network sees them: for training, evaluation and classification.

    The detector is loaded by the first image that needs it. ``view`` is what a network is shown; ``vary`` is a
    perturbation of each face before it is resized, to measure a model's robustness.
    """

    def __init__(
        self,
        settings: Settings,
        device: Device = Device.CPU,
        vary: Vary | None = None,
        view: View = View(),  # noqa: B008 - a tuple
    ) -> None:
        self.settings = settings
        self.spent = Spent()
        self.device = device
        self._store = storage.at(settings.root)
        self._detector: detector.Detector | None = None
        self._vary = vary
        self._view = view.of(settings.resize)
        self._side = sides(self._view)
        self._longer = self._side if settings.faces is Faces.WHOLE else YuNet.decoded_side

    def __call__(self, file: str) -> Seen:
        """Return what a photo shows.

        Raises:
            ImageError: the file cannot be read, or its image cannot be used.
            ModelError: the detector cannot be used.
        """
        began = perf_counter()
        try:
            picture, content = read(self._store, file, self._side, self._longer, self.settings.max_pixels)
        finally:
            self.spent.decode_s += perf_counter() - began
        try:
            return self.look(picture, content.version, content.data)
        except ImageError as exc:
            exc.version = content.version
            raise

    def ahead(self, files: Sequence[str]) -> None:
        """Announce the photos that will be looked at next, in this order; see `Store.ahead`."""
        self._store.ahead(map(files.__getitem__, range(len(files))), largest_file(self.settings.max_pixels))

    def seen(self, file: str) -> Seen | ImageError:
        """Return what a photo shows, or why it cannot be used.

        Raises:
            ModelError: the detector cannot be used.
        """
        try:
            return self(file)
        except ImageError as exc:
            return exc

    def look(self, picture: Picture, version: str = "", content: bytes = b"") -> Seen:
        """Return what a decoded image shows, of this version of its file.

        ``content`` is decoded once more, for small faces of a network that takes large ones.

        Raises:
            ImageError: there is not enough memory to decode it in a finer scale.
            ModelError: the detector cannot be used.
        """
        began = perf_counter()
        faces = self._faces(picture)
        if content:
            picture = finer(content, picture, faces, self._view, self.settings.max_pixels)
        found = [(face, self._crop(picture, face)) for face in faces]
        self.spent.faces_s += perf_counter() - began
        return Seen(found, picture.width, picture.height, version, picture.damage)

    def decode(self, content: bytes) -> Picture:
        """Decode an image at the scale that is needed to find its faces and cut them out.

        Raises:
            ImageError: it cannot be used.
        """
        return decode(content, self._side, self._longer, self.settings.max_pixels)

    def _crop(self, picture: Picture, face: Face) -> Pixels:
        pixels = framed(picture, face, self._view)
        return resized(self._vary(pixels) if self._vary else pixels, self._view.side)

    def _faces(self, picture: Picture) -> list[Face]:
        if detector.is_crop(picture.width, picture.height, self.settings.faces):
            return [Face(0.0, 0.0, float(picture.width), float(picture.height))]  # Floats, as a table gives them.
        if self._detector is None:
            self._detector = YuNet(bundle.detector(self.settings.detector), self.device)
        return detector.faces(self._detector, picture.pixels, picture.width, picture.height, self.settings)


class BatchLabeler:
    """Turn batches of file names into rows. The models are loaded when they are needed.

    For ``vary`` see `Looker`; ``keep`` gets the crop of every face that is labelled.
    """

    def __init__(
        self, settings: Settings, device: Device = Device.CPU, vary: Vary | None = None, keep: Keep | None = None
    ) -> None:
        self.settings = settings
        self.device = device
        """The device that the networks run on; until they are loaded, the one asked for."""
        self._vary = vary
        self._keep = keep

    @cached_property
    def classifier(self) -> Classifier:
        """The model."""
        self.device = session.device(self.device)
        path = weights.of_device(bundle.find(self.settings.model), self.device)
        return Classifier(path, self.device, hashed=False)  # Every worker would read the file for its SHA-256.

    @cached_property
    def _ratios(self) -> tuple[float, ...]:
        """The factors of the probabilities for the prior that is wanted; empty for the model's own."""
        return prior.ratios(self.classifier.card, self.settings.prior)

    @cached_property
    def looker(self) -> Looker:
        """The source of the model's crops."""
        view = self.classifier.card.view  # Loading it finds out the device.
        return Looker(self.settings, self.device, self._vary, view)

    def __call__(self, names: Sequence[str]) -> list[Row]:
        """Label files named relative to ``settings.root``; each gives at least one row, in the order given.

        ``names`` is iterated once: each file's faces are found before the next name is asked for.

        Raises:
            ModelError: a model cannot be used.
            OutputError: a crop cannot be saved, because the disk is full or gone.
        """
        self.looker.ahead(names)
        return self.label((str(name), self.looker.seen(name)) for name in names)  # No row holds a `Member`.

    def label(self, shown: Iterable[tuple[str, Seen | ImageError]]) -> list[Row]:
        """Label what was seen, each with the name for its rows; an ImageError gives a row with its reason.

        Raises:
            ModelError: a model cannot be used.
            OutputError: a crop cannot be saved, because the disk is full or gone.
        """
        rows: list[Row] = []
        for some in self._held(chain.from_iterable(starmap(self._looked, shown))):
            predicted = self._predict([crop for _, crop in some if crop is not None])
            rows += [row if crop is None else self._labelled(row, crop, *next(predicted)) for row, crop in some]
        return rows

    def _held(self, looked: Iterable[tuple[Row, Pixels | None]]) -> Iterator[list[tuple[Row, Pixels | None]]]:
        """Yield rows with their crops, as many at a time as may be in memory."""
        held: list[tuple[Row, Pixels | None]] = []
        size = 0
        for row, pixels in looked:
            held.append((row, pixels))
            size += 0 if pixels is None else pixels.nbytes
            if size >= _MOST_CROP_BYTES:
                yield held
                held, size = [], 0
        yield held

    def _looked(self, name: str, seen: Seen | ImageError) -> list[tuple[Row, Pixels | None]]:
        if isinstance(seen, ImageError):
            return [(Row(name, status=seen.status, reason=one_line(seen.reason), version=seen.version), None)]
        row = Row.of_image(name, seen.width, seen.height, seen.version)
        if seen.damage:
            row = row.damaged(seen.damage)
        if not seen.faces:
            return [(_faceless(row, "no face was found"), None)]
        return [(row.located(index, face), pixels) for index, (face, pixels) in enumerate(seen.faces)]

    def _predict(self, crops: Sequence[Pixels]) -> Iterator[tuple[list[float], float | None]]:
        """Yield the probabilities of the classes and, if the model knows it, that of a face, for each crop."""
        if not crops:
            return iter(())
        began = perf_counter()
        probabilities, faces = self.classifier.answer(np.stack(crops))
        shares = probabilities.astype(np.float64)
        if self._ratios:
            shares *= self._ratios
            shares /= shares.sum(axis=1, keepdims=True)
        rounded: list[list[float]] = shares.round(DECIMALS).tolist()
        self.looker.spent.predict_s += perf_counter() - began
        return zip(rounded, repeat(None) if faces is None else faces.tolist(), strict=False)

    def _labelled(self, row: Row, pixels: Pixels, probabilities: list[float], face: float | None) -> Row:
        if face is not None and (why := self._why_no_face(row, face)):
            return _faceless(row.unlocated(), why)
        if self._keep:
            self.looker.spent.note_lost(self._keep(row.file, row.face or 0, pixels))
        settings = self.settings
        return row.labelled(probabilities, self.classifier.card.class_names, settings.threshold, settings.top)

    def _why_no_face(self, row: Row, probability: float) -> str:
        """Say why a small image that was taken for a face is none; empty where it is, or where others said that it is.

        Others are the detector, and the user with `--faces whole`.
        """
        wanted = self.classifier.card.face_threshold
        guessed = self.settings.faces is Faces.AUTO and row.face_score is None
        if not guessed or wanted is None or probability >= wanted:
            return ""
        shown = math.floor(100 * probability) / 100  # Never rounded up to what is wanted.
        return f"the picture does not look like a face: {shown:.2f}, the model asks for at least {wanted:.2f}"


def _faceless(row: Row, why: str) -> Row:
    """Return the row of a file without a face; of a damaged file the damage may be why."""
    if row.status is Status.DAMAGED:
        return row.damaged(f"{why}; {row.reason}")
    return row.without_label(Status.NO_FACE, why)


class Timed:
    """A labeler that also returns, with the rows of each batch, where the time went."""

    def __init__(self, labeler: BatchLabeler) -> None:
        self._labeler = labeler

    def __call__(self, names: Sequence[str]) -> tuple[list[Row], Spent]:
        """Return the labeler's rows, and the time they took."""
        began, worked = perf_counter(), process_time()
        rows = self._labeler(names)
        looker = self._labeler.looker
        spent, looker.spent = looker.spent, Spent()
        spent.whole_s, spent.cpu_s = perf_counter() - began, process_time() - worked
        spent.device = self._labeler.device
        return rows, spent
