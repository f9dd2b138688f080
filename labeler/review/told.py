"""What was said about the rows of a review: the history of one, answers to cards and checks, what an action said."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain, islice

from labeler.review.current import Current
from labeler.tables.matching import LEAST_IOU, Box, box_of, iou
from labeler.tables.reviews import CERTIFY, Event


def history(current: Current, number: int) -> list[Event]:
    """Return what was said about a row and not undone, in order."""
    row, reviews = current.row(number), current.reviews
    box = box_of(row)
    return [event for event in reviews.of(row.file) if reviews.actions.in_force(event) and _is_of(event, box)]


def answers(current: Current, view: str) -> dict[int, Event]:
    """Return what this reviewer said last about each row in a view of cards or checks, in the order of the first."""
    own = (event for event in current.reviews.in_view(view) if event.reviewer == current.reviewer)
    return {number: event for event in own for number in _row_of(current, event)}


def blind(current: Current) -> dict[str, int]:
    """Return how many faces somebody answered blind, by view: one for each draw."""
    views = [view for view in current.reviews.views if view.startswith(CERTIFY + " ")]
    faces = {view: {(event.file, event.box) for event in current.reviews.in_view(view)} for view in views}
    return {view: len(some) for view, some in faces.items() if some}


def said_in(current: Current, action: str, numbers: Sequence[int]) -> list[tuple[int, Event]]:
    """Return what an action of this reviewer says about which rows; ``numbers`` are rows of its files."""
    files = {current.row(number).file for number in numbers}
    said = [event for file in files for event in current.reviews.of(file)] + current.reviews.checks
    own = (event for event in said if (event.reviewer, event.action) == (current.reviewer, action))
    return [(number, event) for event in own for number in _row_of(current, event)]


def _row_of(current: Current, event: Event) -> list[int]:
    """Return the row of an event; none where it belongs to none."""
    numbers = current.numbers_of(event.file)
    exact = (number for number in numbers if box_of(current.row(number)) == event.box)
    near = (number for number in numbers if _is_of(event, box_of(current.row(number))))
    return list(islice(chain(exact, near), 1))


def _is_of(event: Event, box: Box | None) -> bool:
    """Say whether an event is about the face of a box."""
    return event.box == box or bool(event.box and box and iou(event.box, box) >= LEAST_IOU)
