"""Copies among labelled pictures: which ones repeat another, and which ones contradict it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from labeler.grouping.duplicates import Groups


class Issue(StrEnum):
    """What is wrong with a picture of a data set."""

    LABEL = "label"
    """Another label is more probable."""
    CONFLICT = "conflict"
    """A copy or near copy of it has another label."""
    DUPLICATE = "duplicate"
    """An earlier picture is identical."""
    NEAR_DUPLICATE = "near_duplicate"
    """An earlier picture is nearly the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kin:
    """What a picture is to its copies: the number of their group, one of them, and what is wrong, if anything."""

    group: int | None = None
    other: int | None = None
    issue: Issue | None = None


def kin(fingerprints: Sequence[bytes], labels: NDArray[np.int64], groups: Groups) -> list[Kin]:
    """Return what each picture is to its copies; groups are numbered from 1 as they first appear.

    In a group with several labels all are in conflict, `other` being the first with another label. Else the first is
    kept, and `other` is what each of the rest repeats.
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
