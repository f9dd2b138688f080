"""Save face crops as files, each under a name that is unique on any disk and the same in every run."""

from __future__ import annotations

import os
import re
from pathlib import Path

from labeler.errors import OutputError
from labeler.records import Settings
from labeler.storage.address import below, is_remote
from labeler.storage.local import Local
from labeler.storage.names import ADVICE, REFUSED, Names, hashed

_CROP = re.compile(r".*\.face\d+\.png", re.DOTALL | re.IGNORECASE)


class Crops:
    """The crops below one folder: ``<folder>/<file>.face<index>.png`` wherever the disk keeps such a name unchanged.

    Otherwise each part of the name that is not plain gets a hash of itself. A crop's name depends on its file's name
    and on the disk only, not on other files there or on the order.
    """

    def __init__(self, settings: Settings) -> None:
        self._store = Local(settings.save_crops)
        self._names = Names(self._store.address)
        self._root = settings.root

    def name(self, file: str, index: int) -> str:
        """Return the name of a face's crop; it lies below the crops' folder as the file does below the root."""
        *folders, name = self._parts(file)
        return "/".join((*map(self._folder, folders), f"{self._names.distinct(name)}.face{index}.png"))

    def _folder(self, part: str) -> str:
        """Return a folder's name: never that of a crop, so that the two cannot collide, nor one that leads upwards."""
        return hashed(part) if part == os.pardir or _CROP.fullmatch(part) else self._names.distinct(part)

    def _parts(self, file: str) -> list[str]:
        if is_remote(self._root):
            return below(self._root, file).split("/")
        return os.path.relpath(os.path.join(self._root, file), self._root).split(os.sep)

    def path(self, file: str, index: int) -> Path:
        """Return the path of a face's crop."""
        return Path(self._store.locate(self.name(file, index)))

    def keep(self, file: str, index: int, png: bytes) -> str:
        """Write a crop; return the error if the disk refuses its name all the same, else an empty text.

        Raises:
            OutputError: the disk is full or gone.
        """
        name = self.name(file, index)
        try:
            self._store.write(name, png)
        except OSError as exc:
            if exc.errno not in REFUSED:
                raise OutputError(f"cannot write {self._store.locate(name)}: {exc.strerror or exc}{ADVICE}") from exc
            return f"{file}: {exc.strerror}"
        return ""

    def remove(self, file: str, index: int) -> None:
        """Remove the crop of a face that no longer exists.

        Raises:
            OutputError: it cannot be removed.
        """
        path = self.path(file, index)
        try:
            path.unlink(missing_ok=True)
        except OSError as exc:
            if exc.errno not in REFUSED:
                raise OutputError(f"cannot remove {path}: {exc.strerror or exc}") from exc


def any_kept(folder: str) -> bool:
    """Say whether a folder holds crops, or anything else."""
    try:
        return bool(folder and os.listdir(folder))
    except OSError:
        return False
