"""What a sort has to remember of each file, outside of memory, so that memory does not grow with the number of files.

A table, a journal and a plan list files in the order of their folders. As long as they do, looking one file ahead says
what is new, and an anonymous temporary file holds the rest. Where the order breaks, a temporary database is queried:
SQLite spills what its cache has no room for into an anonymous file, too. The system removes both with the process.
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
"""Upper limit on the memory for a database's cache."""
ROWS = 1000
"""Records per write: one at a time would cost a system call each."""
MODES, OUTCOMES = {str(mode): mode for mode in Mode}, {str(outcome): outcome for outcome in Outcome}

ADD_FILE = "REPLACE INTO entries (target, source, mode, sha256) VALUES (?, ?, ?, ?)"
ADD_FOLDER = """INSERT INTO entries (target, source, mode, sha256) VALUES (?, ?, ?, ?)
ON CONFLICT (target) DO UPDATE SET source = excluded.source, mode = excluded.mode, sha256 = excluded.sha256"""


Opened = TypeVar("Opened", IO[bytes], sqlite3.Connection)


class Order:
    """Checks that names come in the order of folders: the files of a folder before those of its subfolders."""

    def __init__(self, separator: str = os.sep) -> None:
        self.unbroken = True
        self._separator = separator
        self._folder = self._file = ""

    def goes_on(self, name: str) -> bool:
        """Record a name; return whether every name so far came after all names before it."""
        if self.unbroken:
            folder, _, file = name.rpartition(self._separator)
            self.unbroken = not self._is_past(folder, file) and (folder, file) != (self._folder, self._file)
            self._folder, self._file = folder, file
        return self.unbroken

    def is_past(self, name: str) -> bool:
        """Return whether a name comes before the last one that was recorded."""
        folder, _, file = name.rpartition(self._separator)
        return self._is_past(folder, file)

    def _is_past(self, folder: str, file: str) -> bool:
        if folder == self._folder:
            return file < self._file
        return folder.split(self._separator) < self._folder.split(self._separator)


