"""The seam to where files lie: names to bytes, in one order that the names alone decide."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import compress
from typing import NamedTuple, Protocol


def key(name: str) -> str:
    """Return what names are compared by: the files of a folder come before its subfolders, both sorted by name.

    A name has forward slashes and no NUL, which separates the folders here: it sorts before any other character.
    Python compares strings by code point, so the order depends on neither locale nor file system.
    """
    folder, slash, file = name.rpartition("/")
    return f"{folder.replace('/', chr(0))}\0\0{file}" if slash else f"\0{file}"


class Listed(NamedTuple):
    """Some files of a listing, in columns; each list has an entry for every file."""

    names: list[str]
    sizes: list[int]
    """In bytes."""
    versions: list[str]

    def only(self, wanted: Sequence[bool]) -> Listed:
        """Return those of which ``wanted`` says so."""
        if all(wanted):
            return self
        names, versions = compress(self.names, wanted), compress(self.versions, wanted)
        return Listed(list(names), list(compress(self.sizes, wanted)), list(versions))

    def run(self, start: int, end: int) -> Listed:
        """Return those from ``start`` up to ``end``."""
        return Listed(self.names[start:end], self.sizes[start:end], self.versions[start:end])

    def taken(self) -> Listed:
        """Return all of them, and keep none."""
        found = self.run(0, len(self.names))
        for column in self:
            column.clear()
        return found

    def append(self, name: str, size: int, version: str) -> None:
        """Append one."""
        self.names.append(name)
        self.sizes.append(size)
        self.versions.append(version)

    def extend(self, others: Listed) -> None:
        """Append others."""
        self.names.extend(others.names)
        self.sizes.extend(others.sizes)
        self.versions.extend(others.versions)


class Content(NamedTuple):
    """A file's bytes, and the version that they are of; a remote store answers one request with both."""

    data: bytes
    version: str


class Part(NamedTuple):
    """Some bytes of a file, and what the same answer says of the file."""

    data: bytes
    version: str
    size: int
    """Bytes of the whole file."""


class FileError(Exception):
    """A file that cannot be read. It costs its row, never the run."""

    def __init__(self, reason: str, version: str = "", size: int = 0) -> None:
        super().__init__(reason, version, size)
        self.reason = reason
        self.version = version
        """That of the file, where it could be reached."""
        self.size = size
        """Bytes of a file that has more than the limit; 0 of any other."""


class Store(Protocol):
    """Where files lie. A name is relative to the store's address, or absolute, with forward slashes."""

    address: str

    @property
    def batch_s(self) -> float:
        """Return how long a batch of its files should take, in seconds: the longer its answers take, the longer."""

    @property
    def unreadable(self) -> dict[str, str]:
        """Return the folders of the last walk that could not be listed, and why."""

    def again(self) -> Store:
        """Return a store for another walk of the same files, at the same time.

        Where a listing takes many requests, it gives what the first one found.
        """

    def locate(self, name: str) -> str:
        """Return where a file lies, in full; an absolute name is returned as it is, "" gives the address itself."""

    def walk(self, folders: Iterable[str], skips: Callable[[str], bool]) -> Iterator[str]:
        """Yield the names of all files below some folders, in ascending order of `key`, each once.

        Names that begin with a dot, and folders that ``skips`` says so of, are left out. "" is the address itself.

        Raises:
            LabelerError: one of ``folders`` cannot be listed.
            InputGoneError: a folder that was there has gone.
        """

    def listed(self, folders: Iterable[str], skips: Callable[[str], bool]) -> Iterator[Listed]:
        """Yield what `walk` yields, some files at a time, with the size and version of each, for millions of files.

        Raises:
            LabelerError: as `walk`.
        """

    def read(self, name: str, limit: int) -> Content:
        """Return a file's content, of at most ``limit`` bytes.

        Raises:
            FileError: it cannot be read, or is longer.
        """

    def read_range(self, name: str, start: int, length: int) -> Part:
        """Return at most ``length`` bytes of a file from its byte ``start`` on, by one request; fewer at its end.

        Raises:
            FileError: it cannot be read, or does not reach so far.
        """

    def ahead(self, names: Iterable[str], limit: int) -> None:
        """Announce the files that will be read next, in this order, each of at most ``limit`` bytes.

        Where each answer takes its time, they are asked for now, as far as memory allows.
        """

    def version(self, name: str) -> str | None:
        """Return what says that a file changed: None when it is gone, empty when it cannot be reached."""

    def write(self, name: str, content: bytes) -> None:
        """Write a file, whole or not at all; its folders are made.

        Raises:
            OSError: it cannot be written.
        """

    def write_new(self, name: str, content: bytes) -> bool:
        """Write a file, whole or not at all, unless there is one of this name; say whether it was written.

        Of several that write it at the same time, one succeeds (put if absent). It outlasts a power failure.

        Raises:
            OSError: it cannot be written.
        """

    def expect(self, folder: str) -> None:
        """Remember that a folder is there: that it has gone is then an error, and not the end of its files."""

    def confirm(self, files: Iterable[str]) -> None:
        """Confirm that the folders of files that could not be read are still there.

        Raises:
            InputGoneError: one has gone, and with it nobody knows how many other files.
        """

    def confirm_all(self) -> None:
        """Confirm that all folders that are expected are still there.

        Raises:
            InputGoneError: one has gone.
        """
