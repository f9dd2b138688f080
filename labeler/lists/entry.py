"""What a list says of one file, and what is wrong with a list."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

LONGEST_VALUE = 1 << 15
"""Upper limit on the characters of a name or a kept value: a cell of a spreadsheet has as many, and a table with values
of more than 131,072 could not be read back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A list, and what to take from it: the options `--from-list`, `--column` and `--keep`."""

    path: str
    """``-`` for stdin."""
    column: str = ""
    """The column with the names; empty to find it by its name."""
    keep: tuple[str, ...] = ()
    """The columns that the table is to carry."""
    options: tuple[tuple[str, str], ...] = ()
    """How the store of its addresses is reached, see `storage.address`; those in an address of the list come first."""

    @property
    def shown(self) -> str:
        """Return the list's name for a person."""
        return "the list on stdin" if self.path == "-" else self.path


class Entry(NamedTuple):
    """One file of a list."""

    number: int
    """Of the line, or of the row of a Parquet file; from 1."""
    name: str
    """As it stands in the list: a name or an address."""
    kept: tuple[str, ...] = ()


class DamagedError(ValueError):
    """A list that cannot be read, from a line on; 0 where it is no certain one."""

    def __init__(self, number: int, reason: str) -> None:
        super().__init__(number, reason)
        self.number = number
        self.reason = reason


def checked(entry: Entry, keep: tuple[str, ...]) -> Entry:
    """Return an entry whose values a table can hold.

    Raises:
        DamagedError: one is too long, is no valid text, or holds a NUL.
    """
    for column, value in zip(("", *keep), (entry.name, *entry.kept), strict=True):
        what = f"the value of `{column}`" if column else "the name"
        if "\0" in value:
            raise DamagedError(entry.number, f"{what} holds a NUL byte")
        if len(value) > LONGEST_VALUE:
            raise DamagedError(entry.number, f"{what} has {len(value):,} characters; the limit is {LONGEST_VALUE:,}")
        if column and not value.isascii():
            _check_text(entry.number, what, value)
    if not entry.name:
        raise DamagedError(entry.number, "there is no name")
    return entry


def _check_text(number: int, what: str, value: str) -> None:
    try:
        value.encode()
    except UnicodeEncodeError as exc:
        raise DamagedError(number, f"{what} is no valid UTF-8") from exc
