"""Requests that change something: checked, and made into records."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from labeler.review import aliases
from labeler.review.current import Current, Said
from labeler.review.refused import Refused
from labeler.tables.matching import Box

MOST_EVENTS = 5_000
"""Upper limit on the faces that one action labels."""

MOST_NEAR = 100
"""Upper limit on the rows of which one is looked for in a view."""

_ACTION = re.compile("[0-9a-f]{32}").fullmatch
_LONGEST_VIEW = 40
_LONGEST_MS = 1 << 40


def events(body: Mapping[str, Any], current: Current) -> tuple[str, list[Said]]:
    """Return the action of a request, and what it says about which faces, each once.

    Raises:
        Refused: it is none.
    """
    some = body.get("events")
    if not isinstance(some, list) or not 0 < len(some) <= MOST_EVENTS:
        raise Refused(400, f"an action has 1 to {MOST_EVENTS:,} events")
    said = [_said(one, current) for one in some]
    rows = [aliases.row(one.row) for one in said]
    if len(set(rows)) < len(said):
        raise Refused(400, "an action says two things about one face")
    for row in rows:
        if not current.before(row) and row < len(current.index):
            raise Refused(400, f"row {row} has no face; draw a box around it")
    return action(body), said


def near(body: Mapping[str, Any]) -> list[int]:
    """Return the rows of which a view is to say where the first is that it has.

    Raises:
        Refused: they are no few numbers.
    """
    found = body.get("near", [])
    if not isinstance(found, list) or len(found) > MOST_NEAR or not all(type(one) is int for one in found):
        raise Refused(400, f"near are at most {MOST_NEAR} rows")
    return found


def addition(body: Mapping[str, Any], current: Current) -> tuple[str, Said, Box]:
    """Return the action of a request, what it says, and the box of the face that it adds.

    Raises:
        Refused: it is none.
    """
    box = body.get("box")
    if not isinstance(box, list) or len(box) != 4 or not all(map(_is_number, box)):
        raise Refused(400, "a box has four numbers: x, y, width, height")
    said = _said(body, current)
    if aliases.is_one(said.row):
        raise Refused(400, "a missed face is added in the list, not on a card")
    return action(body), said, Box(*(round(float(side), 1) for side in box))


def action(body: Mapping[str, Any]) -> str:
    """Return the name of an action.

    Raises:
        Refused: it is none.
    """
    found = body.get("action")
    if not isinstance(found, str) or not _ACTION(found):
        raise Refused(400, "an action is called by 32 hexadecimal digits")
    return found


def with_hash(said: Said, hash_: str | None) -> Said:
    """Return what is said with the hash of the photo."""
    return replace(said, hash=hash_)


def _said(one: Any, current: Current) -> Said:
    if not isinstance(one, Mapping):
        raise Refused(400, "an event is an object")
    row, new = one.get("row"), one.get("new")
    view, shown, ms = one.get("view", ""), one.get("shown", True), one.get("ms")
    if type(row) is not int or not 0 <= aliases.row(row) < len(current):
        raise Refused(400, f"there is no row {row!r:.50}")
    given = current.index.labels[: len(current.index.class_names) + 2]
    is_taken_back = new == "" and row >= len(current.index)
    if not isinstance(new, str) or (new not in given and not is_taken_back):
        raise Refused(400, f"there is no label {new!r:.50}")
    if not isinstance(view, str) or len(view) > _LONGEST_VIEW or not view.isprintable() or not isinstance(shown, bool):
        raise Refused(400, "view is a short text, shown is true or false")
    if ms is not None and (not _is_number(ms) or not 0 <= ms < _LONGEST_MS):
        raise Refused(400, "ms is a number or null")
    return Said(row=row, new=new, view=view, shown=shown, ms=None if ms is None else int(ms))


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
