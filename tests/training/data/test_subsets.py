"""The split cannot fool anyone: one of each picture, and nothing of a kind on both sides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from training.data import subsets
from training.data.decode import Read


def pictures(votes: Sequence[Sequence[float]], prints: str = "", files: Sequence[str] = (), seed: int = 0) -> Read:
    """Make pictures with these votes; those with one letter in ``prints`` are identical, all others unlike."""
    count = len(votes)
    fingerprints = tuple(letter.encode() for letter in prints) or tuple(f"{seed} {n}".encode() for n in range(count))
    unlike = {one: np.random.default_rng([seed, n]).bytes(32) for n, one in enumerate(dict.fromkeys(fingerprints))}
    return Read(
        files=tuple(files) or tuple(f"{number}.png" for number in range(count)),
        places=np.arange(count),
        votes=np.array(votes, np.float32),
        fingerprints=fingerprints,
        hashes=np.frombuffer(b"".join(unlike[one] for one in fingerprints), np.uint8).reshape(-1, 32),
    )


def near(read: Read, *pairs: tuple[int, int]) -> Read:
    """Make the second of each pair nearly the first: 40 bits differ, in each pair others."""
    hashes = read.hashes.copy()
    for number, (first, second) in enumerate(pairs):
        hashes[second] = hashes[first]
        hashes[second, 5 * (number % 6) :][:5] ^= 0xFF
    return replace(read, hashes=hashes)


A, B = (1, 0), (0, 1)


def test_identical_pictures_become_one() -> None:
    found, counts = subsets.unified(pictures([A, B, A, B], "xyxz"), soft=False)

    assert (found.places.tolist(), found.votes.tolist()) == ([0, 1, 3], [[1, 0], [0, 1], [0, 1]])
    assert counts == {"identical": 1}


def test_the_most_frequent_of_several_labels_wins() -> None:
    found, counts = subsets.unified(pictures([A, B, B, A], "xxxy"), soft=False)

    assert (found.places.tolist(), found.votes.tolist()) == ([0, 3], [[0, 1], [1, 0]])
    assert counts == {"identical": 2}


def test_pictures_whose_labels_tie_are_left_out() -> None:
    found, counts = subsets.unified(pictures([A, B, A], "xxy"), soft=False)

    assert found.places.tolist() == [2]
    assert counts == {"identical": 1, "disputed": 1}


def test_votes_of_identical_pictures_are_added_up() -> None:
    found, counts = subsets.unified(pictures([(3, 1), (1, 5), (1, 1)], "xxy"), soft=True)

    assert found.votes.tolist() == pytest.approx(np.array([[0.4, 0.6], [0.5, 0.5]]))
    assert counts == {"identical": 1}


def test_near_copies_are_held_back_together() -> None:
    pairs = [(2 * n, 2 * n + 1) for n in range(20)]
    for seed in range(10):
        learnt, judged, _ = subsets.hold_back(near(pictures([A, B] * 20), *pairs), 0.3, seed, "")
        assert {place // 2 for place in learnt.places} & {place // 2 for place in judged.places} == set()
        assert len(judged) == 12


def test_files_of_one_name_are_held_back_together() -> None:
    files = [f"{'ab'[n % 2]}/person{n // 10}_{n}.jpg" for n in range(100)]
    learnt, judged, _ = subsets.hold_back(pictures([A, B] * 50, files=files), 0.2, 0, r"(person\d+)_")

    assert {place // 10 for place in learnt.places} & {place // 10 for place in judged.places} == set()
    assert len(judged) == 20


def test_files_that_the_expression_does_not_match_go_alone() -> None:
    files = [f"{n}.jpg" for n in range(19)] + ["anna.jpg"]
    _, judged, _ = subsets.hold_back(pictures([A, B] * 10, files=files), 0.3, 0, "anna")

    assert np.bincount(judged.votes.argmax(axis=1)).tolist() == [3, 3]


def test_no_class_is_held_back_whole_with_its_group() -> None:
    read = near(pictures([A, A, B, B, B, B]), (0, 1))
    for seed in range(10):
        learnt, _, _ = subsets.hold_back(read, 0.5, seed, "")
        assert set(learnt.votes.argmax(axis=1)) == {0, 1}


def test_what_ties_does_not_validate() -> None:
    learnt, judged, counts = subsets.hold_back(pictures([(2, 1), (1, 2), (1, 1), (1, 1)] * 10), 0.5, 0, "")

    assert (judged.votes[:, 0] != judged.votes[:, 1]).all()
    assert counts == {"tie": 40 - len(learnt) - len(judged)}


def test_kin_of_training_pictures_does_not_validate() -> None:
    files = ["p1.jpg", "p2.jpg", "p3.jpg", "p1.jpg", "p4.jpg", "p5.jpg", "p6.jpg", "p7.jpg"]
    both = near(pictures([A, B, A, A, A, (0.5, 0.5), B, A], "abcdaefg", files), (1, 6))
    learnt, judged = both.at(np.arange(3)), both.at(np.arange(3, 8))
    kept, counts = subsets.without_kin(judged, learnt, r"p\d")

    assert kept.files == ("p7.jpg",)
    assert counts == {"same_group": 1, "copy": 1, "tie": 1, "near_copy": 1}


def test_a_near_copy_of_a_near_copy_does_not_validate() -> None:
    both = near(pictures([A, A, A, B]), (0, 1), (1, 2))
    kept, counts = subsets.without_kin(both.at(np.arange(1, 4)), both.at(np.arange(1)), "")

    assert (kept.places.tolist(), counts) == ([3], {"near_copy": 2})
