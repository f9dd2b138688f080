"""Faces of one photo in two tables: matched one to one by the overlap of their boxes."""

from __future__ import annotations

import random
from itertools import permutations

import pytest

from labeler.records import Face, Row
from labeler.tables.matching import Box, iou, match

SQUARE = (0.0, 0.0, 10.0, 10.0)


def faces(*boxes: tuple[float, float, float, float] | None) -> list[Row]:
    blank = Row("a.jpg", label="happy", score=0.9)
    return [
        blank.located(index, Face(*box, 0.9)) if box else blank._replace(face=index) for index, box in enumerate(boxes)
    ]


def found(left: list[Row], right: list[Row], least_iou: float = 0.5) -> list[tuple[int | None, int | None]]:
    return [(a and a.face, b and b.face) for a, b in match(left, right, least_iou)]


@pytest.mark.parametrize(
    ("one", "other", "overlap"),
    [
        pytest.param(SQUARE, SQUARE, 1, id="equal"),
        pytest.param(SQUARE, (5, 0, 10, 10), 50 / 150, id="half"),
        pytest.param(SQUARE, (2, 2, 5, 5), 25 / 100, id="inside"),
        pytest.param(SQUARE, (10, 0, 10, 10), 0, id="side by side"),
        pytest.param(SQUARE, (30, 30, 10, 10), 0, id="apart"),
        pytest.param((1, 1, 0, 0), (1, 1, 0, 0), 1, id="equal without an area"),
        pytest.param((1, 1, 0, 0), SQUARE, 0, id="without an area"),
    ],
)
def test_the_overlap_is_the_intersection_over_the_union(
    one: tuple[float, float, float, float], other: tuple[float, float, float, float], overlap: float
) -> None:
    assert iou(Box(*one), Box(*other)) == iou(Box(*other), Box(*one)) == pytest.approx(overlap)


@pytest.mark.parametrize(
    ("left", "right", "pairs"),
    [
        pytest.param([], [], [], id="no face"),
        pytest.param([SQUARE], [], [(0, None)], id="only left"),
        pytest.param([], [SQUARE], [(None, 0)], id="only right"),
        pytest.param([SQUARE], [(1, 1, 10, 10)], [(0, 0)], id="moved a little"),
        pytest.param([SQUARE], [(8, 8, 10, 10)], [(0, None), (None, 0)], id="another face"),
        pytest.param([SQUARE, (50, 0, 9, 9)], [(50, 0, 9, 9), SQUARE], [(0, 1), (1, 0)], id="in another order"),
        # Left 0 overlaps both, right 0 more; left 1 overlaps right 0 alone, and less than left 0 does.
        pytest.param([SQUARE, (3, 0, 10, 10)], [(1, 0, 10, 10), (-3, 0, 10, 10)], [(0, 0), (1, None), (None, 1)],
                     id="the best pair first, although another choice would match all"),
        pytest.param([SQUARE, SQUARE], [(1, 0, 10, 10)], [(0, 0), (1, None)], id="of equals, the larger face's index"),
        pytest.param([SQUARE, SQUARE], [SQUARE, SQUARE], [(0, 0), (1, 1)], id="copies"),
        pytest.param([SQUARE, SQUARE], [SQUARE, SQUARE, SQUARE], [(0, 0), (1, 1), (None, 2)], id="more copies"),
        pytest.param([None], [None], [(0, 0)], id="whole photos"),
        pytest.param([None], [SQUARE], [(0, None), (None, 0)], id="a whole photo and a box in it"),
        pytest.param([SQUARE, None], [None, SQUARE], [(0, 1), (1, 0)], id="with and without a box"),
    ],
)  # fmt: skip
def test_faces_are_matched_one_to_one(
    left: list[tuple[float, float, float, float] | None],
    right: list[tuple[float, float, float, float] | None],
    pairs: list[tuple[int | None, int | None]],
) -> None:
    assert found(faces(*left), faces(*right)) == pairs


def test_the_limit_on_the_overlap_belongs_to_the_match() -> None:
    assert found(faces(SQUARE), faces((0, 0, 10, 5)), 0.5) == [(0, 0)]
    assert found(faces(SQUARE), faces((0, 0, 10, 4.9)), 0.5) == [(0, None), (None, 0)]
    assert found(faces(SQUARE), faces((0, 0, 10, 4.9)), 0.4) == [(0, 0)]


@pytest.mark.parametrize("seed", range(30))
def test_no_face_is_lost_or_matched_twice_and_the_sides_can_be_exchanged(seed: int) -> None:
    chance = random.Random(seed)
    left, right = (
        faces(*((float(chance.randrange(6)), 0.0, 8.0, 8.0) for _ in range(chance.randrange(6)))) for _ in range(2)
    )
    pairs = found(left, right, 0.3)

    assert sorted(a for a, _ in pairs if a is not None) == list(range(len(left)))
    assert sorted(b for _, b in pairs if b is not None) == list(range(len(right)))
    assert {(a, b) for b, a in found(right, left, 0.3)} == set(pairs)


def test_the_order_of_rows_does_not_decide() -> None:
    left = faces((0, 0, 10, 10), (4, 0, 10, 10), (30, 0, 10, 10))
    right = faces((2, 0, 10, 10), (31, 0, 10, 10), (5, 0, 10, 10))
    orders = {frozenset(found(list(order), right, 0.3)) for order in permutations(left)}

    assert orders == {frozenset({(0, 0), (1, 2), (2, 1)})}
