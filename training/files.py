"""The files of a run directory: written beside, then put in place, so that none is ever half written."""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from labeler.errors import OutputError


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a name beside ``path`` to write to; it takes the place of ``path`` when the block succeeds.

    Raises:
        OutputError: the file cannot be written.
    """
    beside = path.with_name(f".{path.stem}.part{path.suffix}")
    try:
        yield beside
        os.replace(beside, path)
    except OSError as exc:
        raise OutputError(f"cannot write {path}: {exc.strerror or exc}") from exc
    finally:
        beside.unlink(missing_ok=True)


def write(path: Path, content: str) -> None:
    """Write a text file.

    Raises:
        OutputError: it cannot be written.
    """
    with replacing(path) as beside:
        beside.write_text(content, encoding="utf-8", newline="")


def write_json(path: Path, value: Any) -> None:
    """Write a value as JSON for people to read.

    Raises:
        OutputError: the file cannot be written.
    """
    write(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def add_note(archive: Path, member: str, note: Any) -> None:
    """Add a JSON member to a ``.keras`` file, which is a zip; Keras passes over members it does not know."""
    with zipfile.ZipFile(archive, "a") as opened:
        opened.writestr(member, json.dumps(note))


def read_note(archive: Path, member: str) -> Any:
    """Return a JSON member of a ``.keras`` file; None when it has no such member.

    Raises:
        OSError, ValueError, zipfile.BadZipFile: the file cannot be read, or is broken.
    """
    with zipfile.ZipFile(archive) as opened:
        return json.loads(opened.read(member)) if member in opened.namelist() else None