class Entries:
    """The entries of a journal, without repetitions: the first entry of each folder, the last one of each file.

    A target that was announced twice had become free in between: it belongs to the later file.
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
        """Number of entries of files."""
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
        """Yield the targets of files."""
        return (move.target for move in self._file_moves("ORDER BY number"))

    def moves(self, source: str) -> list[Move]:
        """Return the moves of a file, latest first."""
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
            yield Move(source=_text(source), target=_text(target), mode=MODES[mode], sha256=sha256)

    def keep(self, entry: Entry) -> None:
        """Mark an entry as not undone."""
        self._database.execute("INSERT INTO kept SELECT number FROM entries WHERE target = ?", (_bytes(entry.target),))

    def kept(self) -> Iterator[Entry]:
        """Yield the entries that are not undone, oldest first."""
        return self._found("JOIN kept USING (number) ORDER BY number")

    def _found(self, which: str, *values: bytes) -> Iterator[Entry]:
        with stored():
            rows = self._database.execute(f"SELECT target, source, mode, sha256 FROM entries {which}", values)
            for target, source, mode, sha256 in rows:
                yield Entry(target=_text(target), source=_text(source), mode=mode, sha256=sha256)


class Plan:
    """The moves of a sort in order, each file once, and the targets that are taken.

    ``given`` are the targets that an earlier sort has taken; None without one. They are not read before a file needs a
    target.
    """

    def __init__(self, given: Iterable[str] | None = None) -> None:
        self._moves, self._places = _Records(), _Records()
        self._sources = Order()
        self._orders: dict[str, Order] = {}
        """The order of targets within each folder below the sorted one; there are as many folders as classes."""
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
            yield Move(source=source, target=target, mode=MODES[mode], outcome=OUTCOMES[outcome])

    def is_new(self, source: str) -> bool:
        """Return whether a file has no move yet; the caller then adds one."""
        if self._sources.goes_on(source):
            return True
        self._remember("sources", (move[0] for move in self._moves))
        return self._note("sources", source)

    def add(self, move: Move) -> None:
        """Add a move at the end."""
        self._moves.add((move.source, move.target, str(move.mode), str(move.outcome)))

    def take(self, place: str) -> bool:
        """Take a target; return whether it was free."""
        if self._given is None and "taken" not in self._in_database:
            folder, _, name = place.partition("/")
            if self._orders.setdefault(folder, Order("/")).goes_on(name):
                self._places.add(place)
                return True
        self._remember("taken", self._all_taken())
        return self._note("taken", place)

    def is_taken(self, place: str) -> bool:
        """Return whether a target is taken."""
        self._remember("taken", self._all_taken())
        return bool(self._database.execute("SELECT 1 FROM taken WHERE name = ?", (_bytes(place),)).fetchone())

    def _all_taken(self) -> Iterator[str]:
        return chain(self._given or (), self._places)

    def _remember(self, table: str, names: Iterable[str]) -> None:
        """Fill a table with the names so far, once: their order is broken."""
        if table not in self._in_database:
            self._in_database.add(table)
            values = ((_bytes(name),) for name in names)
            self._database.executemany(f"INSERT OR IGNORE INTO {table} VALUES (?)", values)

    def _note(self, table: str, name: str) -> bool:
        return self._database.execute(f"INSERT OR IGNORE INTO {table} VALUES (?)", (_bytes(name),)).rowcount > 0

    def number(self, place: str) -> int:
        """Return the last number given to a file that wanted this target; 1 if none was."""
        found = self._database.execute("SELECT number FROM numbers WHERE place = ?", (_bytes(place),)).fetchone()
        return found[0] if found else 1

    def note_number(self, place: str, number: int) -> None:
        """Record the number given to a file that wanted this target."""
        self._database.execute("REPLACE INTO numbers VALUES (?, ?)", (_bytes(place), number))


class _Records:
    """Values in the order they were added, in an anonymous temporary file."""

    def __init__(self) -> None:
        self._file = _as_long_as(self, tempfile.TemporaryFile())  # noqa: SIM115 - it is closed there
        self._latest: list[Any] = []
        self._length = 0

    def __len__(self) -> int:
        return self._length

    def add(self, value: Any) -> None:
        """Append a value: a text, or a tuple of texts.

        Raises:
            OutputError: the temporary folder is full.
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
            yield from marshal.loads(os.pread(file, size, at + 8))  # Trusted: this process has written it.
            at += 8 + size
        yield from self._latest


@contextmanager
def stored() -> Iterator[None]:
    """Turn an error of the database into one line for the user.

    Raises:
        OutputError: the temporary folder is full.
    """
    try:
        yield
    except sqlite3.Error as exc:
        raise _no_room(exc) from exc


def _no_room(exc: Exception) -> OutputError:
    reason = exc.strerror if isinstance(exc, OSError) else exc
    return OutputError(f"no room for the plan in the temporary folder ({reason}); name one with room: TMPDIR=FOLDER")


def _database(owner: object, *tables: str) -> sqlite3.Connection:
    """Return a private temporary database, in one transaction that is never committed, closed with its owner."""
    database = _as_long_as(owner, sqlite3.connect("", isolation_level=None, check_same_thread=False))
    for setting in ("journal_mode = OFF", f"cache_size = -{CACHE_KIB}"):
        database.execute(f"PRAGMA {setting}")
    for table in tables:
        database.execute(f"CREATE TABLE {table}")
    database.execute("BEGIN")
    return database


def _as_long_as(owner: object, opened: Opened) -> Opened:
    """Close a file or database when its owner is collected, in any thread: a plan is not used inside one block."""
    weakref.finalize(owner, opened.close)
    return opened


def _bytes(name: str) -> bytes:
    return name.encode("utf-8", "surrogatepass")


def _text(name: bytes) -> str:
    return name.decode("utf-8", "surrogatepass")
