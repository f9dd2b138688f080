"""Folders of faces to pixels: found, decoded once, split, and kept in a file instead of in memory."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from labeler import evaluation, executors, images, sources
from labeler.errors import LabelerError, OutputError
from labeler.records import INPUT_SIDE, RESERVED_NAMES, Settings
from training.decoding import Decoder

Places = NDArray[np.int64]
Progress = Callable[[int, int], None]
"""Is told how many pictures are read, and how many there are."""

_FILES_PER_BATCH = 64
_WORTH_PROCESSES = 2000
"""From so many files on, starting worker processes pays."""


_SPLITS = frozenset("train training val valid validation test testing".split())
"""Folders that hold the parts of a data set, each with its own class folders."""


@dataclass(frozen=True)
class Folders:
    """The pictures of a directory of class folders, not yet opened; ``files`` are relative to ``root``."""

    root: str
    class_names: tuple[str, ...]
    files: tuple[str, ...]
    passed_over: tuple[str, ...] = ()
    """Pictures that stand in no class folder and folders that cannot be listed, each with the reason."""


@dataclass(frozen=True)
class Pictures:
    """Decoded pictures: ``labels`` are places in the class names, ``places`` are rows of the cache."""

    places: Places
    labels: Places
    fingerprints: tuple[bytes, ...]

    def __len__(self) -> int:
        return len(self.places)

    def at(self, chosen: Places) -> Pictures:
        """Return some of the pictures, in the order of ``chosen``."""
        prints = tuple(self.fingerprints[place] for place in chosen)
        return Pictures(self.places[chosen], self.labels[chosen], prints)


@dataclass(frozen=True)
class Dataset:
    """What a network learns from, and what it is judged by.

    ``pixels`` (n, 64, 64, 3) uint8 is mapped from a file; ``skipped`` says of each file that could not be used
    why; ``copies_left_out`` counts validation pictures that are pixel-identical to a training picture.
    """

    class_names: tuple[str, ...]
    pixels: images.Pixels
    training: Pictures
    validation: Pictures
    skipped: tuple[str, ...]
    copies_left_out: int

    @property
    def digest(self) -> str:
        """Identify the classes and the pixels of both subsets, wherever the files lie."""
        digest = hashlib.sha256(repr(self.class_names).encode())
        for subset in (self.training, self.validation):
            digest.update(subset.labels.tobytes())
            digest.update(b"".join(subset.fingerprints))
        return digest.hexdigest()


def scan(directory: str | Path) -> Folders:
    """Find the pictures of a directory of class folders.

    Raises:
        LabelerError: the directory is missing or holds no class folders, only one, one without a picture, one
            whose name is reserved, or the parts of a data set.
    """
    class_names = evaluation.class_folders(directory)
    if len(class_names) == 1:
        raise LabelerError(f"{directory} holds a single class, {class_names[0]}; training needs at least two")
    reserved = RESERVED_NAMES.intersection(class_names)
    if reserved:
        raise LabelerError(
            f"{directory}: no class may be called {', '.join(sorted(reserved))}, which means something else "
            "in a table; rename the folder"
        )
    if _SPLITS.issuperset(name.lower() for name in class_names):
        raise LabelerError(
            f"{directory} holds {', '.join(class_names)}, which are no classes; "
            "give one of them as DATA and another with --val"
        )
    source = sources.find(directory)
    found = list(source)
    files = tuple(file for file in found if "/" in file)
    empty = set(class_names).difference(file.partition("/")[0] for file in files)
    if empty:
        raise LabelerError(f"{directory}: no picture in {', '.join(sorted(empty))}; fill or remove the folder")
    strays = [f"{file}: stands in no class folder" for file in found if "/" not in file]
    return Folders(source.root, class_names, files, (*strays, *source.unreadable))


@contextmanager
def opened(
    training: Folders,
    validation: Folders | None,
    *,
    val_split: float,
    seed: int,
    cache: Path,
    workers: int,
    progress: Progress,
) -> Iterator[Dataset]:
    """Decode all pictures once and split them; the pixels live in a nameless file in the folder ``cache``.

    Without ``validation`` folders, ``val_split`` of each class is held back, chosen by ``seed`` alone. ``workers``
    processes decode, 0 for one per core; few pictures are decoded in this one.

    Raises:
        LabelerError: the validation classes are others, a class has no readable picture, or nothing is left to
            validate with.
        OutputError: the disk is full.
    """
    everything = [training] if validation is None else [training, validation]
    _check_same_classes(everything)
    with tempfile.TemporaryFile(dir=cache) as file:
        total = sum(len(folders.files) for folders in everything)
        reader = _Reader(file, training.class_names, total, progress)
        read = [reader.read(folders, workers) for folders in everything]
        learnt, judged = read if validation else _split(read[0], val_split, seed)
        kept = _without_copies(judged, learnt)
        yield Dataset(
            class_names=training.class_names,
            pixels=reader.pixels(),
            training=learnt,
            validation=kept,
            skipped=tuple(reader.skipped),
            copies_left_out=len(judged) - len(kept),
        )


class _Reader:
    """Decode pictures into a file that only ever grows."""

    def __init__(self, file: IO[bytes], class_names: Sequence[str], total: int, progress: Progress) -> None:
        self.skipped: list[str] = []
        self._file = file
        self._labels = {name: label for label, name in enumerate(class_names)}
        self._total = total
        self._progress = progress
        self._seen = self._kept = 0

    def read(self, folders: Folders, workers: int) -> Pictures:
        """Decode the pictures of ``folders``; those that cannot be used are listed in `skipped`.

        Raises:
            LabelerError: no picture of some class can be read.
            OutputError: the file cannot grow.
        """
        first = self._kept
        labels: list[int] = []
        fingerprints: list[bytes] = []
        self.skipped += [f"{folders.root}/{line}" for line in folders.passed_over]
        decoder = partial(Decoder, Settings(root=folders.root))
        processes = (workers or executors.cores()) if len(folders.files) >= _WORTH_PROCESSES else 1
        for batch in executors.in_order(decoder, _batches(folders.files), processes):
            for file, pixels, reason in batch:
                if pixels is None:
                    self.skipped.append(f"{folders.root}/{file}: {reason}")
                    continue
                self._write(pixels)
                labels.append(self._labels[file.partition("/")[0]])
                fingerprints.append(images.fingerprint(pixels))
            self._seen += len(batch)
            self._progress(self._seen, self._total)
        unread = set(folders.class_names).difference(folders.class_names[label] for label in set(labels))
        if unread:
            raise LabelerError(f"{folders.root}: no picture in {', '.join(sorted(unread))} can be read")
        return Pictures(np.arange(first, self._kept), np.array(labels, np.int64), tuple(fingerprints))

    def pixels(self) -> images.Pixels:
        """Return all pictures read, mapped into memory."""
        self._file.flush()
        return np.memmap(self._file, np.uint8, "r", shape=(self._kept, INPUT_SIDE, INPUT_SIDE, 3))

    def _write(self, pixels: images.Pixels) -> None:
        try:
            self._file.write(pixels.tobytes())
        except OSError as exc:
            raise OutputError(f"cannot keep the decoded pictures beside the model: {exc.strerror}") from exc
        self._kept += 1


def _check_same_classes(everything: Sequence[Folders]) -> None:
    names = [set(folders.class_names) for folders in everything]
    if names[0] != names[-1]:
        raise LabelerError(
            f"the classes differ: {everything[0].root} holds {', '.join(everything[0].class_names)}, "
            f"{everything[-1].root} holds {', '.join(everything[-1].class_names)}; give both the same folders"
        )


def _batches(files: Sequence[str]) -> Iterator[Sequence[str]]:
    return (files[at : at + _FILES_PER_BATCH] for at in range(0, len(files), _FILES_PER_BATCH))


def _split(pictures: Pictures, val_split: float, seed: int) -> tuple[Pictures, Pictures]:
    """Hold back a share of each class, at least one picture and never all of them."""
    chance = np.random.default_rng(seed)
    held_back = np.zeros(len(pictures), bool)
    for label in np.unique(pictures.labels):
        of_class = chance.permutation(np.flatnonzero(pictures.labels == label))
        count = min(max(round(len(of_class) * val_split), 1), len(of_class) - 1)
        held_back[of_class[:count]] = True
    return pictures.at(np.flatnonzero(~held_back)), pictures.at(np.flatnonzero(held_back))


def _without_copies(judged: Pictures, learnt: Pictures) -> Pictures:
    known = set(learnt.fingerprints)
    fresh = [place for place, fingerprint in enumerate(judged.fingerprints) if fingerprint not in known]
    if not fresh:
        raise LabelerError("no picture is left to validate with: each is also in the training subset, or too few")
    return judged.at(np.array(fresh, np.int64))
