"""The seam to where files lie: names to bytes, in one order that the names alone decide."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple, Protocol


def key(name: str) -> str:
    """Return what names are compared by: the files of a folder come before its subfolders, both sorted by name.

    A name has forward slashes and no NUL, which separates the folders here: it sorts before any other character.
    Python compares strings by code point, so the order depends on neither locale nor file system.
    """
    folder, slash, file = name.rpartition("/")
    return f"{folder.replace('/', chr(0))}\0\0{file}" if slash else f"\0{file}"


class Content(NamedTuple):
    """A file's bytes, and the version that they are of; a remote store answers one request with both."""

    data: bytes
    version: str


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
    unreadable: dict[str, str]
    """Folders of the last walk that could not be listed, and why."""

    def locate(self, name: str) -> str:
        """Return where a file lies, in full; an absolute name is returned as it is, "" gives the address itself."""

    def walk(self, folders: Iterable[str], skips: Callable[[str], bool]) -> Iterator[str]:
        """Yield the names of all files below some folders, in ascending order of `key`, each once.

        Names that begin with a dot, and folders that ``skips`` says so of, are left out. "" is the address itself.

        Raises:
            LabelerError: one of ``folders`` cannot be listed.
            InputGoneError: a folder that was there has gone.
        """

    def read(self, name: str, limit: int) -> Content:
        """Return a file's content, of at most ``limit`` bytes.

        Raises:
            FileError: it cannot be read, or is longer.
        """

    def version(self, name: str) -> str | None:
        """Return what says that a file changed: None when it is gone, empty when it cannot be reached."""

    def write(self, name: str, content: bytes) -> None:
        """Write a file, whole or not at all; its folders are made.

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
