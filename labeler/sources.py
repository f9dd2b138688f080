"""Folders and files to the names of pictures: streamed, in an order that never changes."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from labeler.errors import LabelerError

SUFFIXES = frozenset(
    ".jpg .jpeg .jpe .jfif .png .apng .webp .gif .bmp .dib .tif .tiff .jp2 .j2k .jpx .avif .heic .heif .hif"
    " .ico .tga .ppm .pgm .pbm .pnm .pcx .sgi".split()
)
"""File names that end like this are taken for pictures; what a file really is, its content decides."""


class Source:
    """The pictures below some folders, and single files, as names relative to one root.

    Each iteration walks the disk anew and yields names with forward slashes: the files of a folder first, then
    its subfolders, both sorted by name; folders behind symbolic links last, so that no folder is walked twice
    and no loop is endless. Names that begin with a dot are passed over, and files without a picture's suffix unless
    ``all_files`` are wanted. A file that was named itself is always taken.

    Attributes:
        inputs: What was given, absolute, without what lies inside another input.
        root: The folder that the names are relative to: the one input folder, else what all inputs share.
        passed_over: Files of the last iteration without a picture's suffix.
        unreadable: Folders of the last iteration that could not be listed, with the reason.
    """

    def __init__(self, inputs: Iterable[str | Path], *, absolute: bool = False, all_files: bool = False) -> None:
        paths = list(dict.fromkeys(os.path.abspath(os.fspath(path)) for path in inputs))
        for path in paths:
            if not os.path.lexists(path):
                raise LabelerError(f"there is no file or folder {path}")
        folders = [path for path in paths if os.path.isdir(path)]
        self.inputs = tuple(path for path in paths if not any(_inside(path, folder) for folder in folders))
        self._folders = folders
        self._absolute = absolute
        self._all_files = all_files
        self.root = _common_folder(self.inputs)
        self.passed_over = 0
        self.unreadable: list[str] = []

    def __iter__(self) -> Iterator[str]:
        """Yield the names of the pictures.

        Raises:
            LabelerError: a folder that was named itself cannot be listed.
        """
        self.passed_over = 0
        self.unreadable = []
        walked: set[tuple[int, int]] = set()
        linked: deque[str] = deque()
        for path in self.inputs:
            if os.path.isdir(path):
                yield from self._walk(path, walked, linked)
            else:
                yield self._name(path)
        while linked:
            yield from self._walk(linked.popleft(), walked, linked)

    def contains(self, folder: str) -> bool:
        """Say whether a folder, which need not exist, lies within an input, by whatever name."""
        inputs = set(map(_identity, self._folders)) - {None}
        return any(_identity(above) in inputs for above in (folder, *map(os.fspath, Path(folder).parents)))

    def _walk(self, folder: str, walked: set[tuple[int, int]], linked: deque[str]) -> Iterator[str]:
        pending = [folder]
        while pending:
            path = pending.pop()
            try:
                found = os.stat(path)
                if (found.st_dev, found.st_ino) in walked:
                    continue
                walked.add((found.st_dev, found.st_ino))
                files, folders, links = self._list(path)
            except OSError as exc:
                if path in self.inputs:
                    raise LabelerError(f"the folder {path} cannot be read: {exc.strerror}") from exc
                self.unreadable.append(f"{self._name(path)}: {exc.strerror}")
                continue
            prefix = self._name(path)
            prefix = "" if prefix == "." else prefix.rstrip("/") + "/"
            for name in files:
                yield prefix + name
            linked.extend(os.path.join(path, name) for name in links)
            pending.extend(os.path.join(path, name) for name in reversed(folders))

    def _list(self, folder: str) -> tuple[list[str], list[str], list[str]]:
        """Return the names of the pictures, of the subfolders, and of the links to folders."""
        files: list[str] = []
        folders: list[str] = []
        links: list[str] = []
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.startswith("."):
                    continue
                if _is_folder(entry):
                    (links if entry.is_symlink() else folders).append(entry.name)
                elif self._all_files or os.path.splitext(entry.name)[1].lower() in SUFFIXES:
                    files.append(entry.name)
                else:
                    self.passed_over += 1
        return sorted(files), sorted(folders), sorted(links)

    def _name(self, path: str) -> str:
        name = path if self._absolute else os.path.relpath(path, self.root)
        return name.replace(os.sep, "/")


def find(folder: str | Path) -> Source:
    """Return the pictures below one folder."""
    return Source([folder])


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # A link that leads to itself.
        return False


def _identity(path: str) -> tuple[int, int] | None:
    with suppress(OSError):
        found = os.stat(path)
        return found.st_dev, found.st_ino
    return None


def _inside(path: str, folder: str) -> bool:
    return path != folder and path.startswith(os.path.join(folder, ""))


def _common_folder(paths: Sequence[str]) -> str:
    if len(paths) == 1 and os.path.isdir(paths[0]):
        return paths[0]
    try:
        return os.path.commonpath([os.path.dirname(path) for path in paths])
    except ValueError as exc:
        raise LabelerError("the inputs share no folder; give at least one, and those of one drive") from exc
