"""What a person said about photos in another tool, in one form for all tools."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import blake2b, file_digest
from pathlib import Path
from typing import NamedTuple

from labeler.errors import LabelerError, printable
from labeler.records import EXAMPLES
from labeler.tables.matching import Box

_LONGEST_EXAMPLE = 120


class NotUnderstoodError(Exception):
    """What was said of a photo cannot be understood; its text is the reason. The whole photo is then left out."""


class Region(NamedTuple):
    """A face with a label."""

    label: str
    box: Box | None = None
    """In pixels of the upright photo; None where the tool names the face otherwise."""
    face: int | None = None
    """Its number in the table, where there is no box; None for the only face of a photo."""
    explicit: bool = True
    """Whether a label that is the same as before was confirmed, and not only left as it was."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What one person said about one photo."""

    file: str
    """Its name in the table."""
    reviewer: str
    action: str
    """The same for what was said together, and whenever it is read again; see `action_of`."""
    regions: Sequence[Region]
    shown: Sequence[Region] | None = None
    """The faces that the person was shown; None where that is unknown."""
    complete: bool = True
    """Whether a face that was shown and has no region was taken out."""
    size: tuple[int, int] | None = None
    """Width and height of the picture; None if unknown."""
    time: str = ""
    """When it was said, as in `reviews.Event`; empty if unknown."""


@dataclass(slots=True)
class LeftOut:
    """What could not be used, counted by reason, with a few examples of each."""

    counts: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[str]] = field(default_factory=dict)

    def add(self, reason: str, name: str) -> None:
        """Count one."""
        self.counts[reason] += 1
        examples = self.examples.setdefault(reason, [])
        if len(examples) < EXAMPLES:
            examples.append(printable(name)[:_LONGEST_EXAMPLE])


def action_of(*parts: str | bytes) -> str:
    """Return the identity of an action that these tell from any other: 32 hexadecimal digits."""
    digest = blake2b(digest_size=16)
    for part in parts:
        content = part if isinstance(part, bytes) else part.encode("utf-8", "surrogatepass")
        digest.update(len(content).to_bytes(8, "big") + content)
    return digest.hexdigest()


def action_of_file(path: Path, reviewer: str) -> str:
    """Return the identity of the import of a file, by its content.

    Raises:
        LabelerError: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            return action_of(file_digest(file, "blake2b").digest(), reviewer)
    except OSError as exc:
        raise LabelerError(f"{path} cannot be read: {exc.strerror}") from exc


def turned(box: Box, degrees: float, pivot: tuple[float, float]) -> Box:
    """Return the upright box around one that was turned clockwise about a point, in tenths of a pixel.

    Raises:
        NotUnderstoodError: it is no box.
    """
    numbers = (*box, degrees)
    if not all(math.isfinite(number) and abs(number) < 1e9 for number in numbers) or min(box.width, box.height) <= 0:
        raise NotUnderstoodError("a box without width or height")
    cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    corners = [
        (pivot[0] + x * cosine - y * sine, pivot[1] + x * sine + y * cosine)
        for x in (box.x - pivot[0], box.x + box.width - pivot[0])
        for y in (box.y - pivot[1], box.y + box.height - pivot[1])
    ]
    lefts, tops = zip(*corners, strict=True)
    left, top = min(lefts), min(tops)
    return Box(round(left, 1), round(top, 1), round(max(lefts) - left, 1), round(max(tops) - top, 1))
