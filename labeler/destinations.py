"""Where each file goes: knows what was sorted before and what stands on the disk; writes nothing."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Iterable
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


class Destinations:
    """Gives each file a place of its own in the sorted folder."""

    def __init__(self, root: str, into: Path, mode: Mode, flat: bool, entries: Iterable[Entry]) -> None:
        self.root, self.into, self.mode, self.flat = root, into, mode, flat
        self.folder = os.path.realpath(into)
        standing = [entry.move for entry in entries if entry.mode and (into / entry.target).exists()]
        self.placed = {move.source: move for move in standing}
        self.taken = {_key(move.target) for move in standing}
        self.numbers: dict[str, int] = {}
        self.parents: dict[str, str] = {}

    def move(self, source: str, folder: str) -> Move:
        """Return what is to be done with one file: nothing more, nothing at all, or a planned move."""
        if inside := self._inside(source):
            return Move(source, inside, self.mode, Outcome.THERE)
        wanted = self._wanted(PurePath(source), folder)
        present = os.path.isfile(source)
        placed = self.placed.get(source)
        if placed and (not present or self._done(placed)):
            return self._again(placed, wanted, present)
        if not present:
            return Move(source, wanted, self.mode, Outcome.MISSING)
        if self.mode is Mode.MOVE and os.path.islink(source):
            return Move(source, wanted, self.mode, Outcome.LINK)
        return self._named(Move(source, wanted, self.mode))

    def _inside(self, source: str) -> str:
        """Return the place of a file that stands in the sorted folder, empty for any other."""
        parent, name = os.path.split(source)
        if parent not in self.parents:
            self.parents[parent] = os.path.realpath(parent)
        path = PurePath(self.parents[parent], name)
        return path.relative_to(self.folder).as_posix() if path.is_relative_to(self.folder) else ""

    def _wanted(self, source: PurePath, folder: str) -> str:
        """Return the place the file would have, were it the only one."""
        below = source.relative_to(self.root) if source.is_relative_to(self.root) else PurePath(source.name)
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
    photos, folder = Path(root).resolve(), into.resolve()
    if photos.is_relative_to(folder):
        raise LabelerError(f"{into} contains the photos ({photos}). Choose a folder beside or below them")
    if folder.exists() and not folder.is_dir():
        raise LabelerError(f"{into} is a file. Choose a folder, or a name that is free")
    if not folder.parent.is_dir():
        raise LabelerError(f"{folder.parent} does not exist. Create it, or choose another folder")


def folder_name(label: str) -> str:
    """Return a label as the name of one folder: never a path, hidden, empty, too long or reserved."""
    text = unicodedata.normalize("NFC", label.encode("utf-8", "replace").decode())
    name = _clipped(UNSAFE.sub("_", text).strip(" ."), NAME_BYTES // 2).strip(" ")
    return f"_{name}" if not name or RESERVED.fullmatch(name) else name


def _key(target: str) -> str:
    """Return what two names share when some file system takes them for one."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", target).casefold())


def _numbered(target: str, number: int) -> str:
    """Return ``a/1.jpg`` as ``a/1-2.jpg`` for the number 2, and unchanged for 1."""
    path = PurePosixPath(target)
    ending = f"-{number}{path.suffix}"
    stem = _clipped(path.stem, NAME_BYTES - len(os.fsencode(ending)))
    return target if number == 1 else str(path.with_name(stem + ending))


def _clipped(name: str, size: int) -> str:
    """Return as much of a name as fits into ``size`` bytes."""
    return os.fsencode(name)[:size].decode("utf-8", "ignore")
