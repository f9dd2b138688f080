"""The classes of a truth: the class folders of a directory, and whether a model knows their names."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from labeler.errors import LabelerError


def class_folders(directory: str | Path) -> tuple[str, ...]:
    """Return the sorted names of the class folders of a directory; hidden folders are no classes.

    Raises:
        LabelerError: the directory cannot be read, or has no folder in it.
    """
    try:
        with os.scandir(directory) as entries:
            names = sorted(entry.name for entry in entries if entry.is_dir() and not entry.name.startswith("."))
    except OSError as exc:
        raise LabelerError(f"the directory {directory} cannot be read: {exc.strerror}") from exc
    if not names:
        raise LabelerError(f"{directory} holds no class folders; it needs one folder of photos for each class")
    return tuple(names)


def class_of(file: str) -> str:
    """Return the class folder that a file stands in: the first folder in its name.

    Raises:
        LabelerError: it is in none.
    """
    folder, slash, _ = file.partition("/")
    if not slash:
        raise LabelerError(
            f"{file} is in no class folder; move it into the folder of its class, or out of the directory"
        )
    return folder


def check_names(holder: str, names: Iterable[str], class_names: Sequence[str]) -> None:
    """Check that all ``names`` are among the classes of the model.

    Raises:
        LabelerError: some are not; the message lists both sets.
    """
    found = set(names)
    unknown = sorted(found.difference(class_names))
    if unknown:
        raise LabelerError(
            f"{holder}: {', '.join(unknown)} - not known to the model. It knows {', '.join(class_names)}; "
            f"{holder}: {', '.join(sorted(found))}. Give them the model's names (folders by renaming them, those of "
            "a table with --classes theirs=model's), or use a model trained on these classes"
        )
