"""A face's key depends on nothing but its file, its box and the seed."""

from __future__ import annotations

import numpy as np

from labeler.certify import keys

FILES = ["a.jpg", "b/ü.jpg", "b/ü.jpg", "x" * 4000 + ".jpg", "a.jpg", "", "12345678", "1234567890123456"]
BOXES = np.array(
    [[0, 0, 9, 9], [1, 2, 3, 4], [4, 3, 2, 1], [0, 0, 9, 9], [np.nan] * 4, [np.nan] * 4, [0, 0, 1, 1], [0, 0, 1, 1]]
)


def test_faces_of_one_file_and_files_of_one_box_have_different_keys() -> None:
    assert len(set(keys.of_faces(FILES, BOXES).tolist())) == len(FILES)


def test_keys_are_the_same_in_any_order_and_beside_any_names() -> None:
    together = keys.of_faces(FILES, BOXES, seed=5)
    backwards = keys.of_faces(FILES[::-1], BOXES[::-1], seed=5)[::-1]
    alone = [int(keys.of_faces([file], box[None], seed=5)[0]) for file, box in zip(FILES, BOXES, strict=True)]

    assert together.tolist() == backwards.tolist() == alone


def test_keys_stay_what_they_are() -> None:
    """A sample that was begun with one version of this code is continued with the next."""
    assert keys.of_faces(["a.jpg", "b/ü.jpg"], BOXES[:2], seed=1).tolist() == KNOWN


def test_another_seed_gives_another_order() -> None:
    names = [f"{number}.jpg" for number in range(1000)]
    boxes = np.zeros((1000, 4))
    one, other = (np.argsort(keys.of_faces(names, boxes, seed)) for seed in (1, 2))

    assert (one == other).sum() < 20


def test_keys_are_uniform_although_names_differ_by_a_digit() -> None:
    names = [f"{number:07}.jpg" for number in range(64_000)]
    found = keys.of_faces(names, np.zeros((64_000, 4)))
    for shift in range(0, 60, 6):
        counts = np.bincount(((found >> np.uint64(shift)) & np.uint64(63)).astype(int), minlength=64)

        assert ((counts - 1000) ** 2 / 1000).sum() < 120  # Chi-square with 63 degrees: 1 in 10,000 is above 113.


def test_minus_zero_is_zero_and_a_missing_box_is_one_value() -> None:
    odd = np.array([[-0.0, 0, 1, 1], [0.0, 0, 1, 1]])
    missing = np.array([[np.nan] * 4, [-np.nan] * 4])

    assert len(set(keys.of_faces(["a", "a"], odd).tolist())) == 1
    assert len(set(keys.of_faces(["a", "a"], missing).tolist())) == 1


def test_no_face_has_no_key() -> None:
    assert len(keys.of_faces([], np.zeros((0, 4)))) == 0


KNOWN = [10174698164593082668, 3714058343201482921]
