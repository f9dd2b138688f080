"""Folders and files to the names of pictures: streamed, in an order that never changes."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from functools import cached_property
from itertools import islice
from pathlib import Path

from labeler.errors import LabelerError
from labeler.selection import Selection
from labeler.storage.presence import Presence

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
    ``all_files`` are wanted. A file that was named itself is taken whatever its suffix. ``selection`` leaves out more,
    and changes nothing in the order.

    Attributes:
        inputs: What was given, absolute, without what lies inside another input.
        root: The folder that the names are relative to: the one input folder, else what all inputs share.
        passed_over: Files of the last iteration without a picture's suffix.
        unreadable: Folders of the last iteration that could not be listed, with the reason.
        selection: What is left out.
        selected: How many names the last iteration gave.
        found: Out of how many; None when it was left before its end.
    """

    def __init__(
        self,
        inputs: Iterable[str | Path],
        *,
        absolute: bool = False,
        all_files: bool = False,
        selection: Selection = Selection(),  # noqa: B008 - frozen
    ) -> None:
        paths = _absolute(inputs)
        self._folders = {path for path in paths if os.path.isdir(path)}
        self.inputs = tuple(path for path in paths if not any(_inside(path, folder) for folder in self._folders))
        self._absolute = absolute
        self._all_files = all_files
        self.root = _common_folder(self.inputs)
        self.selection = selection
        self.passed_over = self.selected = 0
        self.found: int | None = None
        self.unreadable: list[str] = []
        self._presence = Presence()
        for folder in {path if path in self._folders else os.path.dirname(path) for path in self.inputs}:
            with suppress(OSError):
                self._presence.note(folder, named=True)

    def __iter__(self) -> Iterator[str]:
        """Yield the names of the pictures.

        Raises:
            LabelerError: a folder that was named itself cannot be listed.
            InputGoneError: a folder that was there has gone.
        """
        self.selected = 0
        if not self.selection:  # As fast as can be, for this holds up all workers.
            yield from map(self._shown, self._all()) if self._absolute else self._all()
            return
        names: Iterator[str] = self._matching()
        if self.selection.sample:
            names = (name for name in names if self.selection.rank(name) <= self._highest_rank)
        for name in islice(names, self.selection.limit or None):
            self.selected += 1
            yield self._shown(name)

    def confirm(self, files: Iterable[str]) -> None:
        """Confirm that the folders of files that could not be read are still there.

        Raises:
            InputGoneError: one has gone, and with it no one knows how many other files.
        """
        for file in {os.path.dirname(file): file for file in files}.values():
            path = os.path.join(self.root, file)
            self._presence.confirm(os.path.dirname(path), path)

    def confirm_all(self) -> None:
        """Confirm that the inputs, and what is mounted below them, are still there.

        Raises:
            InputGoneError: one has gone.
        """
        self._presence.confirm_all()

    def again(self) -> Source:
        """Return a source of the same names that counts for itself."""
        return Source(self.inputs, absolute=self._absolute, all_files=self._all_files, selection=self.selection)

    def contains(self, folder: str) -> bool:
        """Say whether a folder, which need not exist, lies within an input, by whatever name."""
        inputs = set(map(_identity, self._folders)) - {None}
        return any(_identity(above) in inputs for above in (folder, *map(os.fspath, Path(folder).parents)))

    @cached_property
    def _highest_rank(self) -> int:
        """What bounds the sample; once known it stays, whatever comes and goes meanwhile."""
        return self.selection.highest_rank(self.again()._matching())

    def _matching(self) -> Iterator[str]:
        self.found, found = None, 0
        for name in self._all():
            found += 1
            if self.selection.matches(name):
                yield name
        self.found = found

    def _all(self) -> Iterator[str]:
        self.passed_over = 0
        self.unreadable = []
        walked: set[tuple[int, int]] = set()
        linked: deque[str] = deque()
        for path in self.inputs:
            if os.path.isdir(path) or path in self._folders:
                yield from self._walk(path, walked, linked)
            else:
                yield self._name(path)
        while linked:
            yield from self._walk(linked.popleft(), walked, linked)

    def _walk(self, folder: str, walked: set[tuple[int, int]], linked: deque[str]) -> Iterator[str]:
        pending = [folder]
        while pending:
            path = pending.pop()
            try:
                found = self._presence.note(path)
                if (found.st_dev, found.st_ino) in walked:
                    continue
                walked.add((found.st_dev, found.st_ino))
                files, folders, links = self._list(path)
            except OSError as exc:
                self._presence.confirm(path if self._presence.knows(path) else os.path.dirname(path))
                if path in self._folders:
                    raise LabelerError(f"the folder {path} cannot be read: {exc.strerror}") from exc
                self.unreadable.append(f"{self._shown(self._name(path))}: {exc.strerror}")
                continue
            prefix = self._name(path)
            prefix = "" if prefix == "." else prefix.rstrip("/") + "/"
            linked.extend(self._below(path, prefix, links))
            pending.extend(reversed(self._below(path, prefix, folders)))
            for name in files:
                yield prefix + name

    def _below(self, folder: str, prefix: str, names: Sequence[str]) -> list[str]:
        """Return the paths of subfolders that are not excluded, each looked at: it may go before its turn."""
        wanted = [os.path.join(folder, name) for name in names if not self._excludes(prefix + name)]
        for path in wanted:
            with suppress(OSError):
                self._presence.note(path)
        return wanted

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
        return os.path.relpath(path, self.root).replace(os.sep, "/")

    def _shown(self, name: str) -> str:
        return os.path.join(self.root, name).replace(os.sep, "/") if self._absolute else name

    def _excludes(self, folder: str) -> bool:
        return bool(self.selection.exclude) and self.selection.excludes_folder(folder)


def find(folder: str | Path) -> Source:
    """Return the pictures below one folder."""
    return Source([folder])


def _absolute(inputs: Iterable[str | Path]) -> list[str]:
    """Return the paths of what was given, each once.

    Raises:
        LabelerError: there is no such file or folder, or it cannot be reached.
    """
    try:
        paths = list(dict.fromkeys(os.path.abspath(os.fspath(path)) for path in inputs))
    except FileNotFoundError as exc:
        raise LabelerError("the current folder does not exist any more; change to another one") from exc
    for path in paths:
        try:
            os.lstat(path)
        except (FileNotFoundError, NotADirectoryError, ValueError) as exc:
            raise LabelerError(f"there is no file or folder {path}") from exc
        except OSError as exc:
            raise LabelerError(f"{path} cannot be read: {exc.strerror}") from exc
    return paths


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
