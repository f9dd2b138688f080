"""Labels for images in memory: in notebooks, and inside other people's pipelines."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from labeler.errors import LabelerError
from labeler.images import pillow
from labeler.images.picture import ImageError, Picture
from labeler.labeling import BatchLabeler, Seen
from labeler.records import Device, Row, Settings, Status, by_file

Input = NDArray[np.uint8] | Image.Image | bytes | str | os.PathLike[str]
"""An array (height, width, 3) RGB or (height, width) gray, uint8; a PIL image; a file's content; or its path."""

_KINDS = "give uint8 arrays (height, width, 3) RGB or (height, width) gray, PIL images, bytes or paths"


class Labels(list[Row]):
    """The faces of one image, largest first: a list, which also says what became of the image."""

    def __init__(self, rows: Iterable[Row], status: Status, reason: str) -> None:
        super().__init__(rows)
        self.status = status
        self.reason = reason


class Labeler:
    """Label images where they are. The models are loaded by the first call, once, also after pickling.

        labeler = Labeler()
        for faces in labeler(["1.jpg", "2.jpg"]):
            print([face.label for face in faces])

    One call runs in this process, in one thread. For many files on disk `labeler.label` uses all cores.

    Attributes:
        settings: What decides about the answers.
    """

    def __init__(
        self,
        model: str = "",
        settings: Settings = Settings(root=""),  # noqa: B008 - frozen
        device: Device = Device.CPU,
        batch_size: int = 64,
    ) -> None:
        """Choose a model: a bundle's name, a run directory or a file; empty for the default one.

        Args:
            model: Takes the place of ``settings.model``.
            settings: What else decides, such as ``threshold`` and ``min_face``. Paths are relative to its ``root``.
            device: What the networks run on.
            batch_size: Upper limit on the images that are decoded at the same time.
        """
        self.settings = replace(settings, model=model or settings.model)
        self._device = device
        self._batch_size = batch_size
        self._label = BatchLabeler(self.settings, device)

    def __reduce__(self) -> tuple[Any, ...]:
        """Leave the loaded models out of what is pickled."""
        return type(self), (self.settings.model, self.settings, self._device, self._batch_size)

    @property
    def class_names(self) -> tuple[str, ...]:
        """Return the model's classes, in the order of each face's ``probabilities``."""
        return self._label.classifier.card.class_names

    def __call__(self, images: Iterable[Input]) -> list[Labels]:
        """Return the faces of each image, in the order given.

        An image without a face gives an empty list; one that cannot be used does, too, and its ``status`` and
        ``reason`` say why. Each face is a `Row`: ``label``, ``score``, ``probabilities``, ``x``, ``y``, ``width``,
        ``height``, ``face_score``; the bounding box is in pixels of the upright image.

        Raises:
            LabelerError: it is one image, not several.
            ModelError: a model cannot be used.
        """
        if isinstance(images, str | bytes | os.PathLike | Image.Image) or getattr(images, "ndim", 4) < 4:
            raise LabelerError("one image was given; give a list, even of one: labeler([image])")
        remaining = iter(images)
        return [
            labels
            for batch in iter(lambda: list(islice(remaining, self._batch_size)), [])
            for labels in self._of(batch)
        ]

    def _of(self, batch: list[Input]) -> Iterator[Labels]:
        rows = self._label.label((str(at), self._seen(image)) for at, image in enumerate(batch))
        for found in by_file(rows):
            image = batch[int(found[0].file)]
            name = os.fspath(image) if isinstance(image, str | os.PathLike) else ""
            faces = [row._replace(file=name) for row in found if row.label]
            yield Labels(faces, found[0].status, found[0].reason)

    def _seen(self, image: Input) -> Seen | ImageError:
        looker = self._label.looker
        try:
            if isinstance(image, str | os.PathLike):
                return looker(os.fspath(image))
            if isinstance(image, bytes):
                return looker.look(looker.decode(image), content=image)
            if isinstance(image, Image.Image):
                return looker.look(pillow.picture(image, self.settings.max_pixels))
            return looker.look(_picture(image))
        except ImageError as exc:
            return exc


def _picture(pixels: Any) -> Picture:
    if not isinstance(pixels, np.ndarray):
        raise ImageError(Status.UNSUPPORTED, f"{type(pixels).__name__} is no kind of image; {_KINDS}")
    gray = pixels.ndim == 2
    if pixels.dtype != np.uint8 or not (gray or pixels.shape[2:] == (3,)) or not pixels.size:
        raise ImageError(Status.UNSUPPORTED, f"an array {pixels.shape} of {pixels.dtype} is no image; {_KINDS}")
    if gray:
        pixels = np.stack([pixels] * 3, axis=2)
    return Picture(np.ascontiguousarray(pixels), pixels.shape[1], pixels.shape[0])
