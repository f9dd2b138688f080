"""Face crops as files: each has a name of its own on any disk, the same in every run."""

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
"""Bytes of a file's own name up to which its crops keep it: most disks allow 255, of which `.face12.png` and the name
beside it that it is written under take up to 25."""

_READABLE_BYTES = 180

_REFUSED = frozenset(
    {errno.ENAMETOOLONG, errno.EINVAL, errno.EILSEQ, errno.ENOENT, errno.ENOTDIR, errno.EEXIST, errno.EISDIR}
)
"""What file systems say of a name that they do not take, or that something else has. exFAT says ENOENT of a colon."""

_ADVICE = ". Make room, then run the same command again"

_PLAIN = re.compile(r"[a-z0-9_-](?:[a-z0-9_.-]*[a-z0-9_-])?")
"""Names that every file system keeps as they are."""

_HASHED = re.compile(r".*-[0-9a-f]{16}", re.DOTALL)
_CROP = re.compile(r".*\.face\d+\.png", re.DOTALL | re.IGNORECASE)

_ODD = 'Aé:*?"<>|\\~\udcff. '
"""A name with everything that some file systems refuse, fold or cut off."""


class Crops:
    """The crops below one folder: ``<folder>/<file>.face<index>.png`` wherever the disk keeps such a name as it is.

    Else each part of the name that is not plain gets a hash of itself. So a crop's name depends on its file's name and
    on the disk, and on nothing else: neither on what else is kept there, nor on the order.
    """

    def __init__(self, settings: Settings) -> None:
        self._store = Local(settings.save_crops)
        self._root = Local(settings.root)

    def name(self, file: str, index: int) -> str:
        """Return the name of a face's crop, which lies below the crops' folder as the file does below the root."""
        *folders, name = os.path.relpath(self._root.path(file), self._root.address).split(os.sep)
        # No folder is called like a crop, so that neither stands in the other's way.
        parts = [_hashed(part) if _CROP.fullmatch(part) else self._distinct(part) for part in folders]
        return "/".join((*parts, f"{self._distinct(name)}.face{index}.png"))

    def path(self, file: str, index: int) -> Path:
        """Return where the crop of a face is kept."""
        return Path(self._store.path(self.name(file, index)))

    def keep(self, file: str, index: int, png: bytes) -> str:
        """Write a crop; return what is wrong where its name is refused all the same, else nothing.

        Raises:
            OutputError: the disk is full, or gone.
        """
        name = self.name(file, index)
        try:
            self._store.write(name, png)
        except OSError as exc:
            if exc.errno not in _REFUSED:
                raise OutputError(f"cannot write {self._store.path(name)}: {exc.strerror or exc}{_ADVICE}") from exc
            return f"{file}: {exc.strerror}"
        return ""

    def remove(self, file: str, index: int) -> None:
        """Remove the crop of a face that is no more.

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
        """Return a part of a file's name, with its hash where it could be refused or become another's."""
        short = len(os.fsencode(part)) <= LONGEST_NAME and not _HASHED.fullmatch(part)
        return part if short and (_PLAIN.fullmatch(part) or self._exact) else _hashed(part)

    @cached_property
    def _exact(self) -> bool:
        """Say whether the disk takes every name and keeps it apart from every other, as tried out in a folder there."""
        names = {_ODD, _ODD.swapcase(), unicodedata.normalize("NFD", _ODD)}
        try:
            os.makedirs(self._store.address, exist_ok=True)
            with tempfile.TemporaryDirectory(prefix=".labeler-", dir=self._store.address) as place:
                return _keeps(place, names)
        except OSError as exc:
            raise OutputError(f"cannot write to {self._store.address}: {exc.strerror or exc}{_ADVICE}") from exc


def any_kept(folder: str) -> bool:
    """Say whether there are crops in a folder, or anything else."""
    try:
        return bool(folder and os.listdir(folder))
    except OSError:
        return False


def _keeps(folder: str, names: Set[str]) -> bool:
    """Say whether files can have these names, side by side."""
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
