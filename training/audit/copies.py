"""Find copies among labelled images: duplicates of another image, and conflicts with its label."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from labeler.grouping.duplicates import Groups


class Issue(StrEnum):
    """A problem of an image in a data set."""

    LABEL = "label"
    """Another label is more probable."""
    CONFLICT = "conflict"
    """A copy or near copy of it has another label."""
    DUPLICATE = "duplicate"
    """An earlier image is identical."""
    NEAR_DUPLICATE = "near_duplicate"
    """An earlier image is a near copy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kin:
    """The relation of an image to its copies: the number of their group, one of them, and the issue, if any."""

    group: int | None = None
    other: int | None = None
    issue: Issue | None = None


def kin(fingerprints: Sequence[bytes], labels: NDArray[np.int64], groups: Groups) -> list[Kin]:
    """Return the relation of each image to its copies; groups are numbered from 1 in order of appearance.

    In a group with several labels all images are in conflict, and `other` is the first one with another label.
    Otherwise the first image is kept, and `other` is the image that each of the others repeats.
    """
    members: dict[int, list[int]] = {}
    for row, group in enumerate(groups.tolist()):
        members.setdefault(group, []).append(row)
    found = [Kin()] * len(labels)
    for number, rows in enumerate((rows for rows in members.values() if len(rows) > 1), 1):
        first_of = {int(labels[row]): row for row in reversed(rows)}
        first_same = {fingerprints[row]: row for row in reversed(rows)}
        for row in rows:
            if len(first_of) > 1:
                other = min(first for label, first in first_of.items() if label != labels[row])
                found[row] = Kin(group=number, other=other, issue=Issue.CONFLICT)
            elif row == rows[0]:
                found[row] = Kin(group=number, other=rows[1])
            elif (same := first_same[fingerprints[row]]) != row:
                found[row] = Kin(group=number, other=same, issue=Issue.DUPLICATE)
            else:
                found[row] = Kin(group=number, other=rows[0], issue=Issue.NEAR_DUPLICATE)
    return found
