"""The data set of a run: labelled images found, decoded once, split, and kept in a file instead of in memory."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from labeler import sources
from labeler.errors import LabelerError
from labeler.evaluation import classes, truth
from labeler.grouping import split
from labeler.images.picture import Pixels
from labeler.records import Faces, View
from labeler.tables import labels
from labeler.tables.labels import Labelled
from labeler.tables.votes import Votes, one_hot
from training.data import subsets
from training.data.decode import Progress, Read, Reader

Places = NDArray[np.int64]
"""Indices: of classes, or of rows of the cache of pixels."""

_SPLITS = frozenset("train training val valid validation test testing".split())
"""Names of folders that hold the splits of a data set, and are no classes."""

_WORDS = {
    subsets.IDENTICAL: "identical to another",
    subsets.DISPUTED: "identical to another with other labels, none of which is the most frequent",
    truth.TIE: "validation photos with tied votes",
    subsets.NEAR_COPY: "validation photos that are near copies of training photos",
    subsets.SAME_GROUP: "validation photos in a group with training photos by their names",
    truth.COPY: "validation photos that are copies of training photos",
}


@dataclass(frozen=True, kw_only=True)
class Subset:
    """Decoded images: ``labels`` are indices of classes, ``places`` are rows of the cache."""

    places: Places
    labels: Places
    fingerprints: tuple[bytes, ...]

    def __len__(self) -> int:
        return len(self.places)


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """The training and the validation subset.

    ``pixels`` (n, side, side, 3) uint8 is a memory-mapped file. ``skipped`` says which files were not used, and why.
    Of the images read, ``unified`` counts those that are identical to another, and ``left_out`` those left out of
    validation because they are too similar to training images, or tied; both by reason, see `subsets`.
    """

    class_names: tuple[str, ...]
    pixels: Pixels
    training: Subset
    validation: Subset
    skipped: tuple[str, ...] = ()
    unified: Mapping[str, int] = field(default_factory=dict)
    left_out: Mapping[str, int] = field(default_factory=dict)
    shares: Votes | None = None
    """The shares of the votes for each row of ``pixels`` (n, classes); None when the images have labels."""

    @property
    def digest(self) -> str:
        """Return a hash of the classes, pixels and targets of both subsets, wherever the files lie."""
        digest = hashlib.sha256(repr(self.class_names).encode())
        for subset in (self.training, self.validation):
            digest.update(self.targets(subset).tobytes())
            digest.update(b"".join(subset.fingerprints))
        return digest.hexdigest()

    def summary(self) -> str:
        """Say in one line how many images there are, what was left out, and the accuracy of the majority baseline."""
        counts = np.bincount(self.validation.labels, minlength=len(self.class_names))
        frequent, share = self.class_names[counts.argmax()], counts.max() / counts.sum()
        left_out = [f"{count:,} {_WORDS[why]}" for why, count in {**self.unified, **self.left_out}.items()]
        return (
            f"{len(self.training):,} training photos, {len(self.validation):,} validation photos "
            f"(always {frequent}: {share:.1%})" + (f"; left out: {', '.join(left_out)}" if left_out else "")
        )

    def targets(self, images: Subset) -> Votes:
        """Return the targets (n, classes) float32: one-hot for labels, shares that sum to 1 for votes."""
        if self.shares is not None:
            return self.shares[images.places]
        return np.eye(len(self.class_names), dtype=np.float32)[images.labels]


def find(
    data: Path, val: Path | None, table: Path | None, classes: str, *, reviews: bool = True
) -> tuple[Labelled, Labelled | None]:
    """Return the files below ``data`` and ``val``, labelled by their class folders or by one table for both.

    For ``classes`` see `labels.parse_classes`; empty for all classes of the table. For ``reviews`` see `labels.Table`.

    Raises:
        LabelerError: see `scan` and `labels.opened`; or a class has no file below ``data``.
    """
    opened_table = labels.opened(table, classes, reviews=reviews)
    if not opened_table:
        return scan(data), scan(val) if val else None
    training = opened_table.below(data)
    empty = [name for name, votes in zip(training.class_names, training.votes.T, strict=True) if not votes.any()]
    if empty:
        raise LabelerError(f"{table}: no photo below {data} is {', '.join(empty)}; choose others with --classes")
    return training, opened_table.below(val) if val else None


def scan(directory: str | Path) -> Labelled:
    """Find the files in a directory of class folders.

    Raises:
        LabelerError: the directory is missing, has no class folders or a single one, one of them is empty or has a
            reserved name, or they are the splits of a data set.
    """
    class_names = classes.class_folders(directory)
    labels.check_names(directory, class_names)
    if _SPLITS.issuperset(name.lower() for name in class_names):
        raise LabelerError(
            f"{directory} holds {', '.join(class_names)}, which are splits, not classes; "
            "give one of them as DATA and another with --val"
        )
    source = sources.find(directory)
    found = list(source)
    files = tuple(file for file in found if "/" in file)
    folders = [file.partition("/")[0] for file in files]
    empty = set(class_names).difference(folders)
    if empty:
        raise LabelerError(f"{directory}: no photo in {', '.join(sorted(empty))}; fill or remove the folder")
    strays = [f"{file}: is in no class folder" for file in found if "/" not in file]
    passed_over = tuple(f"{source.root}/{line}" for line in (*strays, *source.unreadable))
    return Labelled(
        root=source.root,
        class_names=class_names,
        files=files,
        votes=one_hot(folders, class_names),
        passed_over=passed_over,
    )


@contextmanager
def opened(
    training: Labelled,
    validation: Labelled | None,
    *,
    val_split: float,
    seed: int,
    group_by: str = "",
    cache: Path,
    workers: int,
    progress: Progress,
    view: View = View(),  # noqa: B008 - a tuple
    faces: Faces = Faces.AUTO,
) -> Iterator[Dataset]:
    """Decode all images once and split them; the pixels are kept in an unnamed file in the folder ``cache``.

    Without ``validation``, a share ``val_split`` of each class is held back; ``seed`` alone decides which. Identical
    images are merged. Near copies, and images with the same key by ``group_by``, never are on both sides: whole groups
    are held back, or left out of ``validation``. For ``workers`` see `Reader.read`;
    ``view`` is what the network is shown, of the faces that are found as ``faces`` says.

    Raises:
        LabelerError: the validation classes differ, a class has no readable image, no validation image is left, or
            ``group_by`` is no regular expression or matches no file name.
        OutputError: the disk is full.
    """
    everything = [training] if validation is None else [training, validation]
    _check_same_classes(everything)
    if group_by:
        split.keys([file for labelled in everything for file in labelled.files], group_by)
    with tempfile.TemporaryFile(dir=cache) as file:
        reader = Reader(file, sum(len(labelled.files) for labelled in everything), progress, view, faces)
        read = [subsets.unified(reader.read(labelled, workers), soft=labelled.soft) for labelled in everything]
        train, unified = read[0]
        if validation:
            val, left_out = subsets.without_kin(read[1][0], train, group_by)
            unified = unified + read[1][1]
        else:
            train, val, left_out = subsets.hold_back(train, val_split, seed, group_by)
        _check_something_is_left(val, group_by)
        pixels = reader.pixels()
        yield Dataset(
            class_names=training.class_names,
            pixels=pixels,
            training=_subset(train),
            validation=_subset(val),
            skipped=tuple(reader.skipped),
            unified=unified,
            left_out=left_out,
            shares=_by_place(len(pixels), train, val) if training.soft else None,
        )


def _check_same_classes(everything: Sequence[Labelled]) -> None:
    names = [set(labelled.class_names) for labelled in everything]
    if names[0] != names[-1]:
        raise LabelerError(
            f"the classes differ: {everything[0].root} holds {', '.join(everything[0].class_names)}, "
            f"{everything[-1].root} holds {', '.join(everything[-1].class_names)}; give both the same folders"
        )


def _check_something_is_left(val: Read, group_by: str) -> None:
    if not len(val):
        named = f", or in a group with one by --group-by {group_by}" if group_by else ""
        raise LabelerError(
            "no validation photo is left: there are too few, or each is a copy or a near copy of a training "
            f"photo{named}"
        )


def _subset(read: Read) -> Subset:
    return Subset(places=read.places, labels=read.votes.argmax(axis=1), fingerprints=read.fingerprints)


def _by_place(size: int, *read: Read) -> Votes:
    shares = np.zeros((size, read[0].votes.shape[1]), np.float32)
    for subset in read:
        shares[subset.places] = subset.votes
    return shares
