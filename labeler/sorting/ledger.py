"""What a sort has to remember of each file, outside of memory, so that this does not grow with their number.

Files come in the order of their folders, in a table, in a journal and in a plan alike: as long as they do, one look
ahead tells what is new, and a nameless file holds the rest. Where the order breaks, a temporary database is asked:
SQLite keeps what its cache has no room for in a nameless file, too. Both go with the process, however that ends.
"""

from __future__ import annotations

import marshal
import os
import sqlite3
import tempfile
import weakref
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import chain, groupby
from typing import IO, Any, TypeVar

from labeler.errors import OutputError
from labeler.records import Mode
from labeler.sorting.journal import Entry, Move, Outcome

CACHE_KIB = 8192
"""How much of a database stays in memory."""
ROWS = 1000
"""How many records are written at a time."""
MODES, OUTCOMES = {str(mode): mode for mode in Mode}, {str(outcome): outcome for outcome in Outcome}

ADD_FILE = "REPLACE INTO entries (target, source, mode, sha256) VALUES (?, ?, ?, ?)"
ADD_FOLDER = """INSERT INTO entries (target, source, mode, sha256) VALUES (?, ?, ?, ?)
ON CONFLICT (target) DO UPDATE SET source = excluded.source, mode = excluded.mode, sha256 = excluded.sha256"""


Opened = TypeVar("Opened", IO[bytes], sqlite3.Connection)


class Order:
    """Says whether names come in the order of folders: the files of a folder before those of the folders in it."""

    def __init__(self, separator: str = os.sep) -> None:
        self.unbroken = True
        self._separator = separator
        self._folder = self._file = ""

    def goes_on(self, name: str) -> bool:
        """Note a name; say whether each so far came after all before it."""
        if self.unbroken:
            folder, _, file = name.rpartition(self._separator)
            self.unbroken = not self._is_past(folder, file) and (folder, file) != (self._folder, self._file)
            self._folder, self._file = folder, file
        return self.unbroken

    def is_past(self, name: str) -> bool:
        """Say whether a name comes before the last one that was noted."""
        folder, _, file = name.rpartition(self._separator)
        return self._is_past(folder, file)

    def _is_past(self, folder: str, file: str) -> bool:
        if folder == self._folder:
            return file < self._file
        return folder.split(self._separator) < self._folder.split(self._separator)


class Entries:
    """The entries of a journal: each folder where it was first announced, each file where it was last.

    A place that was announced twice had become free in between: it belongs to the later file.
    """

    def __init__(self, announced: Iterable[Entry]) -> None:
        self._database = _database(
            self,
            "entries (number INTEGER PRIMARY KEY, target BLOB UNIQUE, source BLOB, mode TEXT, sha256 TEXT)",
            "kept (number INTEGER PRIMARY KEY)",
        )
        self._order = Order()
        for is_file, entries in groupby(announced, lambda entry: bool(entry.mode)):
            self._database.executemany(ADD_FILE if is_file else ADD_FOLDER, map(self._values, entries))
        self.files: int = self._database.execute("SELECT count(*) FROM entries WHERE mode != ''").fetchone()[0]
        """How many of them are about files."""
        self._asked = Order()
        self._ahead = self._file_moves("ORDER BY number")
        self._next = next(self._ahead, None)

    def _values(self, entry: Entry) -> tuple[bytes, bytes, str, str]:
        if entry.mode:
            self._order.goes_on(entry.source)
        return _bytes(entry.target), _bytes(entry.source), entry.mode, entry.sha256

    def __contains__(self, entry: Entry) -> bool:
        return entry in self._found("WHERE target = ?", _bytes(entry.target))

    def __iter__(self) -> Iterator[Entry]:
        return self._found("ORDER BY number")

    def __reversed__(self) -> Iterator[Entry]:
        return self._found("ORDER BY number DESC")

    def targets(self) -> Iterator[str]:
        """Yield the places that files were announced for."""
        return (move.target for move in self._file_moves("ORDER BY number"))

    def moves(self, source: str) -> list[Move]:
        """Return the moves of a file, the last one first."""
        if not self.files:
            return []
        if not (self._order.unbroken and self._asked.goes_on(source)):
            return self._looked_up(source)
        while self._next and self._asked.is_past(self._next.source):
            self._next = next(self._ahead, None)
        return [self._next] if self._next and self._next.source == source else []

    def _looked_up(self, source: str) -> list[Move]:
        self._database.execute("CREATE INDEX IF NOT EXISTS sources ON entries (source) WHERE mode != ''")
        return list(self._file_moves("AND source = ? ORDER BY number DESC", _bytes(source)))

    def _file_moves(self, which: str, *values: bytes) -> Iterator[Move]:
        query = f"SELECT source, target, mode, sha256 FROM entries WHERE mode != '' {which}"
        for source, target, mode, sha256 in self._database.execute(query, values):
            yield Move(_text(source), _text(target), MODES[mode], sha256=sha256)

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
    """The moves of a sort in their order, each file once, and the places that are given away.

    ``given`` are places that an earlier sort has given away, if there was one; they are not asked for before a file
    needs a place.
    """

    def __init__(self, given: Iterable[str] | None = None) -> None:
        self._moves, self._places = _Records(), _Records()
        self._sources = Order()
        self._orders: dict[str, Order] = {}
        """Of the places in each of the sorted folder's own folders, which are as many as classes."""
        self._given = given
        self._database = _database(
            self,
            "sources (name BLOB PRIMARY KEY) WITHOUT ROWID",
            "taken (name BLOB PRIMARY KEY) WITHOUT ROWID",
            "numbers (place BLOB PRIMARY KEY, number INTEGER) WITHOUT ROWID",
        )
        self._in_database: set[str] = set()

    def __len__(self) -> int:
        return len(self._moves)

    def __iter__(self) -> Iterator[Move]:
        for source, target, mode, outcome in self._moves:
            yield Move(source, target, MODES[mode], OUTCOMES[outcome])

    def is_new(self, source: str) -> bool:
        """Say whether no move of a file was added; it is to be added then."""
        if self._sources.goes_on(source):
            return True
        self._remember("sources", (move[0] for move in self._moves))
        return self._note("sources", source)

    def add(self, move: Move) -> None:
        """Add a move at the end."""
        self._moves.add((move.source, move.target, str(move.mode), str(move.outcome)))

    def take(self, place: str) -> bool:
        """Give a place away; say whether it was free."""
        if self._given is None and "taken" not in self._in_database:
            folder, _, name = place.partition("/")
            if self._orders.setdefault(folder, Order("/")).goes_on(name):
                self._places.add(place)
                return True
        self._remember("taken", self._all_taken())
        return self._note("taken", place)

    def is_taken(self, place: str) -> bool:
        """Say whether a place was given away."""
        self._remember("taken", self._all_taken())
        return bool(self._database.execute("SELECT 1 FROM taken WHERE name = ?", (_bytes(place),)).fetchone())

    def _all_taken(self) -> Iterator[str]:
        return chain(self._given or (), self._places)

    def _remember(self, table: str, names: Iterable[str]) -> None:
        """Fill a table with the names so far, once: the order is broken."""
        if table not in self._in_database:
            self._in_database.add(table)
            values = ((_bytes(name),) for name in names)
            self._database.executemany(f"INSERT OR IGNORE INTO {table} VALUES (?)", values)

    def _note(self, table: str, name: str) -> bool:
        return self._database.execute(f"INSERT OR IGNORE INTO {table} VALUES (?)", (_bytes(name),)).rowcount > 0

    def number(self, place: str) -> int:
        """Return the last number that was given to a file which wanted this place, 1 if none was."""
        found = self._database.execute("SELECT number FROM numbers WHERE place = ?", (_bytes(place),)).fetchone()
        return found[0] if found else 1

    def note_number(self, place: str, number: int) -> None:
        """Note the number that was given to a file which wanted this place."""
        self._database.execute("REPLACE INTO numbers VALUES (?, ?)", (_bytes(place), number))


