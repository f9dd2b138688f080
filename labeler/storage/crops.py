"""Save face crops as files, each under a name that is unique on any disk and the same in every run."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import tempfile
import unicodedata
from collections.abc import Set
from functools import cached_property
from pathlib import Path

from labeler.errors import OutputError
from labeler.records import Settings
from labeler.storage.local import Local

LONGEST_NAME = 230
"""Upper limit, in bytes, on a file name that its crops keep. Most disks allow 255, of which `.face12.png` and the
temporary name take up to 25."""

_READABLE_BYTES = 180
"""Upper limit on what a hashed name keeps of the original."""

_REFUSED = frozenset(
    {errno.ENAMETOOLONG, errno.EINVAL, errno.EILSEQ, errno.ENOENT, errno.ENOTDIR, errno.EEXIST, errno.EISDIR}
)
"""Errors of file systems for a name that they refuse, or that is taken. exFAT answers ENOENT to a colon."""

_ADVICE = ". Make room, then run the same command again"

_PLAIN = re.compile(r"[a-z0-9_-](?:[a-z0-9_.-]*[a-z0-9_-])?")
"""Names that every file system keeps unchanged."""

_HASHED = re.compile(r".*-[0-9a-f]{16}", re.DOTALL)
_CROP = re.compile(r".*\.face\d+\.png", re.DOTALL | re.IGNORECASE)

_ODD = 'Aé:*?"<>|\\~\udcff. '
"""A name with every kind of character that some file systems refuse, fold (case, Unicode form) or cut off."""


class Crops:
    """The crops below one folder: ``<folder>/<file>.face<index>.png`` wherever the disk keeps such a name unchanged.

    Otherwise each part of the name that is not plain gets a hash of itself. A crop's name depends on its file's name
    and on the disk only, not on other files there or on the order.
    """

    def __init__(self, settings: Settings) -> None:
        self._store = Local(settings.save_crops)
        self._root = Local(settings.root)

    def name(self, file: str, index: int) -> str:
        """Return the name of a face's crop; it lies below the crops' folder as the file does below the root."""
        *folders, name = os.path.relpath(self._root.locate(file), self._root.address).split(os.sep)
        # A folder never gets the name of a crop, so that the two cannot collide.
        parts = [_hashed(part) if _CROP.fullmatch(part) else self._distinct(part) for part in folders]
        return "/".join((*parts, f"{self._distinct(name)}.face{index}.png"))

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
            if exc.errno not in _REFUSED:
                raise OutputError(f"cannot write {self._store.locate(name)}: {exc.strerror or exc}{_ADVICE}") from exc
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
            if exc.errno not in _REFUSED:
                raise OutputError(f"cannot remove {path}: {exc.strerror or exc}") from exc

    def _distinct(self, part: str) -> str:
        """Return a part of a file's name, with its hash where the disk could refuse it or fold it into another."""
        short = len(os.fsencode(part)) <= LONGEST_NAME and not _HASHED.fullmatch(part)
        return part if short and (_PLAIN.fullmatch(part) or self._exact) else _hashed(part)

    @cached_property
    def _exact(self) -> bool:
        """Say whether the disk accepts every name and keeps names distinct; tried out in a temporary folder there."""
        names = {_ODD, _ODD.swapcase(), unicodedata.normalize("NFD", _ODD)}
        try:
            os.makedirs(self._store.address, exist_ok=True)
            with tempfile.TemporaryDirectory(prefix=".labeler-", dir=self._store.address) as place:
                return _keeps(place, names)
        except OSError as exc:
            raise OutputError(f"cannot write to {self._store.address}: {exc.strerror or exc}{_ADVICE}") from exc


def any_kept(folder: str) -> bool:
    """Say whether a folder holds crops, or anything else."""
    try:
        return bool(folder and os.listdir(folder))
    except OSError:
        return False


def _keeps(folder: str, names: Set[str]) -> bool:
    """Say whether files can have these names side by side."""
    try:
        for name in names:
            Path(folder, name).touch(exist_ok=False)
    except OSError as exc:
        if exc.errno not in _REFUSED:
            raise
        return False
    return names == set(os.listdir(folder))


def _hashed(part: str) -> str:
    content = os.fsencode(part)
    readable = re.sub(r"[^\w.-]", "_", part).encode()[:_READABLE_BYTES].decode(errors="ignore")
    return f"{readable}-{hashlib.blake2b(content, digest_size=8).hexdigest()}"
