"""Decode labelled files, exactly as `labeler classify` does, into one file of pixels that only grows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import count
from typing import IO

import numpy as np
from numpy.typing import NDArray

from labeler import labeling, native_output
from labeler.errors import LabelerError, OutputError
from labeler.executors.cores import cores
from labeler.executors.executor import Executor, InProcess
from labeler.executors.processes import Processes
from labeler.grouping import duplicates
from labeler.grouping.duplicates import HASH_BYTES, Hashes
from labeler.images.crop import fingerprint, resized
from labeler.images.picture import ImageError, Pixels
from labeler.records import INPUT_SIDE, Faces, Settings, Status, View
from labeler.tables.labels import Labelled
from labeler.tables.votes import Votes

Progress = Callable[[int, int], None]
"""Called with the number of files read and the total."""

_FILES_PER_BATCH = 64
"""Files per task of a worker process."""

_WORTH_PROCESSES = 2000
"""Number of files from which starting worker processes pays off."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Read:
    """Decoded images: ``places`` are rows of the cache; ``votes`` (n, classes); ``hashes`` (n, 32) are perceptual."""

    files: tuple[str, ...]
    places: NDArray[np.int64]
    votes: Votes
    fingerprints: tuple[bytes, ...]
    hashes: Hashes

    def __len__(self) -> int:
        return len(self.places)

    def at(self, chosen: NDArray[np.int64] | NDArray[np.bool_]) -> Read:
        """Return the images at these indices, or where the mask is true."""
        rows = np.arange(len(self))[chosen]
        files, prints = (tuple(every[row] for row in rows) for every in (self.files, self.fingerprints))
        return Read(
            files=files,
            places=self.places[rows],
            votes=self.votes[rows],
            fingerprints=prints,
            hashes=self.hashes[rows],
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Decoded:
    """The crop (side, side, 3) of the largest face of a file and its perceptual hash, or why there is none."""

    file: str
    pixels: Pixels | None = None
    reason: str = ""
    perceptual_hash: bytes = b""


class Decoder:
    """Decode batches of files, named relative to ``settings.root``, as ``view`` says; runs in worker processes."""

    def __init__(self, settings: Settings, view: View) -> None:
        self._look = labeling.Looker(settings, view=view)

    def __call__(self, files: Iterable[str]) -> list[Decoded]:
        """Decode ``files``; return one result for each, in the same order."""
        return [self._decode(file) for file in files]

    def _decode(self, file: str) -> Decoded:
        try:
            seen = self._look(file)
        except ImageError as exc:
            return Decoded(file=file, reason=exc.reason)
        if seen.damage:
            return Decoded(file=file, reason=f"{Status.DAMAGED}: {seen.damage}")
        if not seen.faces:
            return Decoded(file=file, reason="no face was found")
        pixels = seen.faces[0][1]
        near = duplicates.perceptual_hash(resized(pixels, INPUT_SIDE))
        return Decoded(file=file, pixels=pixels, perceptual_hash=near)


class Reader:
    """Decode files, each once, and append the pixels to ``file``; ``view`` is what a network is shown of each."""

    def __init__(
        self,
        file: IO[bytes],
        total: int,
        progress: Progress,
        view: View = View(),  # noqa: B008 - a tuple
        faces: Faces = Faces.AUTO,
    ) -> None:
        self.skipped: list[str] = []
        self._file = file
        self._total = total
        self._progress = progress
        self._view, self._faces = view, faces
        self._seen = self._kept = 0

    @native_output.decoders()
    def read(self, labelled: Labelled, workers: int) -> Read:
        """Decode files in ``workers`` processes, 0 for one per core; a small number is decoded in this process.

        Files that cannot be used are listed in `skipped`.

        Raises:
            LabelerError: no file of some class can be read.
            OutputError: the pixels cannot be written.
        """
        first = self._kept
        kept: list[int] = []
        fingerprints: list[bytes] = []
        hashes: list[bytes] = []
        self.skipped += labelled.passed_over
        decoder = partial(Decoder, Settings(root=labelled.root, faces=self._faces), self._view)
        rows = count()
        for batch in _executor(workers, len(labelled.files)).map(decoder, _batches(labelled.files)):
            for decoded, row in zip(batch, rows, strict=False):
                if decoded.pixels is None:
                    self.skipped.append(f"{labelled.root}/{decoded.file}: {decoded.reason}")
                    continue
                self._write(decoded.pixels)
                kept.append(row)
                fingerprints.append(fingerprint(decoded.pixels))
                hashes.append(decoded.perceptual_hash)
            self._seen += len(batch)
            self._progress(self._seen, self._total)
        votes = labelled.votes[kept]
        _check_none_lost(labelled, votes)
        return Read(
            files=tuple(labelled.files[row] for row in kept),
            places=np.arange(first, self._kept),
            votes=votes,
            fingerprints=tuple(fingerprints),
            hashes=np.frombuffer(b"".join(hashes), np.uint8).reshape(-1, HASH_BYTES),
        )

    def pixels(self) -> Pixels:
        """Return the pixels of all decoded images (n, side, side, 3), memory-mapped."""
        self._file.flush()
        return np.memmap(self._file, np.uint8, "r", shape=(self._kept, self._view.side, self._view.side, 3))

    def _write(self, pixels: Pixels) -> None:
        try:
            self._file.write(pixels.tobytes())
        except OSError as exc:
            raise OutputError(f"cannot write the decoded photos beside the model: {exc.strerror}") from exc
        self._kept += 1


def _check_none_lost(labelled: Labelled, votes: Votes) -> None:
    before, after = (set(np.flatnonzero(counted.sum(axis=0))) for counted in (labelled.votes, votes))
    if before != after:
        lost = ", ".join(labelled.class_names[place] for place in sorted(before - after))
        raise LabelerError(f"{labelled.root}: no photo in {lost} can be read")


def _batches(files: Sequence[str]) -> Iterator[Sequence[str]]:
    return (files[at : at + _FILES_PER_BATCH] for at in range(0, len(files), _FILES_PER_BATCH))


def _executor(workers: int, files: int) -> Executor[list[Decoded]]:
    processes = workers or cores()
    if processes == 1 or files < _WORTH_PROCESSES:
        return InProcess()
    return Processes(processes, _lost, ("training.data.decode",))


def _lost(file: str, reason: str) -> list[Decoded]:
    return [Decoded(file=file, reason=reason)]
