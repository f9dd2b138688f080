"""Codes keep who is near whom, and an order keeps together what is near."""

from __future__ import annotations

import numpy as np
import pytest

from labeler.review import arrangement, codes
from labeler.review.arrangement import Numbers, arranged
from labeler.review.codes import DIMENSIONS, Coder, Codes, Features

GROUPS = 40
STEPS = np.ones(DIMENSIONS, np.float32)


def grouped(each: int, seed: int = 0, features: int = 256) -> tuple[Features, Numbers]:
    """Return features of ``each`` faces of every group, shuffled, and their groups."""
    generator = np.random.default_rng(seed)
    groups = generator.permutation(np.repeat(np.arange(GROUPS), each))
    centres = generator.normal(size=(GROUPS, 6)) @ generator.normal(size=(6, features))
    return (centres[groups] + 0.1 * generator.normal(size=(len(groups), features))).astype(np.float32), groups


def probabilities(count: int, classes: int = 3, seed: int = 0) -> Numbers:
    return np.random.default_rng(seed).dirichlet(np.ones(classes), count).astype(np.float32)


def random_codes(count: int, seed: int = 0) -> Codes:
    return np.random.default_rng(seed).integers(-127, 128, (count, DIMENSIONS), np.int8)


def neighbours(places: Features) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    distances = ((places[:, None] - places[None]) ** 2).sum(axis=2)
    np.fill_diagonal(distances, np.inf)
    return np.argsort(distances, axis=1)[:, :10]


@pytest.mark.parametrize("count", [0, 1, 2, 3, 127, 128, 129, 1000, 70_000])
def test_every_face_has_one_place(count: int) -> None:
    order = arranged(random_codes(count), STEPS, probabilities(count))

    assert np.array_equal(np.sort(order), np.arange(count))


def test_faces_of_a_class_stand_together() -> None:
    shares = probabilities(5000)
    classes = shares.argmax(axis=1)[arranged(random_codes(5000), STEPS, shares)]

    assert np.array_equal(classes, np.sort(classes))


def test_the_order_is_always_the_same() -> None:
    first, again = (arranged(random_codes(3000), STEPS, probabilities(3000)) for _ in range(2))

    assert np.array_equal(first, again)


def test_faces_alike_stand_together() -> None:
    features, groups = grouped(each=100)
    coder = codes.fit(features)
    alike = groups[arranged(coder.encode(features), coder.steps, np.full((len(groups), 2), 0.5, np.float32))]
    pieces = 1 + np.count_nonzero(alike[1:] != alike[:-1])

    assert pieces < 500  # At random 3,900 of 4,000.


def test_equal_faces_are_no_problem() -> None:
    same = np.zeros((1000, DIMENSIONS), np.int8)
    order = arranged(same, STEPS, np.full((1000, 2), 0.5, np.float32))

    assert np.array_equal(np.sort(order), np.arange(1000))


def test_sure_faces_stand_apart_from_doubtful_ones() -> None:
    share = np.where(np.arange(4000) % 2, 0.99, 0.55)
    order = arranged(random_codes(4000), STEPS, np.stack([share, 1 - share], axis=1).astype(np.float32))
    screens = (share[order] > 0.9).reshape(-1, 100).mean(axis=1)

    assert np.count_nonzero((screens < 0.05) | (screens > 0.95)) >= 35  # Of 40; at random none.


def test_most_of_the_nearest_faces_stay_the_nearest() -> None:
    generator = np.random.default_rng(0)
    spectrum = 0.9 ** np.arange(256)
    features = (generator.normal(size=(600, 256)) * spectrum).astype(np.float32)
    found = neighbours(codes.fit(features).encode(features) * codes.fit(features).steps)
    kept = [
        len(set(one) & set(other)) for one, other in zip(neighbours(features).tolist(), found.tolist(), strict=True)
    ]

    assert np.mean(kept) > 9


@pytest.mark.parametrize(("faces", "features"), [(1, 5), (2, 256), (10, 3), (300, 44), (300, 100)])
def test_a_coder_is_kept_as_it_is(faces: int, features: int) -> None:
    seen = np.random.default_rng(0).normal(size=(faces, features)).astype(np.float32)
    coder = codes.fit(seen)
    again = Coder.of_bytes(coder.to_bytes())

    assert all(np.array_equal(one, other) for one, other in zip(coder, again, strict=True))
    assert np.array_equal(coder.encode(seen), again.encode(seen))
    assert coder.encode(seen).shape == (faces, DIMENSIONS)
    assert np.isfinite(coder.steps).all()
    assert (coder.steps > 0).all()


def test_wide_features_are_folded_and_keep_their_distances() -> None:
    wide = np.random.default_rng(0).normal(size=(50, 12_288)).astype(np.float32)
    narrow = codes.folded(wide)
    lengths = np.linalg.norm(narrow[0] - narrow[1:], axis=1) / np.linalg.norm(wide[0] - wide[1:], axis=1)

    assert narrow.shape == (50, 1024)
    assert np.abs(lengths - 1).max() < 0.15
    assert codes.folded(narrow) is narrow


def test_all_that_is_kept_of_a_face_has_64_bytes() -> None:
    rank, check, key = 4, 4, 12

    assert DIMENSIONS + rank + check + key == 64


def test_half_of_a_group_near_its_neighbour_stands_beside_it() -> None:
    line = np.zeros((2000, DIMENSIONS), np.int8)
    line[:, 0] = np.random.default_rng(0).permutation(np.linspace(-127, 127, 2000)).astype(np.int8)
    order = arrangement.arranged(line, STEPS, np.full((2000, 2), 0.5, np.float32))
    along = line[order, 0].astype(int)

    assert np.abs(np.diff(along)).mean() < 1  # The ends meet nowhere: a line stays a line. At random 85.
