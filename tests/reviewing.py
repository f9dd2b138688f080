"""Events of a review, as short as a test wants them."""

from __future__ import annotations

from hashlib import blake2b
from typing import Any

from labeler.records import Face, Row
from labeler.tables.matching import Box
from labeler.tables.reviews import Event, Kind

BOX = Box(10.0, 10.0, 40.0, 40.0)
NAMES = ("angry", "happy")


def hexed(name: object) -> str:
    """Return 32 hexadecimal digits that a test can name."""
    return blake2b(str(name).encode(), digest_size=16).hexdigest()


def at(second: float) -> str:
    """Return the time of an event, so many seconds after the first."""
    return f"2026-11-25T14:{int(second) // 60:02}:{int(second) % 60:02}.{round(second % 1 * 1000):03}Z"


def event(new: str, second: float = 0, **changes: Any) -> Event:
    """Return the event of one label; its action is its second unless told."""
    about = {
        "action": hexed(changes.pop("action", second)),
        "time": at(second),
        "reviewer": "ann",
        "file": "a.jpg",
        "box": BOX,
        "version": "1-1",
        "old": "happy",
        "new": new,
        "view": "grid",
        "ms": 800,
    }
    return Event(**{**about, **changes})


def undo(action: object, second: float, reviewer: str = "ann") -> Event:
    """Return the event that undoes the action of this name; its own is named by its second."""
    return Event(action=hexed(second), time=at(second), reviewer=reviewer, kind=Kind.UNDO, undoes=hexed(action))


def face(file: str = "a.jpg", index: int = 0, box: Box = BOX, label: str = "happy", version: str = "1-1") -> Row:
    """Return the row of a face that a model labelled."""
    row = Row.of_image(file, 640, 480, version).located(index, Face(*box, 0.9))
    return row.labelled(tuple(0.75 if name == label else 0.25 for name in NAMES), NAMES, 0.0)
