"""Notes in a ``.keras`` file, which is a zip: JSON members that Keras passes over."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any


def add(archive: Path, member: str, note: Any) -> None:
    """Add a JSON member to a ``.keras`` file."""
    with zipfile.ZipFile(archive, "a") as opened:
        opened.writestr(member, json.dumps(note))


def read(archive: Path, member: str) -> Any:
    """Return a JSON member of a ``.keras`` file; None when it has no such member.

    Raises:
        OSError, ValueError, zipfile.BadZipFile: the file cannot be read, or is broken.
    """
    with zipfile.ZipFile(archive) as opened:
        return json.loads(opened.read(member)) if member in opened.namelist() else None
