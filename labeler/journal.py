"""A sort's moves, and the journal that has each of them on the disk before it is carried out."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum

from labeler.errors import LabelerError
from labeler.records import Mode

NAME = ".labeler-sort.jsonl"
"""The journal's file in the sorted folder. Hidden, so that `classify` does not see it."""


class Outcome(StrEnum):
    """What became of a move, in words for the user."""

    PLANNED = "to be sorted"
    SORTED = "sorted"
    THERE = "already there"
    MISSING = "not found"
    LINK = "left: a symbolic link is not moved"
    UNREADABLE = "left: cannot be read"
    UNDONE = "undone"
    CHANGED = "kept: changed since it was sorted"
    ONLY = "kept: its original is gone"
    OCCUPIED = "kept: something else stands at its old place"

    @property
    def notable(self) -> bool:
        """Say whether the file did not end where it was wanted."""
        return self not in {Outcome.PLANNED, Outcome.SORTED, Outcome.THERE, Outcome.UNDONE}


@dataclass(frozen=True, slots=True)
class Move:
    """One file and its place: ``target`` is relative to the sorted folder, with forward slashes."""

    source: str
    target: str
    mode: Mode = Mode.COPY
    outcome: Outcome = Outcome.PLANNED
    sha256: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the journal: the intent to make a folder (no ``mode``) or to place a file."""

    target: str
    source: str = ""
    mode: str = ""
    sha256: str = ""

    @property
    def move(self) -> Move:
        """Return the move that was announced."""
        return Move(self.source, self.target, Mode(self.mode), sha256=self.sha256)


def begin(path: str) -> None:
    """Create the journal, or cut off a last line that a kill has torn: what it announced was not begun."""
    with open(path, "a+b") as file:
        file.seek(0)
        file.truncate(file.read().rfind(b"\n") + 1)


def append(path: str, entries: Sequence[Entry]) -> None:
    """Write the entries; they are on the disk when this returns."""
    if not entries:
        return
    with open(path, "ab") as file:
        file.write("".join(json.dumps(asdict(entry)) + "\n" for entry in entries).encode())
        file.flush()
        os.fsync(file.fileno())


def read(path: str) -> list[Entry]:
    """Return the entries, oldest first, each once, without a torn last line.

    Raises:
        FileNotFoundError: there is no journal.
        LabelerError: the journal is damaged before its last line.
    """
    with open(path, "rb") as file:
        whole_lines = file.read().split(b"\n")[:-1]
    try:
        return list(dict.fromkeys(Entry(**json.loads(line)) for line in whole_lines))
    except (ValueError, TypeError) as exc:
        raise LabelerError(
            f"{path} is damaged and cannot tell what was sorted. Restore it, or choose another folder to sort into"
        ) from exc
