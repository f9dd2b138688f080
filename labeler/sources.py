"""Which files are photos: folders and files to names, streamed in an order that never changes."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from functools import cached_property
from heapq import merge
from itertools import islice
from pathlib import Path

from labeler import storage
from labeler.errors import LabelerError
from labeler.selection import Selection
from labeler.storage.store import key

SUFFIXES = frozenset(
    ".jpg .jpeg .jpe .jfif .png .apng .webp .gif .bmp .dib .tif .tiff .jp2 .j2k .jpx .avif .heic .heif .hif"
    " .ico .tga .ppm .pgm .pbm .pnm .pcx .sgi".split()
)
"""Files named like this are taken for photos; the content decides what a file really is."""


class Source:
    """The photos below some folders, and single files, as names relative to one root.

    Each iteration walks the disk anew and yields names with forward slashes in the order of `storage.store.key`: the
    files of a folder first, then its subfolders, both sorted by name; see `storage.walk.Walk` for symbolic links. Names
    that begin with a dot are passed over, and files without an image's suffix unless ``all_files`` are wanted. A file
    that was named itself is taken whatever its suffix. ``selection`` leaves out more, and changes nothing in the order.

    Attributes:
        inputs: What was given, absolute, without what lies inside another input.
        root: The folder that the names are relative to: the one input folder, else what all inputs share.
        store: Where the files lie.
        passed_over: Files of the last iteration without an image's suffix.
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
        folders = {path for path in paths if os.path.isdir(path)}
        self.inputs = tuple(path for path in paths if not any(_inside(path, folder) for folder in folders))
        self.root = _common_folder(self.inputs)
        self.store = storage.at(self.root)
        self.selection = selection
        self.passed_over = self.selected = 0
        self.found: int | None = None
        self._absolute = absolute
        self._all_files = all_files
        self._folders = [self._name(path) for path in self.inputs if path in folders]
        self._files = sorted((self._name(path) for path in self.inputs if path not in folders), key=key)
        for folder in {*self._folders, *map(os.path.dirname, self._files)}:
            self.store.expect(folder)

    @property
    def unreadable(self) -> list[str]:
        """Return the folders of the last iteration that could not be listed, each with the reason."""
        return [f"{self._shown(folder)}: {reason}" for folder, reason in self.store.unreadable.items()]

    def __iter__(self) -> Iterator[str]:
        """Yield the names of the photos.

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

    def selects(self, name: str) -> bool:
        """Say whether a name that a table holds is one of those that an iteration gives, if its file is still there."""
        if self.selection.limit:
            return name in self._first
        local = self._name(name) if self._absolute else name
        in_sample = not self.selection.sample or self.selection.rank(local) <= self._highest_rank
        return in_sample and self.selection.matches(local)

    def again(self) -> Source:
        """Return a source of the same names that counts for itself."""
        return Source(self.inputs, absolute=self._absolute, all_files=self._all_files, selection=self.selection)

    def contains(self, folder: str) -> bool:
        """Say whether a folder, which need not exist, lies within an input, by whatever name."""
        inputs = set(map(_identity, self.inputs)) - {None}
        return any(_identity(above) in inputs for above in (folder, *map(os.fspath, Path(folder).parents)))

    @cached_property
    def _highest_rank(self) -> int:
        """What bounds the sample; once known it stays, whatever comes and goes meanwhile."""
        return self.selection.highest_rank(self.again()._matching())

    @cached_property
    def _first(self) -> frozenset[str]:
        return frozenset(self.again())

    def _matching(self) -> Iterator[str]:
        self.found, found = None, 0
        for name in self._all():
            found += 1
            if self.selection.matches(name):
                yield name
        self.found = found

    def _all(self) -> Iterator[str]:
        self.passed_over = 0
        below = self._wanted(self.store.walk(self._folders, self._excludes))
        return merge(self._files, below, key=key) if self._files else below

    def _wanted(self, names: Iterable[str]) -> Iterator[str]:
        if self._all_files:
            yield from names
            return
        for name in names:
            if os.path.splitext(name)[1].lower() in SUFFIXES:
                yield name
            else:
                self.passed_over += 1

    def _name(self, path: str) -> str:
        return "" if path == self.root else os.path.relpath(path, self.root).replace(os.sep, "/")

    def _shown(self, name: str) -> str:
        return os.path.join(self.root, name).replace(os.sep, "/") if self._absolute else name

    def _excludes(self, folder: str) -> bool:
        return bool(self.selection.exclude) and self.selection.excludes_folder(folder)


def find(folder: str | Path) -> Source:
    """Return the photos below one folder."""
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
