"""Copies are counted once, and copies under several labels contradict each other."""

from __future__ import annotations

from typing import Any

import numpy as np

from training.audit import copies
from training.audit.copies import Issue, Kin


def kin(prints: str, labels: list[int], groups: list[int]) -> list[Kin]:
    everything: Any = [one.encode() for one in prints], np.array(labels), np.array(groups)
    return copies.kin(*everything)


def test_a_picture_without_copies_is_no_issue() -> None:
    assert kin("ab", [0, 1], [4, 7]) == [Kin(), Kin()]


def test_the_first_of_identical_pictures_is_kept() -> None:
    assert kin("aaa", [0, 0, 0], [5, 5, 5]) == [
        Kin(group=1, other=1),
        Kin(group=1, other=0, issue=Issue.DUPLICATE),
        Kin(group=1, other=0, issue=Issue.DUPLICATE),
    ]


def test_a_near_copy_is_told_from_an_identical_one() -> None:
    found = kin("abb", [0, 0, 0], [0, 0, 0])

    assert found[1:] == [
        Kin(group=1, other=0, issue=Issue.NEAR_DUPLICATE),
        Kin(group=1, other=1, issue=Issue.DUPLICATE),
    ]


def test_copies_with_two_labels_are_all_in_conflict_with_one_of_another_label() -> None:
    found = kin("aab", [0, 0, 1], [0, 0, 0])

    assert found == [
        Kin(group=1, other=2, issue=Issue.CONFLICT),
        Kin(group=1, other=2, issue=Issue.CONFLICT),
        Kin(group=1, other=0, issue=Issue.CONFLICT),
    ]


def test_groups_are_numbered_as_they_appear() -> None:
    assert [one.group for one in kin("abcab", [0] * 5, [9, 2, 5, 9, 2])] == [1, 2, None, 1, 2]
