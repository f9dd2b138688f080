"""Find photos: folders and files to names, streamed in an order that never changes."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from heapq import merge
from itertools import islice, takewhile
from pathlib import Path
from typing import NamedTuple

from labeler import storage
from labeler.errors import LabelerError
from labeler.member import COMPRESSED, Member, is_shard
from labeler.selection import Selection
from labeler.storage.address import is_remote, local, parse
from labeler.storage.expansion import Expansion, Listings, in_place
from labeler.storage.store import Listed, key
from labeler.storage.walk import identity, is_inside

SUFFIXES = frozenset(
    ".jpg .jpeg .jpe .jfif .png .apng .webp .gif .bmp .dib .tif .tiff .jp2 .j2k .jpx .avif .heic .heif .hif"
    " .ico .tga .ppm .pgm .pbm .pnm .pcx .sgi".split()
)
"""Suffixes of the files that are taken for photos; the content decides what a file really is."""

_LISTED_AT_ONCE = 1000


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
        compressed: How many of those that it skipped are compressed tars.
        selection: Which names are yielded.
        selected: How many names the last iteration yielded.
        found: How many names it selected from; None when it stopped before the end.
        keep: What is known of each name besides, in the columns of a list; see `lists.source.ListSource`.
    """

    keep: tuple[str, ...] = ()

    def __init__(
        self,
        inputs: Iterable[str | Path],
        *,
        absolute: bool = False,
        all_files: bool = False,
        selection: Selection = Selection(),  # noqa: B008 - frozen
    ) -> None:
        found = _found([local(os.fspath(one)) for one in inputs])
        self.inputs, self.root = found.inputs, found.root
        self.store = storage.at(self.root)
        self._listings = Listings(self.store)
        self.selection = selection
        self.selected = self.compressed = self._passed_over = 0
        self._expansion: Expansion | None = None
        self.found: int | None = None
        self._absolute = absolute
        self._all_files = all_files
        self._folders, self._files = found.folders, sorted(found.files, key=key)
        for folder in {*self._folders, *map(os.path.dirname, self._files)}:
            self.store.expect(folder)

    @property
    def passed_over(self) -> int:
        """Return how many files without a photo's suffix the last iteration skipped, in folders and in shards."""
        return self._passed_over + (self._expansion.passed_over if self._expansion else 0)

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

    def listed(self) -> Iterator[Listed]:
        """Yield the names that an iteration yields, some at a time, with sizes and versions.

        Of a shard its own name, in the place of its members, unless there is a selection: then theirs. `members` gives
        them.

        Raises:
            LabelerError: as an iteration.
        """
        self._passed_over = self.compressed = 0
        if not self.selection and not self._files and not self._absolute:
            pages = map(self._photos_of, self.store.listed(self._folders, self.selection.excludes_folder))
            yield from in_place(pages)
            return
        yield from in_place(self._versions_of(iter(self) if self.selection or self._absolute else self._unexpanded()))

    def _versions_of(self, names: Iterator[str]) -> Iterator[Listed]:
        while some := list(islice(names, _LISTED_AT_ONCE)):
            versions = [self._version(name) for name in some]
            yield Listed(some, [0] * len(some), versions)

    def members(self, shard: str) -> Iterator[str]:
        """Yield the names of the photos in a shard, as an iteration does."""
        yield from Expansion(self._listings, self._wants, self._files)([shard])

    def _photos_of(self, page: Listed) -> Listed:
        if self._all_files:
            return page
        wanted = [self._wants(name) or is_shard(name) for name in page.names]
        self._passed_over += len(wanted) - sum(wanted)
        return page.only(wanted)

    def _version(self, name: str) -> str:
        return name.shard.version if isinstance(name, Member) else self.store.version(name) or ""

    def again(self) -> Source:
        """Return a source of the same names with its own counts."""
        made = Source(self.inputs, absolute=self._absolute, all_files=self._all_files, selection=self.selection)
        made.store, made._listings = self.store.again(), self._listings
        return made

    def count(self) -> int | None:
        """Return how many names a pass of its own yields; None where shards of a remote store would have to be read."""
        again, number = self.again(), 0
        remote = is_remote(self.root)
        for name in again:
            if remote and isinstance(name, Member):
                return None
            number += 1
        return number

    def contains(self, folder: str) -> bool:
        """Say whether a folder, which need not exist, lies within an input; compares inodes, for links."""
        if is_remote(self.root):
            return False
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
        self._passed_over = self.compressed = 0
        self._expansion = Expansion(self._listings, self._wants, self._files)
        return self._expansion(self._unexpanded())

    def _unexpanded(self) -> Iterator[str]:
        """Yield the names of photos and shards."""
        below = self._wanted(self.store.walk(self._folders, self.selection.excludes_folder))
        return merge(self._files, below, key=key) if self._files else below

    def _wanted(self, names: Iterable[str]) -> Iterator[str]:
        if self._all_files:
            yield from names
            return
        for name in names:
            if self._wants(name) or is_shard(name):
                yield name
            else:
                self._passed_over += 1
                self.compressed += name.endswith(COMPRESSED)

    def _wants(self, name: str) -> bool:
        return self._all_files or _is_photo(name)

    def _shown(self, name: str) -> str:
        if not self._absolute:
            return name
        shown = self._absolute_name(name)
        return name.named(shown) if isinstance(name, Member) else shown

    def _absolute_name(self, name: str) -> str:
        return self.store.locate(name) if is_remote(self.root) else self.store.locate(name).replace(os.sep, "/")


