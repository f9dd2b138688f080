"""Plan where each file goes, given the journal and the disk; write nothing."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import lru_cache
from itertools import count
from pathlib import Path, PurePath, PurePosixPath

from labeler.errors import LabelerError
from labeler.records import Mode
from labeler.sorting.folders import clipped, key
from labeler.sorting.journal import Entry, Move, Outcome
from labeler.sorting.ledger import Entries, Plan
from labeler.sorting.originals import is_apart
from labeler.storage import transfer
from labeler.storage.address import absolute, below, is_remote

NAME_BYTES = 255
"""Upper limit in bytes on a file name, on common file systems."""
SUFFIX_LENGTH = 16
"""Upper limit on a suffix in characters; longer text after a dot belongs to the stem."""
WAYS = 4096
"""Upper limit on cached folders: the files of one folder come one after another."""


class Destinations:
    """Assigns each file a target of its own in the sorted folder."""

    def __init__(self, root: str, into: Path, mode: Mode, flat: bool, announced: Iterable[Entry]) -> None:
        self.into, self.mode, self.flat = into, mode, flat
        self._root, self._below_root, self._below_into = root, os.path.join(root, ""), os.path.join(into, "")
        folder = os.path.realpath(into)
        self._way_to = lru_cache(WAYS)(lambda path: _way(folder, path))
        self._leads_out = lru_cache(WAYS)(lambda target: _way(folder, self._path(target)) is None)
        self._is_folder = lru_cache(WAYS)(lambda target: os.path.isdir(self._path(target)))
        self._earlier = Entries(announced)
        self.plan = Plan(self._given() if self._earlier.files else None)

    def add(self, source: str, folder: str) -> None:
        """Plan the move of a file, unless it is planned already."""
        if self.plan.is_new(source):
            self.plan.add(self._move(source, folder))

    def _given(self) -> Iterator[str]:
        """Yield the targets at which files of an earlier sort exist."""
        return (key(target) for target in self._earlier.targets() if os.path.exists(self._path(target)))

    def _move(self, source: str, folder: str) -> Move:
        """Return the move of a file: planned, done already, or left for a reason."""
        if inside := self._inside(source):
            return Move(source=source, target=inside, mode=self.mode, outcome=Outcome.THERE)
        wanted = self._wanted(source, folder)
        present = is_apart(source) or os.path.isfile(source)  # What lies apart is asked for when it is copied.
        for placed in self._earlier.moves(source):
            if self._done(placed, made=True) if present else os.path.exists(self._path(placed.target)):
                return self._again(placed, wanted, present)
        if left := self._left(source, wanted, present):
            return Move(source=source, target=wanted, mode=self.mode, outcome=left)
        return self._named(source, wanted)

    def _left(self, source: str, wanted: str, present: bool) -> Outcome | None:
        """Return why a file is not sorted; None if it is."""
        if not present:
            return Outcome.MISSING
        if self.mode is Mode.MOVE and os.path.islink(source):
            return Outcome.LINK
        if self.mode is Mode.MOVE and not source.startswith(self._below_root):
            return Outcome.OUTSIDE
        return Outcome.BLOCKED if self._leads_out(wanted.rpartition("/")[0]) else None

    def _inside(self, source: str) -> str:
        """Return the target of a file that is in the sorted folder already; empty for any other."""
        if is_remote(source):
            return ""
        folder, _, name = source.rpartition(os.sep)
        way = self._way_to(folder + os.sep)
        return "" if way is None else (way / name).as_posix()

    def _path(self, target: str) -> str:
        return self._below_into + target

    def _wanted(self, source: str, folder: str) -> str:
        """Return the target of a file before a number is added."""
        path, name = _divided(below(self._root, source)) if is_remote(source) else self._place(source)
        if transfer.UNFINISHED.fullmatch(name):  # A file of this name would be removed as the remains of a kill.
            name = f"_{name}"
        return f"{folder}/{'' if self.flat else path}{name}"

    def _place(self, source: str) -> tuple[str, str]:
        """Return the folder of a file below the root, with a slash at its end, or an empty text; and its name."""
        name = source.rpartition(os.sep)[2]
        path = source[len(self._below_root) : len(source) - len(name)] if source.startswith(self._below_root) else ""
        return path.replace(os.sep, "/"), name

    def _done(self, move: Move, *, made: bool = False) -> bool:
        """Return whether the file is at its target already: the right link, or the same bytes.

        ``made`` says that a sort has written the target; its size and time are then compared instead of its bytes, or,
        where the original lies apart, its hash with that in the journal. What no sort has written is then another file.
        """
        target = self._path(move.target)
        if is_apart(move.source):
            return made and _has(target, move.sha256)
        if os.path.islink(target):
            return move.mode is Mode.SYMLINK and os.readlink(target) == move.source
        return transfer.is_copy(target, move.source) if made else transfer.same_bytes(target, move.source)

    def _again(self, placed: Move, wanted: str, present: bool) -> Move:
        """Return the move of a file that was sorted before; a move that a kill left in both places is planned again."""
        if placed.mode is not self.mode or placed.target.rpartition("/")[0] != wanted.rpartition("/")[0]:
            raise LabelerError(
                f"{self.into} holds {placed.target}, sorted with --mode {placed.mode}; this sort wants {wanted} with "
                f"--mode {self.mode}. Undo the first sort (labeler sort --undo {self.into}) or choose another folder"
            )
        unfinished = self.mode is Mode.MOVE and present
        return placed._replace(outcome=Outcome.PLANNED if unfinished else Outcome.THERE, sha256="")

    def _named(self, source: str, wanted: str) -> Move:
        """Return the move to the target with the first number that is free."""
        place, folder = key(wanted), wanted.rpartition("/")[0]
        for number in self._numbers(place):
            move = Move(source=source, target=_numbered(wanted, number), mode=self.mode)
            there = place if number == 1 else key(move.target)
            stands = self._is_folder(folder) and os.path.lexists(self._path(move.target))
            if stands and (self.plan.is_taken(there) or not self._done(move)):
                continue
            if self.plan.take(there):
                break
        if number > 1:
            self.plan.note_number(place, number)
        return move._replace(outcome=Outcome.THERE) if stands else move

    def _numbers(self, place: str) -> Iterator[int]:
        """Yield the numbers to try: 1, which adds none to the name, then the last one given and those after it."""
        yield 1
        yield from count(max(self.plan.number(place), 2))


def check(root: str, into: Path) -> None:
    """Refuse a folder that contains the photos, or that cannot be created.

    Raises:
        LabelerError: the folder is refused; the message says what to choose instead.
    """
    photos, folder = absolute(root), Path(os.path.realpath(into))
    if not is_remote(root) and _way(str(folder), photos) is not None:
        raise LabelerError(f"{into} contains the photos ({photos}). Choose a folder beside or below them")
    if folder.exists() and not folder.is_dir():
        raise LabelerError(f"{into} is a file. Choose a folder, or a name that is free")
    if not folder.parent.is_dir():
        raise LabelerError(f"{folder.parent} does not exist. Create it, or choose another folder")


def _way(folder: str, path: str | Path) -> PurePath | None:
    """Return the path relative to a folder at or above it; None if it is not below.

    A folder can have two names: it is mounted twice, or the file system is case-insensitive.
    """
    try:
        real = PurePath(os.path.realpath(path))
    except ValueError:  # No file system can hold such a name.
        return None
    for parent in (real, *real.parents):
        if str(parent) == folder or _same(str(parent), folder):
            return real.relative_to(parent)
    return None


def _same(first: str, second: str) -> bool:
    with suppress(OSError):
        return os.path.samefile(first, second)
    return False


def _divided(name: str) -> tuple[str, str]:
    """Return the folder of an object below the root, with a slash at its end, and its name; both stay below it."""
    *folders, own = [part for part in name.split("/") if part not in {"", ".", ".."}] or ["_"]
    return "".join(f"{folder}/" for folder in folders), own


def _has(path: str, sha256: str) -> bool:
    try:
        return transfer.digest(path) == sha256
    except transfer.UnreadableError:
        return False


def _numbered(target: str, number: int) -> str:
    """Return ``a/1.jpg`` as ``a/1-2.jpg`` for the number 2, and unchanged for 1."""
    if number == 1:
        return target
    path = PurePosixPath(target)
    stem, suffix = (path.stem, path.suffix) if len(path.suffix) <= SUFFIX_LENGTH else (path.name, "")
    ending = f"-{number}{suffix}"
    stem = clipped(stem, NAME_BYTES - len(os.fsencode(ending)))
    return str(path.with_name(stem + ending))
