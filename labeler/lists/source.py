"""The files of a list as a source: in the order of names, each once, with the values that are kept."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import islice
from pathlib import Path

from labeler.errors import LabelerError, NoPicturesError
from labeler.lists.content import Content
from labeler.lists.names import LocalNames, RemoteNames, UnusableError
from labeler.records import ListedName
from labeler.selection import Selection
from labeler.sources import Source
from labeler.storage.address import asking, is_remote, parse
from labeler.storage.local import Local
from labeler.storage.shards import Shards
from labeler.storage.store import Listed, key
from labeler.tables.order import outside_memory

_LISTED_AT_ONCE = 1000


class ListSource(Source):
    """The files of a list. Names are relative to the folder or address that was given as an input, else to the list's
    own folder, to the current one where it comes from stdin, or to the bucket of its first address.

    They are taken whatever their suffix, and need not exist: each is read in its turn, and gets its row.

    Attributes:
        keep: The columns whose values its names carry, see `ListedName`.
        repeated: How many entries of the last iteration named a file again; the first one counts.
    """

    def __init__(
        self,
        content: Content,
        inputs: Sequence[str | Path] = (),
        *,
        absolute: bool = False,
        selection: Selection = Selection(),  # noqa: B008 - frozen
    ) -> None:
        root = _root(content, [os.fspath(one) for one in inputs])
        super().__init__([root], absolute=absolute, selection=selection)
        self._content = content
        self._named = RemoteNames(self.root) if is_remote(self.root) else LocalNames(self.root)
        self._disk: _Files | None = None
        if not is_remote(self.root):
            self._disk = _Files(self.root)
            self._disk.expect(self.root)
            self.store = Shards(self._disk)
        shown = content.wanted.path if content.wanted.path == "-" else os.path.abspath(content.wanted.path)
        self.inputs = (self.root, f"{shown}#sha256={content.sha256}")
        self.keep = content.wanted.keep
        self.repeated = 0

    def again(self) -> ListSource:
        """Return a source of the same names with its own counts."""
        return ListSource(self._content, [self.root], absolute=self._absolute, selection=self.selection)

    def contains(self, folder: str) -> bool:  # noqa: ARG002 - whatever it is
        """Say that no folder lies within a list: nothing is walked."""
        return False

    def listed(self) -> Iterator[Listed]:
        """Yield the names that an iteration yields, some at a time, with the versions of those that exist."""
        names = iter(self)
        while some := list(islice(names, _LISTED_AT_ONCE)):
            yield Listed(some, [0] * len(some), [self.store.version(name) or "" for name in some])

    def _all(self) -> Iterator[str]:
        """Yield the names in order, sorted outside of memory: of entries of one name, the first in the list."""
        self.repeated, last = 0, ""
        for name, kept in outside_memory(self._entries()):
            if name == last:
                self.repeated += 1
                continue
            if self._disk:
                self._disk.expect_mount(name)
            last = name
            yield ListedName.of(name, kept) if self.keep else name
        if not last:
            raise NoPicturesError(f"{self._content.wanted.shown} names no file")

    def _entries(self) -> Iterator[tuple[str, int, tuple[str, tuple[str, ...]]]]:
        for entry in self._content:
            try:
                name = self._named(entry.name)
            except UnusableError as exc:
                raise self._content.error(entry.number, str(exc)) from exc
            # With `--absolute`, names outside of the root have another place than as they stand here.
            yield key(self._shown(name)), entry.number, (name, entry.kept)

    def _shown(self, name: str) -> str:
        if not self._absolute:
            return name
        shown = self.store.locate(name).replace(os.sep, "/")
        return ListedName.of(shown, name.kept) if isinstance(name, ListedName) else shown


class _Files(Local):
    """The files of a list on this machine: a folder that a name speaks of need not exist, but no disk may go away."""

    def expect_mount(self, name: str) -> None:
        """Remember the file system that a file lies on."""
        self.expect(_mount(os.path.dirname(self.locate(name))))

    def expect(self, folder: str) -> None:
        """See `Store.expect`; nothing is done twice."""
        if folder != self._expected:
            super().expect(folder)
            self._expected = folder

    _expected: str | None = None

    def confirm(self, files: Iterable[str]) -> None:
        """See `Store.confirm`: the root and the file systems are still there."""
        if any(True for _ in files):
            self.confirm_all()


@lru_cache(1 << 16)
def _mount(folder: str) -> str:
    """Return the folder at which the file system of a folder is mounted, which need not exist."""
    above = os.path.dirname(folder)
    return folder if os.path.ismount(folder) or above == folder else _mount(above)


def _root(content: Content, inputs: Sequence[str]) -> str:
    """Return the place that names are relative to.

    Raises:
        LabelerError: several were given, or it is no folder.
    """
    if len(inputs) > 1:
        raise LabelerError(f"--from-list takes the names relative to one folder, not to {', '.join(inputs)}")
    if inputs:
        if not is_remote(inputs[0]) and not os.path.isdir(inputs[0].removeprefix("file://")):
            raise LabelerError(f"{inputs[0]} is no folder; with --from-list, an input is what names are relative to")
        return inputs[0]
    first = next(iter(content), None)
    if first and is_remote(first.name):
        bucket = parse(first.name)._replace(name="")
        return asking(str(bucket), dict(content.wanted.options) | dict(bucket.options))
    return os.path.dirname(os.path.abspath(content.wanted.path)) if content.wanted.path != "-" else os.getcwd()
