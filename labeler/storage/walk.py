"""The names of the files below some folders of this machine: streamed, in an order that never changes."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress

from labeler.errors import LabelerError
from labeler.storage.presence import Presence
from labeler.storage.store import key

Identity = tuple[int, int]
"""Device and inode of a folder."""


class Walk:
    """One walk: see `Store.walk`.

    A folder behind a symbolic link is walked in the link's place, but no folder twice: one that is reached by its own
    name as well is walked there, so no loop is endless. Of several links to one folder, the first that is met counts.

    Attributes:
        unreadable: Folders that could not be listed, and why.
    """

    def __init__(
        self, path: Callable[[str], str], folders: Iterable[str], skips: Callable[[str], bool], presence: Presence
    ) -> None:
        self.unreadable: dict[str, str] = {}
        self._path = path
        self._folders = sorted(folders, key=lambda name: key(f"{name}/") if name else "")
        self._skips = skips
        self._presence = presence
        self._starts: dict[Identity, str] = {}
        """Folders that are walked by a certain name: those to walk, and those behind links."""
        self._places: dict[str, str] = {}
        """Where each of these really lies, and its name."""
        for name in self._folders:
            self._begin_at(name)

    def __iter__(self) -> Iterator[str]:
        """Yield the names of the files.

        Raises:
            LabelerError: one of the folders to walk cannot be listed.
            InputGoneError: a folder that was there has gone.
        """
        walked: set[Identity] = set()
        for top in self._folders:
            pending = [top]
            while pending:
                name = pending.pop()
                try:
                    found = identity_of(self._presence.note(self._path(name)))
                    if found in walked or self._starts.get(found, name) != name:
                        continue
                    walked.add(found)
                    files, folders = self._list(name)
                except OSError as exc:
                    self._note_unreadable(name, exc, named=name == top)
                    continue
                pending += reversed(folders)
                prefix = name and f"{name}/"
                for file in files:
                    yield prefix + file

    def _list(self, folder: str) -> tuple[list[str], list[str]]:
        """Return the names of a folder's files, and of its subfolders to walk, with the folder's own in front."""
        files: list[str] = []
        folders: list[str] = []
        links: list[str] = []
        prefix = folder and f"{folder}/"
        with os.scandir(self._path(folder)) as entries:
            for entry in entries:
                if entry.name.startswith("."):
                    continue
                if not _is_folder(entry):
                    files.append(entry.name)
                elif not self._skips(prefix + entry.name):
                    (links if entry.is_symlink() else folders).append(prefix + entry.name)
        for name in sorted(links):
            if not self._is_known(name):
                self._begin_at(name)
                folders.append(name)
        for name in folders:
            with suppress(OSError):  # Each is looked at now: it may go before its turn.
                self._presence.note(self._path(name))
        return sorted(files), sorted(folders)

    def _begin_at(self, folder: str) -> None:
        path = self._path(folder)
        if found := identity(path):
            self._starts.setdefault(found, folder)
        self._places.setdefault(os.path.realpath(path), folder)

    def _is_known(self, link: str) -> bool:
        """Say whether the folder behind a link is walked by another name: no hidden or skipped folder is above it."""
        real = os.path.realpath(self._path(link))
        return any(
            real == place or (is_inside(real, place) and self._reaches(name, os.path.relpath(real, place)))
            for place, name in self._places.items()
        )

    def _reaches(self, folder: str, below: str) -> bool:
        """Say whether a walk goes from a folder to one below it: none on the way is hidden or skipped."""
        for part in below.split(os.sep):
            folder = f"{folder}/{part}" if folder else part
            if part.startswith(".") or self._skips(folder):
                return False
        return True

    def _note_unreadable(self, name: str, exc: OSError, *, named: bool) -> None:
        path = self._path(name)
        self._presence.confirm(path if self._presence.knows(path) else os.path.dirname(path))
        if named:
            raise LabelerError(f"the folder {path} cannot be read: {exc.strerror}") from exc
        self.unreadable[name] = exc.strerror or str(exc)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # A link that leads to itself.
        return False


def identity_of(found: os.stat_result) -> Identity:
    """Return what tells a folder from all others."""
    return found.st_dev, found.st_ino


def identity(path: str) -> Identity | None:
    """Return what tells a folder from all others; None where it cannot be looked at."""
    try:
        return identity_of(os.stat(path))
    except OSError:
        return None


def is_inside(path: str, folder: str) -> bool:
    """Say whether a path lies below a folder, as far as their names tell."""
    return path != folder and path.startswith(os.path.join(folder, ""))