class _Records:
    """Values in the order in which they were added, in a nameless file."""

    def __init__(self) -> None:
        self._file = _as_long_as(self, tempfile.TemporaryFile())  # noqa: SIM115 - it is closed there
        self._latest: list[Any] = []
        self._length = 0

    def __len__(self) -> int:
        return self._length

    def add(self, value: Any) -> None:
        """Add a value: texts, or tuples of them.

        Raises:
            OutputError: there is no room.
        """
        self._latest.append(value)
        self._length += 1
        if len(self._latest) == ROWS:
            content = marshal.dumps(self._latest)
            try:
                self._file.write(len(content).to_bytes(8, "little") + content)
                self._file.flush()
            except OSError as exc:
                raise _no_room(exc) from exc
            self._latest.clear()

    def __iter__(self) -> Iterator[Any]:
        at, file = 0, self._file.fileno()
        while size := int.from_bytes(os.pread(file, 8, at), "little"):
            yield from marshal.loads(os.pread(file, size, at + 8))  # What this process has written itself.
            at += 8 + size
        yield from self._latest


@contextmanager
def stored() -> Iterator[None]:
    """Turn a database without room into the one line that the user needs.

    Raises:
        OutputError: something in the block could not be remembered.
    """
    try:
        yield
    except sqlite3.Error as exc:
        raise _no_room(exc) from exc


def _no_room(exc: Exception) -> OutputError:
    reason = exc.strerror if isinstance(exc, OSError) else exc
    return OutputError(f"no room for the plan in the temporary folder ({reason}); name one with room: TMPDIR=FOLDER")


def _database(owner: object, *tables: str) -> sqlite3.Connection:
    """Return a database that nobody else can open, with one transaction that never ends."""
    database = _as_long_as(owner, sqlite3.connect("", isolation_level=None))
    for setting in ("journal_mode = OFF", f"cache_size = -{CACHE_KIB}"):
        database.execute(f"PRAGMA {setting}")
    for table in tables:
        database.execute(f"CREATE TABLE {table}")
    database.execute("BEGIN")
    return database


def _as_long_as(owner: object, opened: Opened) -> Opened:
    """Return what is open, to be closed as soon as its owner is gone: a plan has no block that it is used in."""
    weakref.finalize(owner, opened.close)
    return opened


def _bytes(name: str) -> bytes:
    return name.encode("utf-8", "surrogatepass")


def _text(name: bytes) -> str:
    return name.decode("utf-8", "surrogatepass")
