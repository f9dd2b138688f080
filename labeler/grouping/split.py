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


def subsets(labels: NDArray[np.int64], groups: Groups, shares: Sequence[float], seed: int) -> NDArray[np.uint8]:
    """Return for each image the index of its share: whole groups, each class spread by the shares, which sum to 1.

    The last share is held back from all, the one before it from the rest, and so on.
    """
    found = np.zeros(len(labels), np.uint8)
    rest, of_all = np.arange(len(labels)), 1.0
    for number in range(len(shares) - 1 if len(labels) else 0, 0, -1):
        chosen = held_back(labels[rest], groups[rest], shares[number] / of_all, seed)
        found[rest[chosen]] = number
        rest, of_all = rest[~chosen], of_all - shares[number]
    return found


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
    search = expression(group_by).search
    matches = [search(file) for file in files]
    found = [(match[1 if match.re.groups else 0] or "") if match else "" for match in matches]
    if not any(found):
        raise LabelerError(f"--group-by {group_by} matches no file name, such as {files[0]}")
    return found


def expression(group_by: str) -> re.Pattern[str]:
    """Compile what a user gives to group files by.

    Raises:
        LabelerError: ``group_by`` is no regular expression.
    """
    try:
        return re.compile(group_by)
    except re.error as exc:
        raise LabelerError(f"--group-by {group_by} is not a regular expression: {exc}") from exc
