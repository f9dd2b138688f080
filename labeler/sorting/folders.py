"""Names of the folders that photos are sorted into: one per label, and distinct on every file system."""

from __future__ import annotations

import hashlib
import os
import re
import unicodedata
from collections.abc import Iterable

from labeler.records import UNCERTAIN, Row, Status

FAILED = "failed"
OWN = (UNCERTAIN, Status.NO_FACE.value, FAILED)
"""Folders that no class may have."""

UNSAFE = re.compile(r'[\x00-\x1f\x7f/\\:*?"<>|]')
RESERVED = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|com[\d¹²³]|lpt[\d¹²³])( *\..*)?", re.IGNORECASE)
"""Names that Windows reserves for devices."""
LONGEST = 127
"""Upper limit in bytes on a folder's name: half of what common file systems allow."""
DIGITS = 8
"""Hexadecimal digits of the label's SHA-256 that tell a folder from another of the same plain name."""


class Folders:
    """Assigns each class a folder of its own, which depends on the class names alone."""

    def __init__(self, class_names: Iterable[str]) -> None:
        self._names = {UNCERTAIN: UNCERTAIN}
        self._taken = set(map(key, OWN))
        for label in sorted(class_names, key=lambda label: (plain(label) != label, label)):
            name = plain(label)
            self._names[label] = self._other(label) if key(name) in self._taken else name
            self._taken.add(key(self._names[label]))

    def of(self, row: Row) -> str:
        """Return the folder for the file of a row."""
        if row.failed:
            return FAILED
        if row.status is Status.NO_FACE or not row.label:
            return Status.NO_FACE.value
        return self.named(row.label)

    def named(self, label: str) -> str:
        """Return the folder of a label, which is not empty."""
        return self._names.get(label) or self._of_no_class(label)

    def _of_no_class(self, label: str) -> str:
        """Return the folder of a label that was entered by hand; no class has this folder."""
        return label if plain(label) == label and key(label) not in self._taken else self._other(label)

    def _other(self, label: str) -> str:
        """Return a free name: the `plain` one and as many digits of the label's SHA-256 as it takes."""
        digest = hashlib.sha256(label.encode("utf-8", "surrogatepass")).hexdigest()
        endings = (f"-{digest[:size]}" for size in range(DIGITS, len(digest) + 1))
        names = (clipped(plain(label), LONGEST - len(ending)).strip(" .") + ending for ending in endings)
        return next(name for name in names if key(name) not in self._taken)


def plain(label: str) -> str:
    """Return a label as the name of one folder: never a path, never hidden, empty, too long or reserved."""
    text = unicodedata.normalize("NFC", label.encode("utf-8", "replace").decode())
    name = clipped(UNSAFE.sub("_", text).strip(" ."), LONGEST).strip(" .")
    return f"_{name}" if not name or RESERVED.fullmatch(name) else name


def key(name: str) -> str:
    """Return a key that is equal for two names which some file system takes for one: case-folded and normalized."""
    if name.isascii():
        return name.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def clipped(name: str, size: int) -> str:
    """Truncate a name to ``size`` bytes of UTF-8, at a character."""
    return os.fsencode(name)[:size].decode("utf-8", "ignore")
