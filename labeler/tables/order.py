"""The order of a table: files in ascending order of `key`, the rows of each together."""

from __future__ import annotations

import pickle
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from typing import TypeVar

from labeler.errors import LabelerError, OutputError
from labeler.records import Row, by_file
from labeler.storage.store import key

Item = TypeVar("Item")
Left = TypeVar("Left")
Right = TypeVar("Right")

_CACHE_KIB = 8192
"""How much SQLite sorts in memory; the rest waits in its temporary file."""


def is_ascending(files: Iterable[str]) -> bool:
    """Say whether files come in order; a file may come several times in a row."""
    last, before = None, ""
    for file in files:
        if file != last:
            at = key(file)
            if at <= before:
                return False
            last, before = file, at
    return True


def grouped(rows: Iterable[Row], *, ascending: bool) -> Iterator[list[Row]]:
    """Yield the rows of each file together, in order; rows that do not come in order are sorted outside of memory.

    Raises:
        OutputError: there is no room to sort them.
    """
    return by_file(rows if ascending else outside_memory((key(row.file), row.face, row) for row in rows))


def keyed(items: Iterable[Item], file: Callable[[Item], str]) -> Iterator[tuple[str, Item]]:
    """Yield each item after the key of its file.

    Raises:
        LabelerError: they do not come in order.
    """
    before = ""
    for item in items:
        at = key(file(item))
        if at <= before:
            raise LabelerError(
                f"{file(item)!r} came too late for its place in the order of files; if nobody changed the table in "
                "the middle of this run, it is an error of labeler: please report it"
            )
        yield at, item
        before = at


def outer_join(
    left: Iterable[tuple[str, Left]], right: Iterable[tuple[str, Right]]
) -> Iterator[tuple[Left | None, Right | None]]:
    """Yield the items of two `keyed` sides in order, those of one file together; None where a side has no such file."""
    lefts, rights = iter(left), iter(right)
    one, other = next(lefts, None), next(rights, None)
    while one or other:
        if other is None or (one and one[0] < other[0]):
            assert one
            yield one[1], None
            one = next(lefts, None)
        elif one is None or other[0] < one[0]:
            yield None, other[1]
            other = next(rights, None)
        else:
            yield one[1], other[1]
            one, other = next(lefts, None), next(rights, None)


def outside_memory(items: Iterable[tuple[str, int | None, Item]]) -> Iterator[Item]:
    """Yield the third of each tuple in ascending order of the first two, a key of names and a number.

    They are sorted in a nameless temporary file, which goes with the process, however that ends.

    Raises:
        OutputError: there is no room to sort them.
    """
    with closing(sqlite3.connect("", isolation_level=None)) as database:
        try:
            for statement in (
                "PRAGMA journal_mode = OFF",
                f"PRAGMA cache_size = -{_CACHE_KIB}",
                "CREATE TABLE items (key BLOB, number INTEGER, item BLOB)",
                "BEGIN",
            ):
                database.execute(statement)
            values = ((at.encode("utf-8", "surrogatepass"), number, pickle.dumps(item)) for at, number, item in items)
            database.executemany("INSERT INTO items VALUES (?, ?, ?)", values)
            for (content,) in database.execute("SELECT item FROM items ORDER BY key, number"):
                yield pickle.loads(content)  # What this process has written itself.
        except sqlite3.Error as exc:
            raise OutputError(
                f"no room to sort in the temporary folder ({exc}); name one with room: TMPDIR=FOLDER, then "
                "run the same command to continue"
            ) from exc
