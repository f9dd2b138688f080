"""What a person said in a copy of the table: in its column `label`, or in a column `corrected` beside it."""

from __future__ import annotations

import math
from collections.abc import Collection
from pathlib import Path
from typing import Any

from labeler.errors import LabelerError
from labeler.reviewers.said import Region, Said, action_of
from labeler.tables import arrow
from labeler.tables.arrow import CORRECTED
from labeler.tables.cells import alive, unescape
from labeler.tables.matching import Box

_BOX = ("x", "y", "width", "height")

Key = tuple[str, int | None, str]
"""A file, the number of a face, and its label."""


def read(path: Path, reviewer: str, same: Collection[int]) -> tuple[list[Said], int]:
    """Return what the rows say, and how many say what the table does; ``same`` holds the `hash` of its rows' keys.

    A face is told by its box, else by its number, else it is the only one of its file. A cell of `corrected` is the
    label, if it is not empty; without this column `label` is, where it is another than the table's.

    Raises:
        LabelerError: it is no table, or has neither column.
    """
    content = arrow.read(path)
    names = set(content.column_names)
    if not names & {CORRECTED, "label"}:
        raise LabelerError(f"{path} needs a column `label` or `{CORRECTED}`")
    ours = path.suffix.lower() == ".csv" and "status" in names
    column = CORRECTED if CORRECTED in names else "label"
    text = alive if ours else str
    columns: dict[str, list[Any]] = {
        name: content[name].to_pylist() for name in ("file", "face", *_BOX, column) if name in names
    }
    found: dict[str, list[Region]] = {}
    unchanged = 0
    for at, cell in enumerate(columns[column]):
        file, label = unescape(text(str(columns["file"][at]))), "" if cell is None else text(str(cell))
        face = _whole(columns["face"][at]) if "face" in columns else None
        if column == CORRECTED and not label:
            continue
        if column != CORRECTED and "face" in columns and hash((file, face, label)) in same:
            unchanged += 1
            continue
        numbers = [_number(columns[name][at]) for name in _BOX if name in columns]
        box = Box(*numbers) if len(numbers) == 4 and None not in numbers else None  # type: ignore[arg-type]
        found.setdefault(file, []).append(Region(label, box, face, explicit=column == CORRECTED))
    action = action_of(path.read_bytes(), reviewer)
    said = [
        Said(file=file, reviewer=reviewer, action=action, regions=regions, complete=False)
        for file, regions in found.items()
    ]
    return said, unchanged


def _number(cell: object) -> float | None:
    try:
        number = float(str(cell).replace(",", "."))
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _whole(cell: object) -> int | None:
    number = _number(cell)
    return None if number is None else int(number)
