"""Write files of our own atomically: write beside, fsync, rename, so that no file is ever half written."""

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
"""Errors of file systems that cannot fsync a folder."""


@contextmanager
def replacing(path: Path, advice: str = "") -> Iterator[Path]:
    """Yield a path beside ``path`` to write to, and rename it to ``path`` when the block succeeds, durably.

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
    """Do what `replacing` does; if ``durable``, by fsync: a power failure leaves the old file or the new one, whole.

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
    """Fsync a folder, so that its names are on the disk, where the file system can do that.

    Raises:
        OSError: they cannot be written.
    """
    try:
        opened = os.open(folder or ".", os.O_RDONLY)
    except OSError:  # The folder may be written, but not read; or it is Windows.
        return
    try:
        os.fsync(opened)
    except OSError as exc:
        if exc.errno not in _CANNOT_SYNC:
            raise
    finally:
        os.close(opened)


def write(path: Path, content: str, advice: str = "") -> None:
    """Write a text file atomically.

    Raises:
        OutputError: it cannot be written.
    """
    with replacing(path, advice) as beside:
        beside.write_text(content, encoding="utf-8", newline="")


def write_json(path: Path, value: Any) -> None:
    """Write a value as indented JSON, atomically.

    Raises:
        OutputError: the file cannot be written.
    """
    write(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def open_empty(folder: Path, purpose: str, advice: str) -> None:
    """Create a folder to fill, or accept an empty one.

    Raises:
        LabelerError: the folder is not empty; ``advice`` says what to do.
        OutputError: it cannot be used.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        empty = not any(folder.iterdir())
    except OSError as exc:
        raise OutputError(f"cannot use {folder} as the {purpose}: {exc.strerror or exc}") from exc
    if not empty:
        raise LabelerError(f"{folder} is not empty; {advice}")
