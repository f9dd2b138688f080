"""What a sort has to remember of each file, in a temporary database, so that memory does not grow with their number.

SQLite keeps what its cache has no room for in a file that has no name and goes with the process, however that ends.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from labeler.errors import OutputError
from labeler.journal import Entry, Move, Outcome
from labeler.records import Mode

CACHE_KIB = 8192
"""How much of a database stays in memory."""
ROWS = 1000
"""How many moves are written at a time."""
MODES, OUTCOMES = {str(mode): mode for mode in Mode}, {str(outcome): outcome for outcome in Outcome}

MOVES_OF = "SELECT target, mode, sha256 FROM entries WHERE source = ? AND mode != '' ORDER BY number DESC"
ADD_FILE = "REPLACE INTO entries (target, source, mode, sha256) VALUES (?, ?, ?, ?)"
ADD_FOLDER = """INSERT INTO entries (target, source, mode, sha256) VALUES (?, ?, ?, ?)
ON CONFLICT (target) DO UPDATE SET source = excluded.source, mode = excluded.mode, sha256 = excluded.sha256"""


class Entries:
    """The entries of a journal: each folder where it was first announced, each file where it was last.

    A place that was announced twice had become free in between: it belongs to the later file.
    """

    def __init__(self, announced: Iterable[Entry]) -> None:
        self._database = _database(
            "entries (number INTEGER PRIMARY KEY, target BLOB UNIQUE, source BLOB, mode TEXT, sha256 TEXT)",
            "kept (number INTEGER PRIMARY KEY)",
        )
        for entry in announced:
            self._add(entry)
        self._database.execute("CREATE INDEX sources ON entries (source) WHERE mode != ''")
        self.files: int = self._database.execute("SELECT count(*) FROM entries WHERE mode != ''").fetchone()[0]
        """How many of them are about files."""

    def _add(self, entry: Entry) -> None:
        values = (_bytes(entry.target), _bytes(entry.source), entry.mode, entry.sha256)
        self._database.execute(ADD_FILE if entry.mode else ADD_FOLDER, values)

    def __contains__(self, entry: Entry) -> bool:
        return entry in self._found("WHERE target = ?", _bytes(entry.target))

    def __iter__(self) -> Iterator[Entry]:
        return self._found("ORDER BY number")

    def __reversed__(self) -> Iterator[Entry]:
        return self._found("ORDER BY number DESC")

    def moves(self, source: str) -> list[Move]:
        """Return the moves of a file, the last one first."""
        if not self.files:
            return []
        found = self._database.execute(MOVES_OF, (_bytes(source),)).fetchall()
        return [Move(source, _text(target), MODES[mode], sha256=sha256) for target, mode, sha256 in found]

    def keep(self, entry: Entry) -> None:
        """Note that an entry is not done with."""
        self._database.execute("INSERT INTO kept SELECT number FROM entries WHERE target = ?", (_bytes(entry.target),))

    def kept(self) -> Iterator[Entry]:
        """Yield the entries that are not done with, oldest first."""
        return self._found("JOIN kept USING (number) ORDER BY number")

    def _found(self, which: str, *values: bytes) -> Iterator[Entry]:
        with stored():
            rows = self._database.execute(f"SELECT target, source, mode, sha256 FROM entries {which}", values)
            for target, source, mode, sha256 in rows:
                yield Entry(_text(target), _text(source), mode, sha256)


class Plan:
    """The moves of a sort in their order, each file once, and the places that are given away."""

    def __init__(self) -> None:
        self._database = _database(
            "sources (source BLOB PRIMARY KEY) WITHOUT ROWID",
            "moves (number INTEGER PRIMARY KEY, source BLOB, target BLOB, mode TEXT, outcome TEXT)",
            "taken (place BLOB PRIMARY KEY) WITHOUT ROWID",
            "numbers (place BLOB PRIMARY KEY, number INTEGER) WITHOUT ROWID",
        )
        self._length = 0
        self._latest: list[tuple[bytes, bytes, str, str]] = []

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[Move]:
        with stored():
            self._write()
            for source, target, mode, outcome in self._database.execute(
                "SELECT source, target, mode, outcome FROM moves ORDER BY number"
            ):
                yield Move(_text(source), _text(target), MODES[mode], OUTCOMES[outcome])

    def is_new(self, source: str) -> bool:
        """Note a file; say whether it was not noted before."""
        return self._database.execute("INSERT OR IGNORE INTO sources VALUES (?)", (_bytes(source),)).rowcount > 0

    def add(self, move: Move) -> None:
        """Add a move at the end."""
        self._latest.append((_bytes(move.source), _bytes(move.target), move.mode, move.outcome))
        self._length += 1
        if len(self._latest) == ROWS:
            self._write()

    def _write(self) -> None:
        self._database.executemany(
            "INSERT INTO moves (source, target, mode, outcome) VALUES (?, ?, ?, ?)", self._latest
        )
        self._latest.clear()

    def take(self, place: str) -> bool:
        """Give a place away; say whether it was free."""
        return self._database.execute("INSERT OR IGNORE INTO taken VALUES (?)", (_bytes(place),)).rowcount > 0

    def is_taken(self, place: str) -> bool:
        """Say whether a place was given away."""
        return bool(self._database.execute("SELECT 1 FROM taken WHERE place = ?", (_bytes(place),)).fetchone())

    def number(self, place: str) -> int:
        """Return the last number that was given to a file which wanted this place, 1 if none was."""
        found = self._database.execute("SELECT number FROM numbers WHERE place = ?", (_bytes(place),)).fetchone()
        return found[0] if found else 1

    def note_number(self, place: str, number: int) -> None:
        """Note the number that was given to a file which wanted this place."""
        self._database.execute("REPLACE INTO numbers VALUES (?, ?)", (_bytes(place), number))


@contextmanager
def stored() -> Iterator[None]:
    """Turn a database without room into the one line that the user needs.

    Raises:
        OutputError: something in the block could not be remembered.
    """
    try:
        yield
    except sqlite3.Error as exc:
        raise OutputError(
            f"no room for the plan in the temporary folder ({exc}); name one with room: SQLITE_TMPDIR=FOLDER"
        ) from exc


def _database(*tables: str) -> sqlite3.Connection:
    """Return a database that nobody else can open, with one transaction that never ends."""
    database = sqlite3.connect("", isolation_level=None)
    for setting in ("journal_mode = OFF", f"cache_size = -{CACHE_KIB}"):
        database.execute(f"PRAGMA {setting}")
    for table in tables:
        database.execute(f"CREATE TABLE {table}")
    database.execute("BEGIN")
    return database


def _bytes(name: str) -> bytes:
    return name.encode("utf-8", "surrogatepass")


def _text(name: bytes) -> str:
    return name.decode("utf-8", "surrogatepass")