def find(folder: str | Path) -> Source:
    """Return the photos below one folder."""
    return Source([folder])


def _is_photo(name: str) -> bool:
    dot = name.rfind(".")  # `os.path.splitext` takes four times as long, and matters only where the name is all suffix.
    return name[dot:].lower() in SUFFIXES and (name[dot - 1 : dot] not in "./" or os.path.splitext(name)[1] != "")


class _Found(NamedTuple):
    """The inputs of a source: in full, and as names relative to the root."""

    inputs: tuple[str, ...]
    root: str
    folders: list[str]
    files: list[str]


def _found(inputs: Sequence[str]) -> _Found:
    """Return what inputs are.

    Raises:
        LabelerError: there is no such file or folder, it cannot be reached, or they share no root.
    """
    if not any(map(is_remote, inputs)):
        return _local(inputs)
    if not all(map(is_remote, inputs)):
        raise LabelerError("photos of this machine and of a remote store go into two tables")
    return _remote(inputs)


def _local(inputs: Sequence[str]) -> _Found:
    paths = _absolute(inputs)
    below = {path for path in paths if os.path.isdir(path)}
    paths = [path for path in paths if not any(is_inside(path, folder) for folder in below)]
    root = _common_folder(paths)
    names = {path: "" if path == root else os.path.relpath(path, root).replace(os.sep, "/") for path in paths}
    return _Found(
        tuple(paths),
        root,
        [names[path] for path in paths if path in below],
        [names[path] for path in paths if path not in below],
    )


def _remote(inputs: Sequence[str]) -> _Found:
    """Return what addresses are: one whose last part has a suffix, and which is there, is a file."""
    places = list(dict.fromkeys(map(parse, inputs)))
    buckets = {place._replace(name="") for place in places}
    if len(buckets) > 1:
        raise LabelerError("the inputs share no bucket; give each bucket a table of its own")
    bucket = storage.at(str(*buckets))
    files = {one.name for one in places if os.path.splitext(one.name)[1] and bucket.version(one.name) is not None}
    below = {one.name for one in places} - files
    names = [one.name for one in places if not any(_is_below(one.name, folder) for folder in below)]
    parts = [name.split("/") if name in below else name.split("/")[:-1] for name in names]
    common = "/".join(_shared(parts))
    root = str(buckets.pop()._replace(name=common))
    relative = {name: name[len(common) :].lstrip("/") for name in names}
    return _Found(
        tuple(bucket.locate(name) for name in names),
        root,
        [relative[name] for name in names if name in below],
        [relative[name] for name in names if name not in below],
    )


def _shared(paths: Sequence[list[str]]) -> list[str]:
    """Return the folders that all paths begin with."""
    first, last = min(paths), max(paths)
    return [one for one, _ in takewhile(lambda pair: pair[0] == pair[1], zip(first, last, strict=False))]


def _is_below(name: str, folder: str) -> bool:
    return name != folder and (not folder or name.startswith(f"{folder}/"))


def _absolute(inputs: Iterable[str]) -> list[str]:
    """Return the inputs as absolute paths, each once.

    Raises:
        LabelerError: there is no such file or folder, or it cannot be reached.
    """
    try:
        paths = list(dict.fromkeys(os.path.abspath(path) for path in inputs))
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
