"""Tiles kept on the disk, so that a face is decoded once in a review's life; the oldest make room for new ones."""

from __future__ import annotations

import hashlib
import sqlite3
import struct
import threading
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from time import time
from typing import NamedTuple

from labeler.errors import one_line
from labeler.records import Row

NAME = "thumbnails.sqlite"

MOST_BYTES = 500 << 20
"""Upper limit on the file: some 150,000 tiles of 96 pixels."""

_RECIPE = 1
"""Version of the way from a photo to its tile; a tile of another version is made anew."""

_LAYOUT = 0x6C627401
"""SQLite's `user_version` of the file: ours, and no other program's by chance."""

_CHECK_BYTES = 8
_AT_ONCE = 500
"""Keys of one query; SQLite took at most 999 parameters once."""


class Kept(NamedTuple):
    """A tile as it is kept."""

    hash: str
    """BLAKE2b-128 of the photo's bytes."""
    image: bytes
    """A JPEG file."""


def key(row: Row, version: str, side: int) -> bytes:
    """Return the key, 16 bytes, of the tile of a row, from the version of its file that is there now."""
    box = struct.pack("<4di", *(cell or 0.0 for cell in row[2:6]), side)
    names = (name.encode("utf-8", "surrogatepass") for name in (row.file, version))
    return hashlib.blake2b(b"\0".join((*names, box)), digest_size=16, salt=_RECIPE.to_bytes(2, "little")).digest()


class TileCache:
    """The tiles in a file, by `key`; for any number of threads.

    A tile that is not exactly what was put is not found. A file that is damaged is made anew; where that fails, too, or
    another program made it, nothing is found or kept, and `unusable` says why.
    """

    def __init__(self, file: Path | None, most_bytes: int = MOST_BYTES) -> None:
        self.unusable = ""
        """Why tiles are not kept; empty where they are, or are not to be."""
        self._file, self._most = file, most_bytes
        self._lock = threading.Lock()
        self._database: sqlite3.Connection | None = None
        if file:
            self._open(file)

    def get(self, keys: Sequence[bytes]) -> dict[bytes, Kept]:
        """Return those tiles that are kept, and note that they were used."""
        found: dict[bytes, Kept] = {}
        with self._lock:
            for at in range(0, len(keys), _AT_ONCE):
                some = keys[at : at + _AT_ONCE]
                marks = ",".join("?" * len(some))
                for one, kept in self._tried(f"SELECT key, tile FROM tiles WHERE key IN ({marks})", some):
                    tile = _checked(one, kept)
                    if tile:
                        found[one] = tile
                self._tried(
                    f"UPDATE tiles SET used = ? WHERE key IN ({marks}) AND used < ?", [_now(), *some, _now() - 60]
                )
        return found

    def put(self, tiles: Iterable[tuple[bytes, Kept]]) -> None:
        """Keep tiles."""
        with self._lock:
            if self._database is None:
                return
            try:
                with self._database:
                    rows = [(one, _now(), _sealed(one, kept)) for one, kept in tiles]
                    self._database.executemany("INSERT OR REPLACE INTO tiles VALUES (?, ?, ?)", rows)
                self._make_room(self._database)
            except sqlite3.Error as exc:
                self._start_anew(exc)

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._close()

    def _open(self, file: Path) -> None:
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            self._database = sqlite3.connect(file, check_same_thread=False, isolation_level="IMMEDIATE", timeout=1)
            self._prepare(self._database)
        except (OSError, sqlite3.Error) as exc:
            self._start_anew(exc)

    def _prepare(self, database: sqlite3.Connection) -> None:
        layout = database.execute("PRAGMA user_version").fetchone()[0]
        if layout not in {0, _LAYOUT}:
            raise sqlite3.OperationalError("it holds something else")  # Which stays as it is.
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = OFF")  # After a power failure it may be damaged, and is made anew.
        with database:
            database.execute("CREATE TABLE IF NOT EXISTS tiles (key BLOB PRIMARY KEY, used INTEGER, tile BLOB)")
            database.execute(f"PRAGMA user_version = {_LAYOUT}")

    def _start_anew(self, why: Exception) -> None:
        """Remove a damaged file, once; a full disk ends the keeping, and another server that writes is passed over."""
        if getattr(why, "sqlite_errorcode", None) in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
            return
        self._close()
        damaged = isinstance(why, sqlite3.DatabaseError) and not isinstance(why, sqlite3.OperationalError)
        if self._file and damaged and not self.unusable:
            self.unusable = f"{self._file}: {one_line(why)}"
            with suppress(OSError):
                for suffix in ("", "-wal", "-shm"):
                    self._file.with_name(self._file.name + suffix).unlink(missing_ok=True)
                self._open(self._file)
            if self._database:
                self.unusable = ""
            return
        self.unusable = f"{self._file}: {one_line(why)}"

    def _tried(self, query: str, values: Sequence[object]) -> list[tuple[bytes, bytes]]:
        if self._database is None:
            return []
        try:
            with self._database:
                return self._database.execute(query, values).fetchall()
        except sqlite3.Error as exc:
            self._start_anew(exc)
            return []

    def _make_room(self, database: sqlite3.Connection) -> None:
        """Remove the tenth that was not used for the longest time, when the file is full."""
        pages, free, size = (
            database.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count", "page_size")
        )
        if (pages - free) * size > self._most:
            with database:
                count = database.execute("SELECT count(*) FROM tiles").fetchone()[0]
                database.execute(
                    "DELETE FROM tiles WHERE rowid IN (SELECT rowid FROM tiles ORDER BY used LIMIT ?)",
                    (count // 10 + 1,),
                )

    def _close(self) -> None:
        if self._database is not None:
            with suppress(sqlite3.Error):
                self._database.close()
        self._database = None


def _sealed(key: bytes, kept: Kept) -> bytes:
    content = bytes.fromhex(kept.hash) + kept.image
    return content + _check(key, content)


def _checked(key: bytes, sealed: object) -> Kept | None:
    if not isinstance(sealed, bytes) or len(sealed) <= 16 + _CHECK_BYTES:
        return None
    content, check = sealed[:-_CHECK_BYTES], sealed[-_CHECK_BYTES:]
    return Kept(content[:16].hex(), content[16:]) if check == _check(key, content) else None


def _check(key: bytes, content: bytes) -> bytes:
    return hashlib.blake2b(content, digest_size=_CHECK_BYTES, key=key).digest()


def _now() -> int:
    return int(time())
