"""The finished order of a table's rows, kept in 4 bytes a row: a server that starts again has it at once."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labeler.storage import atomic

Ranks = NDArray[np.int32]

_LONGEST_NOTE = 1 << 16
"""Upper limit on the bytes of a note: it names a folder, and a few numbers."""


def write(file: Path, ranks: Ranks, about: dict[str, Any]) -> None:
    """Write the rank of each row, with what it is about.

    Raises:
        OSError: it cannot be written.
    """
    content = ranks.astype("<i4").tobytes()
    with atomic.placing(file) as beside, beside.open("wb") as stream:
        stream.write(json.dumps(about | {"digest": _digest(content)}).encode() + b"\n")
        stream.write(content)


def read(file: Path, about: dict[str, Any]) -> tuple[Ranks, int] | None:
    """Return the ranks about the same, and how many faces could not be read; None where there are none, or damaged."""
    try:
        with file.open("rb") as stream:
            note = json.loads(stream.readline(_LONGEST_NOTE))
            content = stream.read()
    except (OSError, ValueError, RecursionError):
        return None
    unread = note.pop("unread", None) if isinstance(note, dict) else None
    if not isinstance(unread, int) or note != about | {"digest": _digest(content)}:
        return None
    return np.frombuffer(content, "<i4").astype(np.int32), unread


def _digest(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=16).hexdigest()
