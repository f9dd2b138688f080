"""A split leaks nothing: groups stay whole, by likeness or by name, and every class stays on both sides."""

from __future__ import annotations

import numpy as np
import pytest

from labeler.errors import LabelerError
from labeler.grouping import split


def test_groups_are_held_back_whole_and_each_class_has_its_share() -> None:
    labels, groups = np.arange(60) % 3, np.arange(60) // 6
    for seed in range(10):
        chosen = split.held_back(labels, groups, 0.3, seed)
        assert np.isin(np.bincount(groups[chosen], minlength=10), (0, 6)).all()
        assert np.bincount(labels[chosen]).tolist() == [6, 6, 6]


def test_the_seed_decides_which_groups_are_held_back() -> None:
    labels, groups = np.arange(60) % 3, np.arange(60) // 3
    first, again, other = (split.held_back(labels, groups, 0.3, seed) for seed in (1, 1, 2))

    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_a_class_of_one_group_is_never_held_back() -> None:
    for seed in range(10):
        chosen = split.held_back(np.array([0, 0, 1, 1, 1, 1]), np.array([0, 0, 1, 2, 3, 4]), 0.5, seed)
        assert not chosen[:2].any()
        assert 0 < chosen[2:].sum() < 4


def test_subsets_have_their_shares_of_each_class_in_whole_groups() -> None:
    labels, groups = np.arange(120) % 3, np.arange(120) // 3
    found = split.subsets(labels, groups, (0.7, 0.2, 0.1), 1)

    assert (found.reshape(40, 3) == found.reshape(40, 3)[:, :1]).all()
    assert [np.bincount(labels[found == number]).tolist() for number in range(3)] == [[28] * 3, [8] * 3, [4] * 3]


def test_nothing_has_no_subsets() -> None:
    nothing = np.zeros(0, np.int64)

    assert len(split.subsets(nothing, nothing, (0.8, 0.2), 1)) == 0


def test_a_group_with_a_member_among_the_first_leaks() -> None:
    assert split.leaking(np.array([7, 8, 8, 9, 7]), 2).tolist() == [True, False, True]


def test_files_with_one_key_join_their_groups() -> None:
    groups = split.by_name(np.arange(5), ["anna_1", "bob_1", "anna_2", "x", "y"], "[a-z]+_")

    assert groups[0] == groups[2]
    assert len(set(groups.tolist())) == 4


def test_near_copies_of_files_with_one_key_are_in_their_group() -> None:
    groups = split.by_name(np.array([0, 1, 2, 1]), ["anna_1", "anna_2", "bob", "copy"], "[a-z]+_")

    assert groups[0] == groups[1] == groups[3] != groups[2]


def test_without_a_group_in_the_expression_all_that_it_matches_counts() -> None:
    assert split.keys(["a/anna_1.jpg", "b/anna_2.jpg", "b/3.jpg"], "[a-z]+_") == ["anna_", "anna_", ""]


@pytest.mark.parametrize(("wrong", "told"), [("(", "is not a regular expression"), ("zoe", "matches no file name")])
def test_an_expression_that_cannot_group_is_an_error(wrong: str, told: str) -> None:
    with pytest.raises(LabelerError, match=told):
        split.keys(["anna.jpg"], wrong)
