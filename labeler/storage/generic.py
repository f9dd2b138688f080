"""Files of any store that fsspec knows, below one address: ``hf://``, ``ftp://``, ``sftp://``, ``memory://`` ..."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime
from functools import cached_property
from typing import Any

import fsspec
import pyarrow as pa
from fsspec.core import url_to_fs

from labeler.errors import InputGoneError, LabelerError, one_line
from labeler.storage.addressed import Addressed
from labeler.storage.listing import COLUMNS
from labeler.storage.store import Content, FileError, Part

_TAGS = ("ETag", "etag", "e_tag", "blob_id", "md5", "checksum")
_TIMES = ("mtime", "modified", "last_modified", "LastModified", "modify", "created")
"""What file systems call what tells of a file's change; some tell it with an own word."""


class Generic(Addressed):
    """The files below one address. See `Store`. Picklable; connects when it is first used.

    A version takes a request of its own. Only file systems that fsspec calls asynchronous are read ahead: of the
    others, many break when several threads ask at once.
    """

    @cached_property
    def _opened(self) -> tuple[fsspec.AbstractFileSystem, str]:
        """The file system, and the path there of the address.

        Raises:
            LabelerError: fsspec knows no such file system, or lacks a package that it needs for it.
        """
        if self._at.options:
            names = ", ".join(name for name, _ in self._at.options)
            raise LabelerError(f"{self._at.scheme}:// takes no {names}; its own environment variables say such things")
        try:
            files, path = url_to_fs(self._at.place, use_listings_cache=False)
        except ImportError as exc:
            raise LabelerError(f"{self._at.scheme}:// needs another package: {one_line(exc)}") from exc
        except ValueError as exc:
            raise LabelerError(f"{self._at.place} cannot be used: {one_line(exc)}") from exc
        except Exception as exc:
            raise InputGoneError(f"{self._at.place} cannot be reached: {_reason(exc)}") from exc
        return files, path.rstrip("/")

    def _pages(self, folder: str) -> Iterator[pa.Table]:
        files, root = self._opened
        with self._reaching():
            for _, _, found in files.walk(self._path(folder), detail=True, on_error="raise"):
                columns = {
                    "name": [one["name"][len(root) :].lstrip("/") for one in found.values()],
                    "size": [one["size"] or 0 for one in found.values()],
                    "version": [_version(one) for one in found.values()],
                }
                yield pa.table(columns, schema=COLUMNS)

    def read_range(self, name: str, start: int, length: int) -> Part:
        """See `Store.read_range`."""
        files, _ = self._opened
        path = self._path(name)
        try:
            found = files.info(path)
            size = found["size"] or 0
            return Part(files.cat_file(path, start, min(start + length, size)), _version(found), size)
        except FileNotFoundError as exc:
            raise FileError("there is no such file") from exc
        except Exception as exc:  # Each file system raises what its own library does.
            raise FileError(_reason(exc)) from exc

    def ahead(self, names: Iterable[str], limit: int) -> None:
        """See `Store.ahead`."""
        if self._opened[0].async_impl:
            self._reading.expect(names, limit)

    def _get(self, name: str, limit: int) -> Content:
        files, _ = self._opened
        path = self._path(name)
        try:
            found = files.info(path)
            size, version = found["size"] or 0, _version(found)
            content = files.cat_file(path) if size <= limit else b""
        except FileNotFoundError as exc:
            raise FileError("there is no such file") from exc
        except Exception as exc:  # Each file system raises what its own library does.
            raise FileError(_reason(exc)) from exc
        if size > limit:
            raise FileError(f"{size:,} bytes; the limit is {limit:,}", version, size)
        return Content(content, version)

    def version(self, name: str) -> str | None:
        """See `Store.version`: an entity tag or hash where the file system tells one, else size and time."""
        try:
            found = self._opened[0].info(self._path(name))
        except FileNotFoundError:
            return None
        except LabelerError:
            raise
        except Exception:  # noqa: BLE001 - each file system raises what its own library does
            return ""
        return None if found["type"] == "directory" else _version(found)

    def write(self, name: str, content: bytes) -> None:
        """See `Store.write`. Written beside, then renamed."""
        files, _ = self._opened
        path = self._path(name)
        beside = f"{path}.{secrets.token_hex(4)}.part"
        with _writing():
            files.makedirs(path.rpartition("/")[0], exist_ok=True)
            files.pipe_file(beside, content)
            files.mv(beside, path)

    def write_new(self, name: str, content: bytes) -> bool:
        """See `Store.write_new`.

        Raises:
            LabelerError: the file system has no exclusive creation.
        """
        files, _ = self._opened
        path = self._path(name)
        with _writing():
            files.makedirs(path.rpartition("/")[0], exist_ok=True)
            try:
                with files.open(path, "xb") as file:
                    file.write(content)
            except FileExistsError:
                return False
            except (NotImplementedError, ValueError) as exc:
                raise LabelerError(
                    f"{self._at.scheme}:// cannot create a file only where there is none, which parts of a table need: "
                    "write them to a folder, or to an object store"
                ) from exc
        return True

    def confirm_all(self) -> None:
        """See `Store.confirm_all`: the store still answers."""
        with self._reaching(), suppress(FileNotFoundError):
            self._opened[0].info(self._path(""))

    def _path(self, name: str) -> str:
        _, root = self._opened
        return f"{root}/{name}" if name else root

    @contextmanager
    def _reaching(self) -> Iterator[None]:
        try:
            yield
        except (LabelerError, GeneratorExit):
            raise
        except FileNotFoundError as exc:
            raise LabelerError(f"there is no {self._at.place}") from exc
        except Exception as exc:  # Each file system raises what its own library does.
            raise InputGoneError(
                f"{self._at.place} cannot be reached: {_reason(exc)}. What is done is kept: run the same command again "
                "to continue"
            ) from exc


@contextmanager
def _writing() -> Iterator[None]:
    """Raise OSError for whatever a file system raises."""
    try:
        yield
    except (OSError, LabelerError):
        raise
    except Exception as exc:  # Each file system raises what its own library does.
        raise OSError(_reason(exc)) from exc


def _version(found: Mapping[str, Any]) -> str:
    """Return what says that a file changed."""
    for name in _TAGS:
        if found.get(name):
            return str(found[name]).strip('"')
    changed = next((found[name] for name in _TIMES if found.get(name)), "")
    seconds = changed.timestamp() if isinstance(changed, datetime) else changed  # Memory tells both of one file.
    return f"{found['size']}-{seconds}"


def _reason(exc: Exception) -> str:
    return one_line(exc) or type(exc).__name__
