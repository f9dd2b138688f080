"""Where each file goes: knows what was sorted before and what stands on the disk; writes nothing."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from itertools import count
from pathlib import Path, PurePath, PurePosixPath

from labeler import placing
from labeler.errors import LabelerError
from labeler.journal import Entry, Move, Outcome
from labeler.records import Mode

UNSAFE = re.compile(r'[\x00-\x1f\x7f/\\:*?"<>|]')
RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)
"""Names that Windows keeps for itself."""
NAME_BYTES = 255
"""The longest name that common file systems allow."""
SUFFIX_LENGTH = 16
"""What follows a dot and is longer belongs to the name."""


class Destinations:
    """Gives each file a place of its own in the sorted folder."""

    def __init__(self, root: str, into: Path, mode: Mode, flat: bool, entries: Iterable[Entry]) -> None:
        self.root, self.into, self.mode, self.flat = root, into, mode, flat
        self.folder = os.path.realpath(into)
        standing = [entry.move for entry in entries if entry.mode and os.path.exists(into / entry.target)]
        self.placed: dict[str, list[Move]] = {}
        for move in reversed(standing):
            self.placed.setdefault(move.source, []).append(move)
        self.taken = {_key(move.target) for move in standing}
        self.numbers: dict[str, int] = {}
        self.ways: dict[Path, PurePath | None] = {}

    def move(self, source: str, folder: str) -> Move:
        """Return what is to be done with one file: nothing more, nothing at all, or a planned move."""
        if inside := self._inside(source):
            return Move(source, inside, self.mode, Outcome.THERE)
        wanted = self._wanted(PurePath(source), folder)
        present = os.path.isfile(source)
        for placed in self.placed.get(source, []):
            if not present or self._done(placed):
                return self._again(placed, wanted, present)
        if left := self._left(source, wanted, present):
            return Move(source, wanted, self.mode, left)
        return self._named(Move(source, wanted, self.mode))

    def _left(self, source: str, wanted: str, present: bool) -> Outcome | None:
        """Return why a file is not to be sorted, if so."""
        if not present:
            return Outcome.MISSING
        if self.mode is Mode.MOVE and os.path.islink(source):
            return Outcome.LINK
        if self.mode is Mode.MOVE and not PurePath(source).is_relative_to(self.root):
            return Outcome.OUTSIDE
        leads_out = self._way_to((self.into / wanted).parent) is None
        return Outcome.BLOCKED if leads_out else None

    def _inside(self, source: str) -> str:
        """Return the place of a file that stands in the sorted folder, empty for any other."""
        path = Path(source)
        way = self._way_to(path.parent)
        return "" if way is None else (way / path.name).as_posix()

    def _way_to(self, folder: Path) -> PurePath | None:
        """Return what leads from the sorted folder to one at or below it, None for any other."""
        if folder not in self.ways:
            self.ways[folder] = _way(self.folder, folder)
        return self.ways[folder]

    def _wanted(self, source: PurePath, folder: str) -> str:
        """Return the place the file would have, were it the only one."""
        below = source.relative_to(self.root) if source.is_relative_to(self.root) else PurePath(source.name)
        if placing.UNFINISHED.fullmatch(below.name):  # Such a file would be removed as what a kill has left.
            below = below.with_name(f"_{below.name}")
        return f"{folder}/{below.name if self.flat else below.as_posix()}"

    def _done(self, move: Move) -> bool:
        """Say whether the file stands at its target already: the right link, or the same bytes."""
        target = os.path.join(self.into, move.target)
        if os.path.islink(target):
            return move.mode is Mode.SYMLINK and os.readlink(target) == move.source
        return placing.same_bytes(move.source, target)

    def _again(self, placed: Move, wanted: str, present: bool) -> Move:
        """Return the move of a file sorted before; one that a kill left in both places is still to be finished."""
        if placed.mode is not self.mode or PurePath(placed.target).parent != PurePath(wanted).parent:
            raise LabelerError(
                f"{self.into} holds {placed.target}, made with --mode {placed.mode}; this sort wants {wanted} with "
                f"--mode {self.mode}. Undo the first (labeler sort --undo {self.into}) or choose another folder"
            )
        unfinished = self.mode is Mode.MOVE and present
        return replace(placed, outcome=Outcome.PLANNED if unfinished else Outcome.THERE, sha256="")

    def _named(self, wanted: Move) -> Move:
        """Return the move with the first number in its name that leaves every other file alone."""
        for number in count(self.numbers.get(_key(wanted.target), 1)):
            move = replace(wanted, target=_numbered(wanted.target, number))
            if _key(move.target) in self.taken:
                continue
            stands = os.path.lexists(self.into / move.target)
            if stands and not self._done(move):
                continue
            self.numbers[_key(wanted.target)] = number
            self.taken.add(_key(move.target))
            return replace(move, outcome=Outcome.THERE) if stands else move
        raise AssertionError("numbers do not end")


def check(root: str, into: Path) -> None:
    """Refuse a folder that contains the photos, or that cannot be made.

    Raises:
        LabelerError: with what to choose instead.
    """
    photos, folder = os.path.abspath(root), Path(os.path.realpath(into))
    if _way(str(folder), photos) is not None:
        raise LabelerError(f"{into} contains the photos ({photos}). Choose a folder beside or below them")
    if folder.exists() and not folder.is_dir():
        raise LabelerError(f"{into} is a file. Choose a folder, or a name that is free")
    if not folder.parent.is_dir():
        raise LabelerError(f"{folder.parent} does not exist. Create it, or choose another folder")


def _way(folder: str, path: str | Path) -> PurePath | None:
    """Return what leads from a folder to a path at or below it, None for any other.

    A folder can have two names: it is mounted twice, or the disk does not tell capital letters from small ones.
    """
    try:
        real = PurePath(os.path.realpath(path))
    except ValueError:  # No disk can hold such a name.
        return None
    for parent in (real, *real.parents):
        if str(parent) == folder or _same(str(parent), folder):
            return real.relative_to(parent)
    return None


def _same(first: str, second: str) -> bool:
    with suppress(OSError):
        return os.path.samefile(first, second)
    return False


def folder_name(label: str) -> str:
    """Return a label as the name of one folder: never a path, hidden, empty, too long or reserved."""
    text = unicodedata.normalize("NFC", label.encode("utf-8", "replace").decode())
    name = _clipped(UNSAFE.sub("_", text).strip(" ."), NAME_BYTES // 2).strip(" .")
    return f"_{name}" if not name or RESERVED.fullmatch(name) else name


def _key(target: str) -> str:
    """Return what two names share when some file system takes them for one."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", target).casefold())


def _numbered(target: str, number: int) -> str:
    """Return ``a/1.jpg`` as ``a/1-2.jpg`` for the number 2, and unchanged for 1."""
    path = PurePosixPath(target)
    stem, suffix = (path.stem, path.suffix) if len(path.suffix) <= SUFFIX_LENGTH else (path.name, "")
    ending = f"-{number}{suffix}"
    stem = _clipped(stem, NAME_BYTES - len(os.fsencode(ending)))
    return target if number == 1 else str(path.with_name(stem + ending))


def _clipped(name: str, size: int) -> str:
    """Return as much of a name as fits into ``size`` bytes."""
    return os.fsencode(name)[:size].decode("utf-8", "ignore")
