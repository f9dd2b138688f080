"""Rows as the page sees them: as a view shows one, and all about one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from labeler.records import UNCERTAIN, Status
from labeler.review import told
from labeler.review.current import Current
from labeler.tables.matching import box_of

_STATUSES = tuple(Status)


def item(current: Current, number: int) -> dict[str, Any]:
    """Return a row as a view shows it."""
    index, inside = current.index, number < len(current.index)
    box = index.box[number] if inside else current.row(number)[2:6]
    width, height = float(box[2] or 0), float(box[3] or 0)
    has_second = inside and not np.isnan(index.second_score[number])
    return {
        **current.shown(number),
        "score": _rounded(index.score[number]) if inside else None,
        "second": index.labels[index.second[number]] if has_second else None,
        "second_score": _rounded(index.second_score[number]) if has_second else None,
        "status": str(_STATUSES[index.status[number]]) if inside else str(Status.OK),
        "file": current.name(number),
        "face": _face_number(index.face[number]) if inside else current.row(number).face,
        "aspect": round(width / height, 3) if height > 0 else None,
    }


def face(current: Current, number: int) -> dict[str, Any]:
    """Return all about one row but its picture, and the other faces of its photo."""
    row = current.row(number)
    history = [
        {"time": event.time, "reviewer": event.reviewer, "old": event.old, "new": event.new}
        for event in told.history(current, number)
    ]
    return {
        **current.shown(number),
        "file": current.name(number),
        "face": row.face,
        "box": box_of(row),
        "image": [row.image_width, row.image_height] if row.image_width else None,
        "probabilities": dict(zip(current.index.class_names, row.probabilities, strict=False))
        or _best(current, number),
        "score": row.score,
        "status": str(row.status),
        "reason": row.reason,
        "faces": [_other(current, one) for one in current.beside(number) if current.labels[current.label[one]]],
        "history": history,
    }


def keys(class_names: Sequence[str]) -> dict[str, str]:
    """Return a key for each class: its initial; where several share one, digits, as long as there are any."""
    initials = [name[:1].lower() for name in class_names]
    counts = Counter(initials)
    digits = iter("1234567890")
    return {
        name: initial if counts[initial] == 1 and initial in "abcdefghijklmnopqrstuvwxyz" else next(digits, "")
        for name, initial in zip(class_names, initials, strict=True)
    }


def _best(current: Current, number: int) -> dict[str, float | None]:
    """Return what is in memory of the probabilities of a face where there are too many, or the table names the best."""
    index = current.index
    if number >= len(index):
        return {}
    label, second = index.labels[index.label[number]], index.labels[index.second[number]]
    own = {} if label == UNCERTAIN else {label: _rounded(index.score[number])}
    return {name: share for name, share in {**own, second: _rounded(index.second_score[number])}.items() if share}


def _other(current: Current, number: int) -> dict[str, Any]:
    row = current.row(number)
    return {**current.shown(number), "box": box_of(row), "score": row.score}


def _rounded(score: np.float32) -> float | None:
    return None if np.isnan(score) else round(float(score), 4)


def _face_number(face: np.int32) -> int | None:
    return None if face < 0 else int(face)
