"""Labelled pictures, found, decoded once, split, and kept in a file instead of in memory."""

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
from labeler.evaluation import truth
from labeler.grouping import split
from labeler.images.decode import Pixels
from labeler.tables import labels
from labeler.tables.labels import Labelled
from labeler.tables.votes import Votes, one_hot
from training.data import subsets
from training.data.decode import Progress, Read, Reader

Places = NDArray[np.int64]

_SPLITS = frozenset("train training val valid validation test testing".split())
"""Folders that hold the parts of a data set, each with its own class folders."""

_WORDS = {
    subsets.IDENTICAL: "identical to another",
    subsets.DISPUTED: "identical under several labels, none the most frequent",
    truth.TIE: "to validate with whose votes are tied",
    subsets.NEAR_COPY: "to validate with that are near copies of training pictures",
    subsets.SAME_GROUP: "to validate with that share a name's group with training pictures",
    truth.COPY: "to validate with that are copies of training pictures",
}


@dataclass(frozen=True, kw_only=True)
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
        return Pictures(places=self.places[chosen], labels=self.labels[chosen], fingerprints=prints)


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """What a network learns from, and what it is judged by.

    ``pixels`` (n, 64, 64, 3) uint8 is mapped from a file; ``skipped`` says what could not be used, and why. Of what was
    read, ``unified`` counts pictures that are identical to another, ``left_out`` those that would have been judged by
    but are too much like what is learnt from, or tied; both by reason, see `subsets`.
    """

    class_names: tuple[str, ...]
    pixels: Pixels
    training: Pictures
    validation: Pictures
    skipped: tuple[str, ...] = ()
    unified: Mapping[str, int] = field(default_factory=dict)
    left_out: Mapping[str, int] = field(default_factory=dict)
    shares: Votes | None = None
    """A row for each row of ``pixels``: how the votes are shared by the classes; None where all are labels."""

    @property
    def digest(self) -> str:
        """Identify the classes, the pixels and the targets of both subsets, wherever the files lie."""
        digest = hashlib.sha256(repr(self.class_names).encode())
        for subset in (self.training, self.validation):
            digest.update(self.targets(subset).tobytes())
            digest.update(b"".join(subset.fingerprints))
        return digest.hexdigest()

    def summary(self) -> str:
        """Say in one line how many pictures there are, what was left out, and what guessing is worth."""
        counts = np.bincount(self.validation.labels, minlength=len(self.class_names))
        frequent, share = self.class_names[counts.argmax()], counts.max() / counts.sum()
        left_out = [f"{count:,} {_WORDS[why]}" for why, count in {**self.unified, **self.left_out}.items()]
        return (
            f"{len(self.training):,} pictures to learn from, {len(self.validation):,} to validate with "
            f"(always {frequent}: {share:.1%})" + (f"; left out: {', '.join(left_out)}" if left_out else "")
        )

    def targets(self, pictures: Pictures) -> Votes:
        """Return what a network should answer (n, classes) float32: rows add up to 1, a single 1 for a label."""
        if self.shares is not None:
            return self.shares[pictures.places]
        return np.eye(len(self.class_names), dtype=np.float32)[pictures.labels]


def find(data: Path, val: Path | None, table: Path | None, classes: str) -> tuple[Labelled, Labelled | None]:
    """Return the pictures below ``data`` and ``val``, labelled by the folders they stand in or by one table for both.

    For ``classes`` see `labels.parse_classes`; empty for all that the table has.

    Raises:
        LabelerError: see `scan` and `labels.opened`; a class has no picture below ``data``.
    """
    opened_table = labels.opened(table, classes)
    if not opened_table:
        return scan(data), scan(val) if val else None
    learnt = opened_table.below(data)
    empty = [name for name, votes in zip(learnt.class_names, learnt.votes.T, strict=True) if not votes.any()]
    if empty:
        raise LabelerError(f"{table}: no picture below {data} is {', '.join(empty)}; choose others with --classes")
    return learnt, opened_table.below(val) if val else None


def scan(directory: str | Path) -> Labelled:
    """Find the pictures of a directory of class folders.

    Raises:
        LabelerError: the directory is missing or holds no class folders, only one, one without a picture, one
            whose name is reserved, or the parts of a data set.
    """
    class_names = truth.class_folders(directory)
    labels.check_names(directory, class_names)
    if _SPLITS.issuperset(name.lower() for name in class_names):
        raise LabelerError(
            f"{directory} holds {', '.join(class_names)}, which are no classes; "
            "give one of them as DATA and another with --val"
        )
    source = sources.find(directory)
    found = list(source)
    files = tuple(file for file in found if "/" in file)
    folders = [file.partition("/")[0] for file in files]
    empty = set(class_names).difference(folders)
    if empty:
        raise LabelerError(f"{directory}: no picture in {', '.join(sorted(empty))}; fill or remove the folder")
    strays = [f"{file}: stands in no class folder" for file in found if "/" not in file]
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
) -> Iterator[Dataset]:
    """Decode all pictures once and split them; the pixels live in a nameless file in the folder ``cache``.

    Without ``validation``, ``val_split`` of each class is held back, chosen by ``seed`` alone. Identical pictures are
    one, and never are near copies, or pictures whose names hold the same of the expression ``group_by``, on both sides:
    whole groups are held back, or left out of ``validation``. For ``workers`` see `Reader.read`.

    Raises:
        LabelerError: the validation classes are others, a class has no readable picture, nothing is left to
            validate with, or the expression is none or finds nothing.
        OutputError: the disk is full.
    """
    everything = [training] if validation is None else [training, validation]
    _check_same_classes(everything)
    if group_by:
        split.keys([file for labelled in everything for file in labelled.files], group_by)
    with tempfile.TemporaryFile(dir=cache) as file:
        reader = Reader(file, sum(len(labelled.files) for labelled in everything), progress)
        read = [subsets.unified(reader.read(labelled, workers), soft=labelled.soft) for labelled in everything]
        learnt, unified = read[0]
        if validation:
            judged, left_out = subsets.without_kin(read[1][0], learnt, group_by)
            unified = unified + read[1][1]
        else:
            learnt, judged, left_out = subsets.hold_back(learnt, val_split, seed, group_by)
        _check_something_is_left(judged, group_by)
        pixels = reader.pixels()
        yield Dataset(
            class_names=training.class_names,
            pixels=pixels,
            training=_pictures(learnt),
            validation=_pictures(judged),
            skipped=tuple(reader.skipped),
            unified=unified,
            left_out=left_out,
            shares=_by_place(len(pixels), learnt, judged) if training.soft else None,
        )


def _check_same_classes(everything: Sequence[Labelled]) -> None:
    names = [set(labelled.class_names) for labelled in everything]
    if names[0] != names[-1]:
        raise LabelerError(
            f"the classes differ: {everything[0].root} holds {', '.join(everything[0].class_names)}, "
            f"{everything[-1].root} holds {', '.join(everything[-1].class_names)}; give both the same folders"
        )


def _check_something_is_left(judged: Read, group_by: str) -> None:
    if not len(judged):
        named = f", or in a group that --group-by {group_by} makes too large" if group_by else ""
        raise LabelerError(
            "no picture is left to validate with: there are too few, or each is a copy or a near copy of one in the "
            f"training subset{named}"
        )


def _pictures(read: Read) -> Pictures:
    return Pictures(places=read.places, labels=read.votes.argmax(axis=1), fingerprints=read.fingerprints)


def _by_place(size: int, *read: Read) -> Votes:
    shares = np.zeros((size, read[0].votes.shape[1]), np.float32)
    for subset in read:
        shares[subset.places] = subset.votes
    return shares
