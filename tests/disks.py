"""Snapshots of folders, and a full disk."""

from __future__ import annotations

import hashlib
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from labeler.sorting import holding, journal


def snapshot(folder: Path) -> dict[str, object]:
    """Return each file's SHA-256 and modification time by path, and each symbolic link's target.

    The journal, and the lock file that a kill leaves, are left out: they are not the user's.
    """
    found: dict[str, object] = {}
    for path in folder.rglob("*"):
        if path.is_symlink():
            found[str(path)] = os.readlink(path)
        elif path.is_file() and path.name not in (journal.NAME, holding.NAME):
            found[str(path)] = (hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_mtime_ns)
    return found


@contextmanager
def full_disk(free: int) -> Iterator[None]:
    """Make the system refuse to write a file beyond ``free`` bytes (RLIMIT_FSIZE)."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (free, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
