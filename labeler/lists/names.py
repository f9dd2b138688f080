"""What stands in a list to names relative to one root: names, paths, and addresses."""

from __future__ import annotations

import os
from urllib.parse import unquote

from labeler.errors import LabelerError
from labeler.storage.address import is_remote, parse


class UnusableError(ValueError):
    """A name or an address that leads to no place below the root, nor to any other of its store."""


class LocalNames:
    """Names of files below a folder of this machine; those that lie elsewhere are absolute paths.

    ``..`` and ``.`` are resolved as text, and so is what lies below the root: no link is followed.
    """

    def __init__(self, root: str) -> None:
        self._root = os.path.normpath(root)
        self._prefix = os.path.join(self._root, "")

    def __call__(self, text: str) -> str:
        """Return the name of what stands in a list.

        Raises:
            UnusableError: it is an address of a remote store.
        """
        if "//" not in text and "/." not in text and not text.startswith(("/", ".")) and not text.endswith("/"):
            return text
        if is_remote(text):
            raise UnusableError(f"{text} is remote, and the files of this list are of this machine; make two tables")
        path = os.path.normpath(os.path.join(self._root, _path_of(text)))
        path = path[1:] if path.startswith("//") else path  # POSIX leaves two slashes where there are two.
        if path == self._root:
            return "."
        return (path[len(self._prefix) :] if path.startswith(self._prefix) else path).replace(os.sep, "/")


class RemoteNames:
    """Names of objects below an address, all of one bucket."""

    def __init__(self, root: str) -> None:
        self._root = parse(root)
        self._prefix = f"{self._root.name}/" if self._root.name else ""

    def __call__(self, text: str) -> str:
        """Return the name of what stands in a list.

        Raises:
            UnusableError: it lies elsewhere.
        """
        if text.startswith(("/", "file://")):
            raise UnusableError(f"{text} is of this machine, and the files of this list are remote; make two tables")
        if not is_remote(text):
            return text.removeprefix("./")
        try:
            found = parse(text)
        except LabelerError as exc:
            raise UnusableError(str(exc)) from exc
        is_same = (found.scheme, found.bucket) == (self._root.scheme, self._root.bucket)
        if not is_same or (found.options and found.options != self._root.options):
            raise UnusableError(f"{text} is not in {self._root._replace(name='').place}; one table is of one bucket")
        if not found.name.startswith(self._prefix) or found.name == self._prefix:
            raise UnusableError(f"{text} is not below {self._root.place}; name a place above all files")
        return found.name[len(self._prefix) :]


def _path_of(text: str) -> str:
    """Return the path of a ``file://`` address, as RFC 8089 has it, and a path as it is."""
    if not text.startswith("file://"):
        return text
    host, slash, path = text.removeprefix("file://").partition("/")
    if host not in {"", "localhost"} or not slash:
        raise UnusableError(f"{text} is of another machine; a path of this one begins with file:///")
    return f"/{unquote(path, errors='surrogateescape')}"
