"""The faces of a table that an adaptation learns from, and those that judge it: their embeddings, read from photos."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from labeler import native_output, storage
from labeler.executors import threads
from labeler.grouping import duplicates
from labeler.images.crop import resized
from labeler.inference import bundle, embeddings
from labeler.inference.embeddings import Embeddings
from labeler.records import INPUT_SIDE, Faces, Settings
from labeler.review.looking import Numbered, Reader, chunks
from labeler.storage.address import is_remote
from labeler.tables import reader
from labeler.tables.reviews import CONSENSUS
from labeler.tables.verdicts import Verdict
from labeler.watched import Watched


@dataclass(frozen=True, kw_only=True, eq=False)
class Seen:
    """Faces that could be read: the numbers of their rows, the probabilities of the table, and the embeddings.

    Arrays (n, ...) in the order of the table. ``others`` is the number of faces whose photo is another one than when it
    was labelled, ``unread`` that of those that cannot be read.
    """

    numbers: NDArray[np.int64]
    probabilities: NDArray[np.float64]
    embeddings: Embeddings
    hashes: duplicates.Hashes
    others: int
    unread: int

    def of(self, rows: Iterable[int]) -> NDArray[np.int64]:
        """Return the places of rows among the faces, in the order of the rows, of those that could be read."""
        places = {number: place for place, number in enumerate(self.numbers.tolist())}
        return np.array([places[row] for row in rows if row in places], np.int64)


def votes(verdict: Verdict, class_names: tuple[str, ...]) -> list[float]:
    """Return the shares of the classes in what persons said about a face; all 0 where it is of no class.

    Every reviewer's last word is a vote; of a consensus, it is the only one. Where the majority says that it is no
    face, or cannot tell, it is of no class.
    """
    if verdict.label not in class_names:
        return [0.0] * len(class_names)
    agreed = verdict.event.view == CONSENSUS
    counts = Counter([verdict.label] if agreed else (event.new for event in verdict.votes.values()))
    named = [float(counts[name]) for name in class_names]
    return [count / sum(named) for count in named]


@native_output.decoders()
def look(table: Path, rows: set[int], model: Path, root: str, watched: Watched, workers: int) -> Seen:
    """Read the faces of some rows of a table, as `classify` did, and compute their embeddings in ``workers`` threads.

    Raises:
        LabelerError: the table cannot be read.
        ModelError: the model does not end in a dense layer.
    """
    settings = reader.record(table).settings
    network = embeddings.network(model)
    read = Reader(
        network,
        storage.at(root),
        int(settings.get("max_pixels", Settings().max_pixels)),
        Faces(settings.get("faces", Faces.AUTO)),
        bundle.card(model).view.of(settings.get("resize")),
    )
    every = (Numbered(number, row) for number, row in enumerate(reader.read(table)))
    wanted = (one for one in every if one.number in rows and one.row.probabilities)
    found: list[_Face] = []
    others = 0
    with closing(threads.mapped(partial(_looked, read), chunks(wanted), workers, waiting=is_remote(root))) as parts:
        for face, is_same in watched(chain.from_iterable(parts), "reading faces", len(rows)):
            others += not is_same
            if is_same:
                found.append(face)
    return Seen(
        numbers=np.array([face.number for face in found], np.int64),
        probabilities=np.array([face.probabilities for face in found], np.float64),
        embeddings=np.array([face.embedding for face in found], np.float32),
        hashes=np.frombuffer(b"".join(face.hash for face in found), np.uint8).reshape(-1, duplicates.HASH_BYTES),
        others=others,
        unread=len(rows) - len(found) - others,
    )


class _Face(NamedTuple):
    number: int
    probabilities: tuple[float, ...]
    embedding: Embeddings
    hash: bytes


def _looked(read: Reader, chunk: list[list[Numbered]]) -> list[tuple[_Face, bool]]:
    """Return the faces of a few files that can be read, and whether they are as labelled."""
    faces = list(read.crops(chunk))
    if not faces:
        return []
    embedded = read.look(np.stack([pixels for _, pixels, _ in faces]))
    hashes = [duplicates.perceptual_hash(resized(pixels, INPUT_SIDE)) for _, pixels, _ in faces]
    return [
        (_Face(one.number, one.row.probabilities, embedding, near), is_same)
        for (one, _, is_same), embedding, near in zip(faces, embedded, hashes, strict=True)
    ]
