"""The subsets of an export, without leaks: whoever is in one subset is not, in a near copy, in another one."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from labeler import storage
from labeler.errors import LabelerError, needs
from labeler.exports.gathered import Gathered
from labeler.exports.hash_cache import HashCache
from labeler.exports.item import Item
from labeler.watched import Watched, unwatched
from labeler.words import counted

NAMES = ("train", "val", "test")

NONE = 255
"""The subset of an item whose picture cannot be read."""

_MOST_NAMED = 5
"""Upper limit on the classes that an error names."""

_ADVICE = "Use --split 1 for one undivided set, another --seed, or more photos"


def names(shares: tuple[float, ...]) -> tuple[str, ...]:
    """Return the subsets of these shares: train, val and, of three, test; none for one undivided set.

    Raises:
        LabelerError: they are not one to three positive numbers whose sum is 1.
    """
    if not shares:
        return ()
    if len(shares) > len(NAMES) or not all(share > 0 for share in shares) or abs(sum(shares) - 1) > 1e-6:
        given = ",".join(f"{share:g}" for share in shares)
        raise LabelerError(
            f"--split {given}: give the shares of train, val and test, two or three positive numbers whose sum is 1, "
            "as --split 0.8,0.1,0.1; or --split 1 for one undivided set"
        )
    return NAMES[: len(shares)] if len(shares) > 1 else ()


@dataclass(frozen=True, kw_only=True, eq=False)
class Assigned:
    """The subset of each item, and what a person wants to know about the split."""

    subsets: NDArray[np.uint8]
    """Index into `names` by `Item.number`; `NONE` for an item whose picture cannot be read."""
    names: tuple[str, ...]
    unreadable: int
    """Items whose picture cannot be read, or does not have the face any more."""
    groups: int
    """Groups of near copies, of the faces of one file, and of files with one key; each is in one subset."""
    class_names: tuple[str, ...]
    """The classes that occur, sorted."""
    faces: NDArray[np.int64]
    """Faces (subsets, classes)."""
    groups_by_class: NDArray[np.int64]
    """Groups with a face of each class (classes,)."""
    not_kept: str = ""
    """Why the hashes of the pictures were not kept for the next export; empty where they were."""


def assigned(
    items: Iterable[Item],
    shares: tuple[float, ...],
    *,
    table: Path,
    root: str,
    seed: int,
    group_by: str,
    max_pixels: int,
    watched: Watched = unwatched,
) -> Assigned:
    """Read the picture of each item and choose its subset; the items of a file are adjacent.

    Near copies, all faces of one file, and files with the same ``group_by`` key (see `split.keys`) are in one subset.
    Each class is spread over the subsets by its share, faces counted. Hashes of pictures are kept in ``TABLE.cache``.
    What is watched is the comparison of all pairs, which takes longer than reading from some 500,000 pictures on.

    Raises:
        LabelerError: a package is missing, or ``group_by`` is no regular expression or matches no file.
        InputGoneError: the folder of the photos went away.
    """
    with needs("export", "imagehash", "scipy"):
        from labeler.exports import picture_hashes
        from labeler.grouping import duplicates, split
    split.expression(group_by)  # Before hours of reading.
    store = storage.at(root)
    store.expect("")
    gathered = Gathered(keeps_files=bool(group_by))
    with HashCache(table) as cache, closing(picture_hashes.hashed(items, store, cache, max_pixels)) as hashed:
        for item, phash in hashed:
            gathered.add(item, phash)
    if gathered.unreadable:
        store.confirm_all()
    groups = duplicates.groups(gathered.hashes.reshape(-1, duplicates.HASH_BYTES), watched)
    groups = duplicates.joined(groups, gathered.firsts, np.arange(len(groups)))
    groups = split.by_name(groups, gathered.files, group_by) if gathered.files else groups
    of_faces = groups[gathered.places]
    chosen = split.subsets(gathered.labels, of_faces, shares, seed)
    return _counted(gathered, of_faces, chosen, shares, cache.unusable)


def _counted(
    gathered: Gathered, groups: NDArray[np.int64], chosen: NDArray[np.uint8], shares: tuple[float, ...], not_kept: str
) -> Assigned:  # fmt: skip
    """Return the subsets of the items, and the counts, from the group and the subset of each face."""
    subsets = np.full(gathered.items, NONE, np.uint8)
    subsets[gathered.numbers[gathered.places]] = chosen
    labels, class_names = gathered.labels, gathered.class_names
    faces = np.zeros((len(shares), len(class_names)), np.int64)
    np.add.at(faces, (chosen, labels), 1)
    each = np.unique(groups * len(class_names) + labels) % max(len(class_names), 1)
    return Assigned(
        subsets=subsets,
        names=NAMES[: len(shares)],
        unreadable=gathered.unreadable,
        groups=len(np.unique(groups)),
        class_names=class_names,
        faces=faces,
        groups_by_class=np.bincount(each, minlength=len(class_names)),
        not_kept=not_kept,
    )


def refuse_empty(found: Assigned) -> None:
    """Refuse a split that leaves a subset without any face.

    Raises:
        LabelerError: one is empty.
    """
    empty = found.faces.sum(axis=1) == 0
    if empty.any():
        unread = f", and {counted(found.unreadable, 'picture')} cannot be read" if found.unreadable else ""
        raise LabelerError(
            f"{_listed(found, empty)} would be empty: the faces are in {counted(found.groups, 'group')} of near "
            f"copies, which stay whole{unread}. {_ADVICE}"
        )


def refuse_missing(found: Assigned) -> None:
    """Refuse a split in which not every class that occurs is in each subset.

    Raises:
        LabelerError: a subset is empty or lacks a class.
    """
    refuse_empty(found)
    lacking = [
        f"{name} ({counted(groups, 'group')}) is not in {_listed(found, faces == 0)}"
        for name, groups, faces in zip(found.class_names, found.groups_by_class, found.faces.T, strict=True)
        if name and not faces.all()
    ]
    if lacking:
        more = ["..."] if len(lacking) > _MOST_NAMED else []
        raise LabelerError(
            "this format needs every class in every subset, with whole groups of near copies, but "
            f"{', '.join(lacking[:_MOST_NAMED] + more)}. {_ADVICE}"
        )


def _listed(found: Assigned, chosen: NDArray[np.bool_]) -> str:
    return " and ".join(found.names[number] for number in np.flatnonzero(chosen))
