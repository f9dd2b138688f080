"""Perceptual hashes kept beside a table, so that another export of it reads no picture again."""

from __future__ import annotations

import hashlib
import sqlite3
import struct
from pathlib import Path
from typing import Self

from labeler.errors import one_line
from labeler.records import Face
from labeler.tables import run_record

NAME = "hashes.sqlite"

_RECIPE = 1
"""Version of the way from a file to its hash; a hash of another version is computed anew."""

_LAYOUT = 0x6C626C01
"""SQLite's `user_version` of the file: ours, and no other program's by chance."""

_BATCH = 1000
"""Hashes per transaction: a kill loses those of the last second or minute, and others wait for no lock meanwhile."""

_CHECK_BYTES = 8


def key(file: str, version: str, square: Face | None, smallest: float) -> bytes:
    """Return the key, 16 bytes, of what a picture shows: a file of this version, or the square of a face in it.

    ``smallest`` is the longer side of the file's smallest exported face, which decides the scale to decode at.
    """
    box = struct.pack("<5d", *square[:4], smallest) if square else b""
    names = (name.encode("utf-8", "surrogatepass") for name in (file, version))
    return hashlib.blake2b(b"\0".join((*names, box)), digest_size=16, salt=_RECIPE.to_bytes(2, "little")).digest()


class HashCache:
    """The hashes in ``TABLE.cache/hashes.sqlite``, by `key`; a context manager, which writes what is new.

    A hash that is not exactly what was put is not found. A file that is damaged, foreign, or cannot be written, is left
    as it is: then nothing is found or kept, and `unusable` says why.
    """

    def __init__(self, table: Path) -> None:
        self.unusable = ""
        """Why hashes are not kept; empty where they are."""
        self._file = run_record.cache_of(table) / NAME
        self._database: sqlite3.Connection | None = None
        self._latest: list[tuple[bytes, bytes]] = []

    def __enter__(self) -> Self:
        try:
            self._file.parent.mkdir(exist_ok=True)
            self._database = sqlite3.connect(self._file, isolation_level=None)
            self._prepare(self._database)
        except (OSError, sqlite3.Error) as exc:
            self._give_up(exc)
        return self

    def __exit__(self, *_: object) -> None:
        self._write()
        self._close()

    def get(self, key: bytes) -> bytes:
        """Return a hash; empty where it is not known."""
        if self._database is None:
            return b""
        try:
            found = self._database.execute("SELECT hash FROM hashes WHERE key = ?", (key,)).fetchone()
        except sqlite3.Error as exc:
            self._give_up(exc)
            return b""
        kept = found[0] if found and isinstance(found[0], bytes) else b""
        phash, check = kept[:-_CHECK_BYTES], kept[-_CHECK_BYTES:]
        return phash if check == _check(key, phash) else b""

    def put(self, key: bytes, phash: bytes) -> None:
        """Keep a hash; it is written some time later."""
        self._latest.append((key, phash + _check(key, phash)))
        if len(self._latest) >= _BATCH:
            self._write()

    def _prepare(self, database: sqlite3.Connection) -> None:
        """Make the table of a new file, in one transaction; an empty file is what a killed run leaves."""
        (layout,) = database.execute("PRAGMA user_version").fetchone()
        if layout == 0 and not database.execute("SELECT 1 FROM sqlite_master").fetchone():
            database.executescript(
                "BEGIN IMMEDIATE;"
                "CREATE TABLE IF NOT EXISTS hashes (key BLOB PRIMARY KEY, hash BLOB NOT NULL) WITHOUT ROWID;"
                f"PRAGMA user_version = {_LAYOUT};"
                "COMMIT"
            )
        elif layout != _LAYOUT:
            raise sqlite3.DatabaseError("it was not written by this version of labeler")

    def _write(self) -> None:
        latest, self._latest = self._latest, []
        if self._database is None or not latest:
            return
        try:
            self._database.execute("BEGIN IMMEDIATE")
            self._database.executemany("INSERT OR REPLACE INTO hashes VALUES (?, ?)", latest)
            self._database.execute("COMMIT")
        except sqlite3.Error as exc:
            self._give_up(exc)

    def _give_up(self, exc: Exception) -> None:
        reason = exc.strerror if isinstance(exc, OSError) else exc
        self.unusable = f"{self._file} cannot be used, hashes of pictures are not kept: {one_line(reason)}"
        self._close()

    def _close(self) -> None:
        if self._database is not None:
            self._database.close()
            self._database = None


def _check(key: bytes, phash: bytes) -> bytes:
    """Return what proves that a hash is whole, and that of this key: SQLite does not notice a flipped bit."""
    return hashlib.blake2b(key + phash, digest_size=_CHECK_BYTES).digest()
