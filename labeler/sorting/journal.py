"""The moves of a sort, and its write-ahead journal: each move is on the disk before it is carried out."""

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
from labeler.storage.address import is_remote

NAME = ".labeler-sort.jsonl"
"""Name of the journal in the sorted folder. It is hidden, so that `classify` passes it over."""
BEGINNING = b'{"target": "'
"""Prefix of each line, of a torn one, too, if it is long enough."""
BLOCK = 1 << 16
"""Bytes per read when the last lines are searched backwards."""
MODES = frozenset(map(str, Mode))
_PLAIN = re.compile(r"[\w-][\w .~+@=,()-]*(?:/[\w-][\w .~+@=,()-]*)+", re.ASCII)
"""Targets that are relative paths without `..` on every system."""


class Outcome(StrEnum):
    """The outcome of a move, as shown to the user."""

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
    UNREACHED = "kept: its original cannot be reached"
    OCCUPIED = "kept: something else stands at its old place"
    REFUSED = "kept: its old name is refused there"

    @property
    def notable(self) -> bool:
        """Return whether the file is not where it was wanted."""
        return self not in {Outcome.PLANNED, Outcome.SORTED, Outcome.THERE, Outcome.UNDONE}


class Move(NamedTuple):
    """A file and its place in the sorted folder: ``target`` is relative to it, with forward slashes."""

    source: str
    """A path, or the address of an object, which can only be copied."""
    target: str
    mode: Mode = Mode.COPY
    outcome: Outcome = Outcome.PLANNED
    sha256: str = ""


class Entry(NamedTuple):
    """A line of the journal: the intent to create a folder (no ``mode``) or to place a file."""

    target: str
    source: str = ""
    mode: str = ""
    sha256: str = ""

    @property
    def move(self) -> Move:
        """Return the announced move."""
        return Move(source=self.source, target=self.target, mode=Mode(self.mode), sha256=self.sha256)


MADE = Entry(target="")
"""The intent to create the sorted folder itself."""


def begin(path: str) -> None:
    """Create the journal, or truncate a torn last line: its move was not begun."""
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
    """Append entries and sync them to the disk."""
    lines = map(_line, entries)
    if first := next(lines, b""):
        with open(path, "ab") as file:
            file.writelines(chain([first], lines))
            file.flush()
            os.fsync(file.fileno())


def read(path: str) -> Iterator[Entry]:
    """Yield the entries in the order they were written, without a torn last line.

    Raises:
        FileNotFoundError: there is no journal.
        LabelerError: a line before the last is damaged, or the journal is not written by a sort.
    """
    if not stat.S_ISREG(os.lstat(path).st_mode):
        raise LabelerError(f"{path} is a link, a folder or a device, not the journal of a sort. Remove it")
    with open(path, "rb") as file:
        for line in file:
            entry = _entry(line)
            if entry:
                yield entry
            elif line.endswith(b"\n") or not _torn(line):
                raise LabelerError(
                    f"{path} is damaged, so it is unknown what was sorted. "
                    "Restore it, or choose another folder to sort into"
                )


def last(path: str, count: int) -> list[Entry]:
    """Return the last ``count`` entries of files.

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
    """Replace the journal by one with these entries, or remove it if there are none."""
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
    """Return whether a journal announces its folder and nothing else."""
    with open(path, "rb") as file:
        return file.read(BLOCK) == _line(MADE)


def _line(entry: Entry) -> bytes:
    return json.dumps(entry._asdict()).encode() + b"\n"


def _entry(line: bytes) -> Entry | None:
    """Parse a line; None if it has no end, or no sort can have written it."""
    if not line.endswith(b"\n"):
        return None
    try:
        entry = Entry(**json.loads(line))
        return entry if _sound(entry) else None
    except (ValueError, TypeError, RecursionError):
        return None


def _sound(entry: Entry) -> bool:
    """Return whether a sort can have written an entry: plain names, and a target in a folder below the sorted one.

    Raises:
        ValueError, TypeError: no file system can hold the names.
    """
    if "\0" in "".join(entry):
        return False
    if _PLAIN.fullmatch(entry.target) and entry.source[:1] == "/" and entry.mode in MODES and entry.source.isascii():
        return True  # The usual case; the checks below take eight times as long.
    target = os.fsdecode(os.fsencode(entry.target)).replace(os.sep, "/")
    parts = [part for part in target.split("/") if part not in ("", ".")]
    if os.path.isabs(target) or os.path.splitdrive(target)[0] or ".." in parts:
        return False
    copied = is_remote(entry.source) and entry.mode == Mode.COPY
    placed = len(parts) > 1 and (copied or os.path.isabs(os.fsencode(entry.source)))
    return not entry.mode or (entry.mode in MODES and placed)


def _torn(last_line: bytes) -> bool:
    """Return whether a line without an end is one of ours, torn by a kill or a power failure."""
    written = last_line.rstrip(b"\0")
    return written[: len(BEGINNING)] == BEGINNING[: len(written)]
