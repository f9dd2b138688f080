"""Names for files on any disk: unchanged where the disk keeps names distinct, else with a hash."""

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

LONGEST_NAME = 230
"""Upper limit, in bytes, on a file name that its crops keep. Most disks allow 255, of which `.face12.png` and the
temporary name take up to 25."""

TRIAL = ".labeler-try-"
"""Begins the name of the folder in which the disk is tried out; a run that is killed may leave it."""

_READABLE_BYTES = 180
"""Upper limit on what a hashed name keeps of the original."""

REFUSED = frozenset(
    {errno.ENAMETOOLONG, errno.EINVAL, errno.EILSEQ, errno.ENOENT, errno.ENOTDIR, errno.EEXIST, errno.EISDIR}
)
"""Errors of file systems for a name that they refuse, or that is taken. exFAT answers ENOENT to a colon."""

ADVICE = ". Make room, then run the same command again"

_PLAIN = re.compile(r"[a-z0-9_-](?:[a-z0-9_.-]*[a-z0-9_-])?")
"""Names that every file system keeps unchanged."""

_HASHED = re.compile(r".*-[0-9a-f]{16}", re.DOTALL)

_ODD = 'Aé:*?"<>|\\~\udcff. '
"""A name with every kind of character that some file systems refuse, fold (case, Unicode form) or cut off."""


class Names:
    """The names of files below one folder. A name depends on the wanted one and on the disk only.

    ``exact`` says whether the disk keeps all names distinct; None to try it out.
    """

    def __init__(self, folder: str, *, exact: bool | None = None) -> None:
        self._folder = folder
        if exact is not None:
            self._exact = exact

    def distinct(self, part: str) -> str:
        """Return a part of a file's name, with its hash where the disk could refuse it or fold it into another."""
        short = len(os.fsencode(part)) <= LONGEST_NAME and not _HASHED.fullmatch(part)
        return part if short and (_PLAIN.fullmatch(part) or self._exact) else hashed(part)

    @cached_property
    def _exact(self) -> bool:
        """Say whether the disk accepts every name and keeps names distinct; tried out in a temporary folder there."""
        names = {_ODD, _ODD.swapcase(), unicodedata.normalize("NFD", _ODD)}
        try:
            os.makedirs(self._folder, exist_ok=True)
            with tempfile.TemporaryDirectory(prefix=TRIAL, dir=self._folder) as place:
                return _keeps(place, names)
        except OSError as exc:
            raise OutputError(f"cannot write to {self._folder}: {exc.strerror or exc}{ADVICE}") from exc


def _keeps(folder: str, names: Set[str]) -> bool:
    """Say whether files can have these names side by side."""
    try:
        for name in names:
            Path(folder, name).touch(exist_ok=False)
    except OSError as exc:
        if exc.errno not in REFUSED:
            raise
        return False
    return names == set(os.listdir(folder))


def hashed(part: str) -> str:
    """Return a plain name that begins like ``part`` and ends with its hash (64 bits)."""
    content = os.fsencode(part)
    readable = re.sub(r"[^\w.-]", "_", part).encode()[:_READABLE_BYTES].decode(errors="ignore")
    return f"{readable}-{hashlib.blake2b(content, digest_size=8).hexdigest()}"
