"""The user's own folder of bundles. Which folder that is, the command line knows: it reads the environment."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

_folder_of: Callable[[], Path | None] = lambda: None  # noqa: E731 - set once, by the command line


def look_in(folder_of: Callable[[], Path | None]) -> None:
    """Find bundles by name in this folder, too, from now on; it is asked for when a name needs it."""
    global _folder_of  # The one setting of the process; workers get paths.
    _folder_of = folder_of


def named(file: str) -> dict[str, Path]:
    """Return the files of this name by the names of their folders, which are those of the bundles; none without any."""
    folder = _folder_of()
    return {path.parent.name: path for path in sorted(folder.glob(f"*/{file}"))} if folder else {}
