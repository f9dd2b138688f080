"""Features of the faces of a table: each file is read once, decoded and cropped as `classify` does."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from itertools import chain, groupby
from typing import NamedTuple

import numpy as np

from labeler.executors import threads
from labeler.images.crop import crop, holds, sides
from labeler.images.decode import finer
from labeler.images.picture import ImageError, Picture, Pixels
from labeler.images.read import read
from labeler.inference import bundle
from labeler.inference.yunet import YuNet
from labeler.records import Face, Faces, Row, View
from labeler.review.codes import Features, folded
from labeler.storage.address import is_remote
from labeler.storage.store import Store
from labeler.storage.versions import differ

Look = Callable[[Pixels], Features]

_CHUNK = 64
"""Faces, or files, that a thread works on at a time: a kill loses those, as many for each thread."""

_BLOCK = 16
"""Images of 64x64 pixels per run of the network: constant, so that no code depends on which faces stand beside it; see
`bundle.block_of`."""


class Numbered(NamedTuple):
    """A row of a table, and its number."""

    number: int
    row: Row


class Seen(NamedTuple):
    """The faces of a few files that could be read."""

    numbers: list[int]
    features: Features
    as_labelled: list[bool]
    """Whether the file is the one that was labelled, as far as the table tells."""
    tried: int
    """Number of faces, readable or not."""


class Reader(NamedTuple):
    """What is needed to look at faces: the network, where the files are, and how `classify` read them."""

    look: Look
    store: Store
    max_pixels: int
    faces: Faces = Faces.AUTO
    view: View = View()

    def seen(self, faces: Iterable[Numbered], workers: int) -> Generator[Seen, None, None]:
        """Yield the features of faces, a few at a time, in order; the faces of a file are adjacent."""
        with closing(
            threads.mapped(self._seen, chunks(faces), workers, waiting=is_remote(self.store.address))
        ) as found:
            yield from found

    def _seen(self, chunk: list[list[Numbered]]) -> Seen:
        numbers, crops, as_labelled = [], [], []
        for face, pixels, same in self.crops(chunk):
            numbers.append(face.number)
            crops.append(pixels)
            as_labelled.append(same)
        tried = sum(map(len, chunk))
        block = bundle.block_of(_BLOCK, self.view.side)
        features = [self._features(np.stack(crops[at : at + block]), block) for at in range(0, len(crops), block)]
        return Seen(numbers, np.concatenate(features) if features else np.zeros((0, 0), np.float32), as_labelled, tried)

    def _features(self, pixels: Pixels, block: int) -> Features:
        padded = np.pad(pixels, ((0, block - len(pixels)), (0, 0), (0, 0), (0, 0)))
        return folded(self.look(padded)[: len(pixels)])

    def crops(self, files: Iterable[list[Numbered]]) -> Iterator[tuple[Numbered, Pixels, bool]]:
        """Yield the faces of files that can be cut out, with their pixels, and whether they are as labelled."""
        return chain.from_iterable(map(self._crops, files))

    def _crops(self, file: list[Numbered]) -> Iterator[tuple[Numbered, Pixels, bool]]:
        shorter = sides(self.view)
        longer = shorter if self.faces is Faces.WHOLE else YuNet.decoded_side
        try:
            picture, content = read(self.store, file[0].row.file, shorter, longer, self.max_pixels)
            boxes = [_box(face.row, picture) for face in file]
            picture = finer(content.data, picture, list(filter(None, boxes)), self.view, self.max_pixels)
        except ImageError:
            return
        for face, box in zip(file, boxes, strict=True):
            if box:
                yield face, crop(picture, box, self.view), not differ(face.row.version, content.version)


def chunks(faces: Iterable[Numbered]) -> Iterator[list[list[Numbered]]]:
    """Yield the faces of a few files at a time, by file; those of a file are adjacent."""
    chunk: list[list[Numbered]] = []
    count = 0
    for _, file in groupby(faces, lambda face: face.row.file):
        chunk.append(list(file))
        count += len(chunk[-1])
        if count >= _CHUNK:
            yield chunk
            chunk, count = [], 0
    if chunk:
        yield chunk


def _box(row: Row, picture: Picture) -> Face | None:
    """Return the bounding box of a face, or of all of a photo without one; None where it is not in the photo."""
    if row.x is None or row.y is None or row.width is None or row.height is None:
        return Face(0, 0, picture.width, picture.height)
    box = Face(row.x, row.y, row.width, row.height)
    return box if holds(picture, box) else None
