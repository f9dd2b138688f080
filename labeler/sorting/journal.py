"""A sort's moves, and the journal that has each of them on the disk before it is carried out."""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Iterable, Iterator
from contextlib import suppress
from enum import StrEnum
from itertools import chain
from typing import NamedTuple

from labeler.errors import LabelerError
from labeler.records import Mode
from labeler.storage import atomic

NAME = ".labeler-sort.jsonl"
"""The journal's file in the sorted folder. Hidden, so that `classify` does not see it."""
BEGINNING = b'{"target": "'
"""How each line begins, a torn one too, if it is long enough."""
BLOCK = 1 << 16
"""Bytes that are read at a time to find the end of the last line."""
MODES = frozenset(map(str, Mode))
_PLAIN = re.compile(r"[\w-][\w .~+@=,()-]*(?:/[\w-][\w .~+@=,()-]*)+", re.ASCII)
"""Targets that are relative and lead nowhere else on any system."""


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


class Move(NamedTuple):
    """One file and its place: ``target`` is relative to the sorted folder, with forward slashes."""

    source: str
    target: str
    mode: Mode = Mode.COPY
    outcome: Outcome = Outcome.PLANNED
    sha256: str = ""


class Entry(NamedTuple):
    """One line of the journal: the intent to make a folder (no ``mode``) or to place a file."""

    target: str
    source: str = ""
    mode: str = ""
    sha256: str = ""

    @property
    def move(self) -> Move:
        """Return the move that was announced."""
        return Move(self.source, self.target, Mode(self.mode), sha256=self.sha256)


MADE = Entry("")
"""The intent to make the sorted folder itself."""


def begin(path: str) -> None:
    """Create the journal, or cut off a last line that a kill has torn: what it announced was not begun."""
    with open(path, "a+b") as file:
        end = file.tell()
        while end:
            start = max(end - BLOCK, 0)
            file.seek(start)
            if line_end := file.read(end - start).rfind(b"\n") + 1:
                end = start + line_end
                break
            end = start
        file.truncate(end)
    atomic.sync_folder(os.path.dirname(path))


def append(path: str, entries: Iterable[Entry]) -> None:
    """Write the entries; they are on the disk when this returns."""
    lines = map(_line, entries)
    if first := next(lines, b""):
        with open(path, "ab") as file:
            file.writelines(chain([first], lines))
            file.flush()
            os.fsync(file.fileno())


def read(path: str) -> Iterator[Entry]:
    """Yield the entries as they were written, without a torn last line.

    Raises:
        FileNotFoundError: there is no journal.
        LabelerError: it is damaged before its last line, or no sort has written it.
    """
    if not stat.S_ISREG(os.lstat(path).st_mode):
        raise LabelerError(f"{path} cannot be read: no journal of a sort is a link, a folder or a device. Remove it")
    with open(path, "rb") as file:
        for line in file:
            entry = _entry(line)
            if entry:
                yield entry
            elif line.endswith(b"\n") or not _torn(line):
                raise LabelerError(
                    f"{path} is damaged and cannot tell what was sorted. "
                    "Restore it, or choose another folder to sort into"
                )


def last(path: str, count: int) -> list[Entry]:
    """Return the last entries of files that were announced, at most so many.

    Raises:
        FileNotFoundError: there is no journal.
    """
    with open(path, "rb") as file:
        size = start = file.seek(0, os.SEEK_END)
        while True:
            start = max(start - BLOCK, 0)
            file.seek(start)
            lines = file.read(size - start).splitlines(keepends=True)
            found = [entry for entry in map(_entry, lines if start == 0 else lines[1:]) if entry and entry.mode]
            if start == 0 or len(found) >= count:
                return found[-count:]


def keep(path: str, entries: Iterable[Entry]) -> None:
    """Forget all but these entries; without any, the journal goes."""
    beside = f"{path}.part"
    with suppress(FileNotFoundError):  # Left by a kill.
        os.unlink(beside)
    append(beside, entries)
    if os.path.exists(beside):
        os.replace(beside, path)
    else:
        os.unlink(path)
    atomic.sync_folder(os.path.dirname(path))


def tells_of_nothing(path: str) -> bool:
    """Say whether a sort has made its folder, and nothing in it."""
    with open(path, "rb") as file:
        return file.read(BLOCK) == _line(MADE)


def _line(entry: Entry) -> bytes:
    return json.dumps(entry._asdict()).encode() + b"\n"


def _entry(line: bytes) -> Entry | None:
    """Return what a line announces; None when it has no end, or no sort can have written it."""
    if not line.endswith(b"\n"):
        return None
    try:
        entry = Entry(**json.loads(line))
        return entry if _sound(entry) else None
    except (ValueError, TypeError, RecursionError):
        return None


def _sound(entry: Entry) -> bool:
    """Say whether a sort can have written this: plain names, a target in a folder below the sorted one.

    Raises:
        ValueError, TypeError: no, for no disk can hold the names.
    """
    if "\0" in "".join(entry):
        return False
    if _PLAIN.fullmatch(entry.target) and entry.source[:1] == "/" and entry.mode in MODES and entry.source.isascii():
        return True  # The usual one; what follows takes eight times as long.
    target = os.fsdecode(os.fsencode(entry.target)).replace(os.sep, "/")
    parts = [part for part in target.split("/") if part not in ("", ".")]
    if os.path.isabs(target) or os.path.splitdrive(target)[0] or ".." in parts:
        return False
    placed = len(parts) > 1 and os.path.isabs(os.fsencode(entry.source))
    return not entry.mode or (entry.mode in MODES and placed)


def _torn(last_line: bytes) -> bool:
    """Say whether a line without an end is what a kill, or a power failure, leaves of one of ours."""
    written = last_line.rstrip(b"\0")
    return written[: len(BEGINNING)] == BEGINNING[: len(written)]
