"""Find photos: folders and files to names, streamed in an order that never changes."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from heapq import merge
from itertools import islice
from pathlib import Path

from labeler import storage
from labeler.errors import LabelerError
from labeler.selection import Selection
from labeler.storage.store import key
from labeler.storage.walk import identity, is_inside

SUFFIXES = frozenset(
    ".jpg .jpeg .jpe .jfif .png .apng .webp .gif .bmp .dib .tif .tiff .jp2 .j2k .jpx .avif .heic .heif .hif"
    " .ico .tga .ppm .pgm .pbm .pnm .pcx .sgi".split()
)
"""Suffixes of the files that are taken for photos; the content decides what a file really is."""


class Source:
    """The photos below some folders, and single files, as names relative to one root.

    Each iteration walks the disk anew and yields names with forward slashes in the order of `storage.store.key`: the
    files of a folder first, then its subfolders, both sorted by name; see `storage.walk.Walk` for symbolic links. Names
    that begin with a dot are skipped, and so are files without a photo's suffix unless ``all_files`` is set. A file
    that is an input itself is taken whatever its suffix. ``selection`` leaves out more and does not change the order.

    Attributes:
        inputs: The inputs as absolute paths, without those that lie inside another input.
        root: The folder that the names are relative to: the only input folder, else the one that all inputs share.
        store: Where the files lie.
        passed_over: How many files without a photo's suffix the last iteration skipped.
        selection: Which names are yielded.
        selected: How many names the last iteration yielded.
        found: How many names it selected from; None when it stopped before the end.
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
        self.inputs = tuple(path for path in paths if not any(is_inside(path, folder) for folder in folders))
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
        """Return the folders that the last iteration could not list, each with the reason."""
        return [f"{self._shown(folder)}: {reason}" for folder, reason in self.store.unreadable.items()]

    def __iter__(self) -> Iterator[str]:
        """Yield the names of the photos.

        Raises:
            LabelerError: a folder that is an input itself cannot be listed.
            InputGoneError: a folder went away meanwhile.
        """
        self.selected = 0
        if not self.selection:  # The fast path: all workers wait for this.
            yield from map(self._shown, self._all()) if self._absolute else self._all()
            return
        names: Iterator[str] = self._matching()
        if self.selection.sample:
            names = (name for name in names if self.selection.rank(name) <= self._highest_rank)
        for name in islice(names, self.selection.limit or None):
            self.selected += 1
            yield self._shown(name)

    def again(self) -> Source:
        """Return a source of the same names with its own counts."""
        return Source(self.inputs, absolute=self._absolute, all_files=self._all_files, selection=self.selection)

    def contains(self, folder: str) -> bool:
        """Say whether a folder, which need not exist, lies within an input; compares inodes, for links."""
        inputs = set(map(identity, self.inputs)) - {None}
        return any(identity(above) in inputs for above in (folder, *map(os.fspath, Path(folder).parents)))

    @cached_property
    def _highest_rank(self) -> int:
        """Upper limit on the ranks in the sample; computed once, so that files that come or go do not change it."""
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
        return self.store.locate(name).replace(os.sep, "/") if self._absolute else name

    def _excludes(self, folder: str) -> bool:
        return bool(self.selection.exclude) and self.selection.excludes_folder(folder)


def find(folder: str | Path) -> Source:
    """Return the photos below one folder."""
    return Source([folder])


def _absolute(inputs: Iterable[str | Path]) -> list[str]:
    """Return the inputs as absolute paths, each once.

    Raises:
        LabelerError: there is no such file or folder, or it cannot be reached.
    """
    try:
        paths = list(dict.fromkeys(os.path.abspath(os.fspath(path)) for path in inputs))
    except FileNotFoundError as exc:
        raise LabelerError("the current folder no longer exists; change to another one") from exc
    for path in paths:
        try:
            os.lstat(path)
        except (FileNotFoundError, NotADirectoryError, ValueError) as exc:
            raise LabelerError(f"there is no file or folder {path}") from exc
        except OSError as exc:
            raise LabelerError(f"{path} cannot be read: {exc.strerror}") from exc
    return paths


def _common_folder(paths: Sequence[str]) -> str:
    if len(paths) == 1 and os.path.isdir(paths[0]):
        return paths[0]
    try:
        return os.path.commonpath([os.path.dirname(path) for path in paths])
    except ValueError as exc:
        raise LabelerError("the inputs share no folder; give at least one, and only inputs on one drive") from exc
