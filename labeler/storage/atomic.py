"""Files of our own: written beside, then put in place, so that none is ever half written."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from labeler.errors import LabelerError, OutputError

_CANNOT_SYNC = frozenset({errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EBADF})
"""What file systems say that do not know how to sync a folder."""


@contextmanager
def replacing(path: Path, advice: str = "") -> Iterator[Path]:
    """Give a name beside ``path`` to write to; it takes the place of ``path`` when the block succeeds, for good.

    Raises:
        OutputError: the file cannot be written; ``advice`` says what to do.
    """
    try:
        with placing(path) as beside:
            yield beside
    except OSError as exc:
        raise OutputError(f"cannot write {path}: {exc.strerror or exc}{advice}") from exc


@contextmanager
def placing(path: Path, *, durable: bool = True) -> Iterator[Path]:
    """Do what `replacing` does; only if ``durable``, a power failure leaves the old file or the new one, whole.

    Raises:
        OSError: the file cannot be written.
    """
    beside = unplaced(path)
    try:
        yield beside
        if durable:
            with beside.open("rb+") as file:
                os.fsync(file.fileno())
        os.replace(beside, path)
        if durable:
            sync_folder(path.parent)
    finally:
        with suppress(OSError):
            beside.unlink()


def unplaced(path: Path) -> Path:
    """Return the name that a file has until it takes its place; a run that was killed may have left it."""
    return path.with_name(f".{path.stem}.part{path.suffix}")


def sync_folder(folder: str | Path) -> None:
    """Wait until the names in a folder are on the disk, where its file system can tell.

    Raises:
        OSError: they cannot be written.
    """
    try:
        opened = os.open(folder or ".", os.O_RDONLY)
    except OSError:  # Its names may be written, but not read; or it is Windows.
        return
    try:
        os.fsync(opened)
    except OSError as exc:
        if exc.errno not in _CANNOT_SYNC:
            raise
    finally:
        os.close(opened)


def write(path: Path, content: str, advice: str = "") -> None:
    """Write a text file.

    Raises:
        OutputError: it cannot be written.
    """
    with replacing(path, advice) as beside:
        beside.write_text(content, encoding="utf-8", newline="")


def write_json(path: Path, value: Any) -> None:
    """Write a value as JSON for people to read.

    Raises:
        OutputError: the file cannot be written.
    """
    write(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def gone(path: str) -> bool:
    """Say whether there is no such file any more; one that only cannot be reached just now is not gone."""
    try:
        os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return False


def version(path: str) -> str | None:
    """Return what says that a file changed: see `version_of`. None when it is gone, empty when it cannot be reached."""
    try:
        return version_of(os.stat(path))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError):
        return ""


def version_of(found: os.stat_result) -> str:
    """Return size and modification time, in nanoseconds, of a file: what says that its content changed.

    Not the time of its inode's change: it tells of new links, names and permissions as well.
    """
    return f"{found.st_size}-{found.st_mtime_ns}"


def open_empty(folder: Path, purpose: str, advice: str) -> None:
    """Create a folder to fill, or take one that is empty.

    Raises:
        LabelerError: something is in it; ``advice`` says what to do.
        OutputError: it cannot be used.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        empty = not any(folder.iterdir())
    except OSError as exc:
        raise OutputError(f"cannot use {folder} as the {purpose}: {exc.strerror or exc}") from exc
    if not empty:
        raise LabelerError(f"{folder} is not empty; {advice}")
