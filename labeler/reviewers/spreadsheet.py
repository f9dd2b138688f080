"""What a person said in a copy of the table: in its column `label`, or in a column `corrected` beside it."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from labeler.errors import LabelerError
from labeler.reviewers.said import Region, Said, action_of_file
from labeler.tables import arrow
from labeler.tables.arrow import CORRECTED
from labeler.tables.cells import alive, unescape
from labeler.tables.matching import Box

_BOX = ("x", "y", "width", "height")

_ROWS_AT_ONCE = 1 << 12


def read(path: Path, reviewer: str, same: Collection[int]) -> tuple[list[Said], int]:
    """Return what the rows say, and how many say what the table does.

    ``same`` holds the `hash` of the file, the number and the label of each face of the table. A face is told by its
    box, else by its number, else it is the only one of its file. A cell of `corrected` is the label, if it is not
    empty; without this column `label` is, where it is another than the table's.

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
    wanted = [name for name in ("file", "face", *_BOX, column) if name in names]
    found: dict[str, list[Region]] = {}
    unchanged = 0
    for row in _rows(content.select(wanted)):
        cell = row[column]
        file, label = unescape(text(str(row["file"]))), "" if cell is None else text(str(cell))
        face = _whole(row.get("face"))
        if column == CORRECTED and not label:
            continue
        if column != CORRECTED and "face" in names and hash((file, face, label)) in same:
            unchanged += 1
            continue
        numbers = [_number(row.get(name)) for name in _BOX]
        box = None if None in numbers else Box(*numbers)  # type: ignore[arg-type]
        found.setdefault(file, []).append(Region(label, box, face, explicit=column == CORRECTED))
    action = action_of_file(path, reviewer)
    said = [
        Said(file=file, reviewer=reviewer, action=action, regions=regions, complete=False)
        for file, regions in found.items()
    ]
    return said, unchanged


def _rows(content: Any) -> Iterator[dict[str, Any]]:
    """Yield the rows of an Arrow table, a few at a time: as Python's objects all of them take ten times the memory."""
    for batch in content.to_batches(max_chunksize=_ROWS_AT_ONCE):
        yield from batch.to_pylist()


def _number(cell: object) -> float | None:
    try:
        number = float(str(cell).replace(",", "."))
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _whole(cell: object) -> int | None:
    number = _number(cell)
    return None if number is None else int(number)
