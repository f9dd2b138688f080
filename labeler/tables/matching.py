"""Match the faces of one photo, in two tables or in a table and a review, by the overlap of their boxes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from labeler.records import Row

LEAST_IOU = 0.5
"""Lower limit on the overlap of one face's boxes, as in PASCAL VOC: two boxes of one size then share two thirds."""

Pair = tuple[Row | None, Row | None]
"""A face in the first and in the second table; None where that one has no such face."""


class Box(NamedTuple):
    """A bounding box in pixels of the upright, full-size image."""

    x: float
    y: float
    width: float
    height: float


def match(left: Sequence[Row], right: Sequence[Row], least_iou: float = LEAST_IOU) -> list[Pair]:
    """Match the faces of a photo one to one; yield the pairs, the left faces in their order, then those only right.

    Of all pairs that overlap by at least ``least_iou``, the one with the highest IoU is matched first, then the next
    one of two faces that are still free. Of equal ones, that of the larger face comes first; only pairs that share a
    face compete, so exchanging the sides changes nothing. Faces without a box match in their order among themselves.
    """
    found = match_boxes([box_of(row) for row in left], [box_of(row) for row in right], least_iou)
    taken = set(found.values())
    pairs: list[Pair] = [(row, right[found[at]] if at in found else None) for at, row in enumerate(left)]
    return pairs + [(None, row) for at, row in enumerate(right) if at not in taken]


def match_boxes(
    left: Sequence[Box | None], right: Sequence[Box | None], least_iou: float = LEAST_IOU
) -> dict[int, int]:
    """Match boxes as `match` does faces; return the index of the right box for that of each left one that has one."""
    if left == right:  # Two models on the same detector: nearly always.
        return {at: at for at in range(len(left))}
    return dict(_boxless(left, right)) | _greedy(left, right, least_iou)


def iou(one: Box, other: Box) -> float:
    """Return the intersection over union of two boxes, 0 to 1; 1 for equal boxes, even those without an area."""
    if one == other:
        return 1.0
    across = min(one.x + one.width, other.x + other.width) - max(one.x, other.x)
    down = min(one.y + one.height, other.y + other.height) - max(one.y, other.y)
    if across <= 0 or down <= 0:
        return 0.0
    shared = across * down
    return shared / (one.width * one.height + other.width * other.height - shared)


def box_of(row: Row) -> Box | None:
    """Return the bounding box of a face; None where the table has none."""
    if row.x is None or row.y is None or row.width is None or row.height is None:
        return None
    return Box(row.x, row.y, row.width, row.height)


def _boxless(left: Sequence[Box | None], right: Sequence[Box | None]) -> zip[tuple[int, int]]:
    lefts, rights = ([at for at, box in enumerate(boxes) if box is None] for boxes in (left, right))
    return zip(lefts, rights, strict=False)


def _greedy(left: Sequence[Box | None], right: Sequence[Box | None], least_iou: float) -> dict[int, int]:
    """Return the index of the right face for that of each left face that has one."""
    candidates = sorted(
        (-overlap, at, to)
        for at, one in enumerate(left)
        for to, other in enumerate(right)
        if one and other and (overlap := iou(one, other)) >= least_iou
    )
    found: dict[int, int] = {}
    taken: set[int] = set()
    for _, at, to in candidates:
        if at not in found and to not in taken:
            found[at] = to
            taken.add(to)
    return found
