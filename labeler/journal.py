"""A sort's moves, and the journal that has each of them on the disk before it is carried out."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import PurePath

from labeler.errors import LabelerError
from labeler.records import Mode

NAME = ".labeler-sort.jsonl"
"""The journal's file in the sorted folder. Hidden, so that `classify` does not see it."""
BEGINNING = b'{"target": "'
"""How each line begins, a torn one too, if it is long enough."""


class Outcome(StrEnum):
    """What became of a move, in words for the user."""

    PLANNED = "to be sorted"
    SORTED = "sorted"
    THERE = "already there"
    MISSING = "not found"
    LINK = "left: a symbolic link is not moved"
    OUTSIDE = "left: outside the folder that was classified"
    UNREADABLE = "left: cannot be read"
    BLOCKED = "left: its name is refused there, or something is in the way"
    UNDONE = "undone"
    CHANGED = "kept: changed since it was sorted"
    ONLY = "kept: its original is gone"
    OCCUPIED = "kept: something else stands at its old place"
    REFUSED = "kept: its old name is refused there"

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
        file.write("".join(map(_line, entries)).encode())
        file.flush()
        os.fsync(file.fileno())


def read(path: str) -> list[Entry]:
    """Return the entries, oldest first, without a torn last line.

    A place that was announced twice had become free in between: it belongs to the later one.

    Raises:
        FileNotFoundError: there is no journal.
        LabelerError: it is damaged before its last line, or no sort has written it.
    """
    if not stat.S_ISREG(os.lstat(path).st_mode):
        raise LabelerError(f"{path} cannot be read: no journal of a sort is a link, a folder or a device. Remove it")
    with open(path, "rb") as file:
        *whole_lines, last_line = file.read().split(b"\n")
    try:
        entries = [Entry(**json.loads(line)) for line in whole_lines]
        sound = all(map(_sound, entries)) and _torn(last_line)
    except (ValueError, TypeError, RecursionError):
        sound = False
    if not sound:
        raise LabelerError(
            f"{path} is damaged and cannot tell what was sorted. Restore it, or choose another folder to sort into"
        )
    return _latest(entries)


def keep(path: str, entries: Sequence[Entry]) -> None:
    """Forget all but these entries; without any, the journal goes."""
    beside = f"{path}.part"
    with suppress(FileNotFoundError):  # Left by a kill.
        os.unlink(beside)
    if entries:
        append(beside, entries)
        os.replace(beside, path)
    else:
        os.unlink(path)


def _latest(entries: Sequence[Entry]) -> list[Entry]:
    """Return each folder where it was first announced, each file where it was last."""
    latest: dict[str, Entry] = {}
    for entry in entries:
        if entry.mode:
            latest.pop(entry.target, None)
        latest[entry.target] = entry
    return list(latest.values())


def _line(entry: Entry) -> str:
    return json.dumps(asdict(entry)) + "\n"


def _sound(entry: Entry) -> bool:
    """Say whether a sort can have written this: plain names, a target in a folder below the sorted one.

    Raises:
        ValueError, TypeError: no, for no disk can hold the names.
    """
    if any("\0" in field for field in (entry.target, entry.source, entry.mode, entry.sha256)):
        return False
    target = PurePath(os.fsdecode(os.fsencode(entry.target)))
    if target.anchor or ".." in target.parts:
        return False
    placed = len(target.parts) > 1 and os.path.isabs(os.fsencode(entry.source))
    return not entry.mode or (entry.mode in set(Mode) and placed)


def _torn(last_line: bytes) -> bool:
    """Say whether a line without an end is what a kill, or a power failure, leaves of one of ours."""
    written = last_line.rstrip(b"\0")
    return written[: len(BEGINNING)] == BEGINNING[: len(written)]
