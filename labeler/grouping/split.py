"""Split a data set without leaks: images of one group, near copies or files with a key in common, stay on one side."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from labeler.errors import LabelerError
from labeler.grouping import duplicates
from labeler.grouping.duplicates import Groups

Mask = NDArray[np.bool_]


def held_back(labels: NDArray[np.int64], groups: Groups, share: float, seed: int) -> Mask:
    """Choose a share of each class to validate with: whole groups, and never all of a class.

    Groups are visited in an order that ``seed`` decides; one is chosen if it brings the classes closer to their share.
    """
    counts = np.zeros((groups.max() + 1, labels.max() + 1), np.int64)
    np.add.at(counts, (groups, labels), 1)
    total = counts.sum(axis=0)
    left = np.maximum(total - 1, 0)
    missing = np.minimum(np.maximum(np.round(total * share).astype(np.int64), 1), left)
    chosen = np.full(len(counts), False)
    for group in np.random.default_rng(seed).permutation(len(counts)):
        size = counts[group]
        if (size <= left).all() and np.abs(missing - size).sum() < np.abs(missing).sum():
            chosen[group] = True
            missing, left = missing - size, left - size
    return chosen[groups]


def leaking(groups: Groups, first: int) -> Mask:
    """Return for each image after the ``first`` ones whether its group has a member among the first ones."""
    return np.isin(groups[first:], groups[:first])


def by_name(groups: Groups, files: Sequence[str], group_by: str) -> Groups:
    """Merge the groups of files with the same key; a file without a key stays in its group. For keys see `keys`.

    Raises:
        LabelerError: ``group_by`` is no regular expression, or matches no file name.
    """
    if not group_by:
        return groups
    first_of: dict[str, int] = {}
    named = [(row, first_of.setdefault(key, row)) for row, key in enumerate(keys(files, group_by)) if key]
    left, right = np.array(named, np.int64).T
    return duplicates.joined(groups, left, right)


def keys(files: Sequence[str], group_by: str) -> list[str]:
    """Return the key of each file: the first group of a regular expression in its name, or the whole match.

    Raises:
        LabelerError: ``group_by`` is no regular expression, or matches no file name.
    """
    try:
        matches = [re.search(group_by, file) for file in files]
    except re.error as exc:
        raise LabelerError(f"--group-by {group_by} is not a regular expression: {exc}") from exc
    found = [(match[1 if match.re.groups else 0] or "") if match else "" for match in matches]
    if not any(found):
        raise LabelerError(f"--group-by {group_by} matches no file name, such as {files[0]}")
    return found
