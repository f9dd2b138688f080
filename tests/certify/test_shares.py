"""Probabilities read out of what the index keeps are those that a whole array of them would hold."""

from __future__ import annotations

import numpy as np

from labeler.certify.shares import Shares

PARTS = np.array([[65535, 0], [0, 0], [30000, 10000], [1, 3]], np.uint16)


def test_places_masks_and_slices_give_the_probabilities_of_their_faces() -> None:
    found = Shares(PARTS, np.array([3, 0, 2], np.int32))

    assert found.shape == (3, 2)
    assert found[:].tolist() == [[0.25, 0.75], [1, 0], [0.75, 0.25]]
    assert found[np.array([2, 0])].tolist() == found[[2, 0]].tolist() == [[0.75, 0.25], [0.25, 0.75]]
    assert found[np.array([False, True, False])].tolist() == [[1, 0]]
    assert found[np.zeros(0, np.int32)].shape == (0, 2)


def test_a_face_without_probabilities_has_equal_ones() -> None:
    assert Shares(PARTS, np.array([1], np.int32))[:].tolist() == [[0.5, 0.5]]


def test_the_highest_is_that_of_each_face_however_many_there_are() -> None:
    parts = np.random.default_rng(0).integers(0, 65536, (1000, 3)).astype(np.uint16)
    rows = np.random.default_rng(1).integers(0, 1000, 200_000).astype(np.int32)
    found = Shares(parts, rows)

    assert np.array_equal(found.max(axis=1), found[:].max(axis=1))
