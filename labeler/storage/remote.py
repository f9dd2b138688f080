"""Objects of a remote store below one address: S3, Google Cloud Storage, Azure, HTTP; read by obstore."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import cached_property
from typing import TYPE_CHECKING, Any

import obstore
import pyarrow as pa
from obstore.exceptions import AlreadyExistsError, PermissionDeniedError, UnauthenticatedError

from labeler.errors import InputGoneError, LabelerError
from labeler.storage.addressed import Addressed
from labeler.storage.connect import FAILURES, connected, is_refusal, reason, version
from labeler.storage.remote_listing import RemoteListing, is_legal, is_readable
from labeler.storage.store import Content, FileError, Part

if TYPE_CHECKING:
    from obstore.store import ObjectStore

_HTTP = frozenset({"http", "https"})

_NOBODYS = ".labeler-asks-whether-the-store-answers"
"""A name that no object has."""


class Remote(Addressed):
    """The objects below one address. See `Store`. Picklable; connects when it is first used."""

    @cached_property
    def _store(self) -> ObjectStore:
        return connected(self._at)

    @cached_property
    def _listing(self) -> RemoteListing:
        return RemoteListing(self._at, self._store)

    def _pages(self, folder: str) -> Iterator[pa.Table]:
        """Yield the objects below a folder.

        Raises:
            LabelerError: the store refuses to be listed.
            InputGoneError: the store cannot be reached.
        """
        with self._reaching():
            try:
                yield from self._listing.pages(folder)
            except FAILURES as exc:
                if self._at.scheme not in _HTTP:
                    raise
                raise LabelerError(
                    f"{self._at.place} cannot be listed, for servers of web pages seldom list files (WebDAV): name "
                    f"single files instead ({reason(exc)})"
                ) from exc

    def read_range(self, name: str, start: int, length: int) -> Part:
        """See `Store.read_range`."""
        try:
            found = obstore.get(self._store, name, options={"range": (start, start + length)})
            return Part(bytes(found.bytes()), _version(found.meta), found.meta["size"])
        except FileNotFoundError as exc:
            raise FileError("there is no such object") from exc
        except FAILURES as exc:
            raise FileError(reason(exc)) from exc

    def ahead(self, names: Iterable[str], limit: int) -> None:
        """See `Store.ahead`."""
        _ = self._store  # Connected once, and not by each thread.
        self._reading.expect(names, limit)

    def _get(self, name: str, limit: int) -> Content:
        try:
            if not is_legal(name):
                return self._get_odd(name, limit)
            found = obstore.get(self._store, name)
            tag = _version(found.meta)
            _refuse_long(found.meta["size"], limit, tag)
            return Content(bytes(found.bytes()), tag)
        except FileNotFoundError as exc:
            raise FileError("there is no such object") from exc
        except FAILURES as exc:
            raise FileError(reason(exc)) from exc

    def _get_odd(self, name: str, limit: int) -> Content:
        """Return an object that obstore cannot ask for; of a store that is seen by few, two requests matter little."""
        if not is_readable(name):
            raise FileError("its name has an empty part or one of dots only, which no client here can ask for")
        files, root = self._listing.files
        path = f"{root}/{name}"
        found = files.get_file_info(path)
        tag = version(None, found.size or 0, found.mtime_ns // 10**9 if found.mtime_ns else 0)
        _refuse_long(found.size or 0, limit, tag)
        with files.open_input_file(path) as file:
            return Content(file.read(), tag)

    def version(self, name: str) -> str | None:
        """See `Store.version`: the entity tag."""
        if not is_legal(name):
            return ""
        try:
            return _version(obstore.head(self._store, name))
        except FileNotFoundError:
            return None
        except FAILURES:
            return ""

    def write(self, name: str, content: bytes) -> None:
        """See `Store.write`. One request: a put is atomic."""
        try:
            obstore.put(self._store, name, content, use_multipart=False)
        except FAILURES as exc:
            raise OSError(reason(exc)) from exc

    def write_new(self, name: str, content: bytes) -> bool:
        """See `Store.write_new`. One request, which the store refuses where there is such an object."""
        try:
            obstore.put(self._store, name, content, mode="create", use_multipart=False)
        except AlreadyExistsError:
            return False
        except FAILURES as exc:
            raise OSError(reason(exc)) from exc
        return True

    def confirm_all(self) -> None:
        """See `Store.confirm_all`: the store still answers, be it that it may not be listed."""
        with self._reaching(), suppress(PermissionDeniedError, UnauthenticatedError):
            if self._at.scheme in _HTTP:
                with suppress(FileNotFoundError):
                    obstore.head(self._store, _NOBODYS)
            else:
                next(iter(obstore.list(self._store, _NOBODYS)), None)

    @contextmanager
    def _reaching(self) -> Iterator[None]:
        """Tell a store that refuses from one that does not answer, and name it."""
        try:
            yield
        except FAILURES as exc:
            if is_refusal(exc):
                raise LabelerError(f"{self._at.place} cannot be listed: {reason(exc)}") from exc
            raise InputGoneError(
                f"{self._at.place} cannot be reached: {reason(exc)}. What is done is kept: run the same command again "
                "to continue"
            ) from exc


def _refuse_long(size: int, limit: int, tag: str) -> None:
    if size > limit:
        raise FileError(f"{size:,} bytes; the limit is {limit:,}", tag, size)


def _version(meta: Any) -> str:
    return version(meta["e_tag"], meta["size"], meta["last_modified"].timestamp())
