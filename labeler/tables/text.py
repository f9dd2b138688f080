"""How rows stand in a file that grows: CSV and JSON Lines. Both can be read back row for row."""

from __future__ import annotations

import codecs
import csv
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import chain
from typing import IO, NamedTuple, Protocol

from labeler.records import COLUMNS_BEFORE, SCHEMA_VERSION, Row, columns
from labeler.tables.cells import STRINGS, alive, cells, escape, inert, row_of, schema_of

LONGEST_RECORD = 1 << 24
"""Bytes; a row with 10,000 classes has 500,000. What goes on for longer without an end of line is no table."""

_BYTE_ORDER_MARK = codecs.BOM_UTF8
_needs_quotes = re.compile('[,"\r\n]').search


class Appendable(Protocol):
    """A format that grows at its end and can be read up to the place where a kill tore it."""

    def header(self, class_names: Sequence[str], schema: int = SCHEMA_VERSION) -> bytes:
        """Return what stands before the first row."""

    def encode(self, rows: Iterable[Row], class_names: Sequence[str], schema: int = SCHEMA_VERSION) -> bytes:
        """Return the bytes of some rows."""

    def columns(self, stream: IO[bytes]) -> tuple[str, ...]:
        """Return the names of the columns; raise ValueError when there are none."""

    def decode(self, stream: IO[bytes]) -> Iterator[tuple[Row, int]]:
        """Yield each sound row and the offset of its end; stop before the first torn one."""


class Csv:
    """RFC 4180: commas, CRLF, quotes where needed; UTF-8. No cell is a formula to a spreadsheet: see `inert`.

    What a spreadsheet makes of such a file is read as well: see `Dialect`.
    """

    def header(self, class_names: Sequence[str], schema: int = SCHEMA_VERSION) -> bytes:
        """Return the line of column names."""
        return (",".join(map(_text, columns(class_names, schema))) + "\r\n").encode()

    def encode(self, rows: Iterable[Row], class_names: Sequence[str], schema: int = SCHEMA_VERSION) -> bytes:
        """Return one record a row; probabilities with six decimals."""
        decimals = ",".join(["%.6f"] * len(class_names))
        nothing = "," * (len(class_names) - 1)
        image = _csv_image if schema > 1 else lambda row: ""  # noqa: ARG005 - there are no such columns
        records = [
            _csv_record(row, decimals % row.probabilities if row.probabilities else nothing, image(row)) for row in rows
        ]
        return "".join(records).encode()

    def columns(self, stream: IO[bytes]) -> tuple[str, ...]:
        """Return the cells of the first line."""
        cells, _ = next(_csv_records(stream)[1], ([], 0))
        return tuple(map(alive, cells))

    def decode(self, stream: IO[bytes]) -> Iterator[tuple[Row, int]]:
        """Yield each sound row and the offset of its end; stop before the first torn one."""
        dialect, records = _csv_records(stream)
        header, _ = next(records, ([], 0))
        try:
            schema = schema_of(list(map(alive, header)))
            texts = [at for at, name in enumerate(header) if name in STRINGS]
            for cells, end in records:
                if len(cells) != len(header):
                    return
                dialect.mend(cells)
                for at in texts:
                    if cells[at][:1] == "'":
                        cells[at] = cells[at][1:]
                yield row_of(cells, schema), end
        except ValueError:
            return


class JsonLines:
    """One object a line, its keys the columns in order; UTF-8."""

    def header(self, class_names: Sequence[str], schema: int = SCHEMA_VERSION) -> bytes:  # noqa: ARG002 - lines name them
        """Return nothing."""
        return b""

    def encode(self, rows: Iterable[Row], class_names: Sequence[str], schema: int = SCHEMA_VERSION) -> bytes:
        """Return one line a row."""
        lines = (json.dumps(cells(row, class_names, schema), ensure_ascii=False) for row in rows)
        return "".join(line + "\n" for line in lines).encode()

    def columns(self, stream: IO[bytes]) -> tuple[str, ...]:
        """Return the keys of the first line."""
        try:
            first = json.loads(stream.readline(LONGEST_RECORD))
        except RecursionError as exc:
            raise ValueError("its first line is nested too deeply") from exc
        return tuple(first) if isinstance(first, dict) else ()

    def decode(self, stream: IO[bytes]) -> Iterator[tuple[Row, int]]:
        """Yield each sound row and the offset of its end; stop before the first torn one."""
        end = 0
        keys: list[str] = []
        schema = 0
        for line in _lines(stream):
            end += len(line)
            try:
                found = json.loads(line)
                if not keys:
                    keys = list(found)
                    schema = schema_of(keys)
                if list(found) != keys:
                    return
                row = row_of(list(found.values()), schema)
            except (ValueError, TypeError, AttributeError, RecursionError):
                return
            yield row, end


class Dialect(NamedTuple):
    """How a CSV file that is read separates its cells, and whether its numbers have a decimal comma.

    A spreadsheet saves the table of a user who corrects it with a byte-order mark, and where numbers are written with
    a comma, with semicolons.
    """

    delimiter: str = ","

    @classmethod
    def of(cls, header: bytes) -> Dialect:
        """Return the dialect of a table that begins with this line."""
        after = header.removeprefix(_BYTE_ORDER_MARK).lstrip(b'"').removeprefix(b"file").lstrip(b'"')[:1]
        return cls(after.decode()) if after in {b";", b"\t"} else cls()

    @property
    def decimal_point(self) -> bool:
        """Say whether numbers certainly have a decimal point, and no comma."""
        return self.delimiter == ","

    def mend(self, cells: list[str]) -> None:
        """Give the numbers of a record decimal points."""
        if not self.decimal_point:
            numbers = slice(1, COLUMNS_BEFORE.index("label")), slice(COLUMNS_BEFORE.index("score"), -2)
            for some in numbers:
                cells[some] = [cell.replace(",", ".") for cell in cells[some]]


def _decimal(number: float | None) -> str:
    return "" if number is None else f"{number:.6f}"


def _csv_record(row: Row, probabilities: str, image: str) -> str:
    """Return a record; the csv module's writer takes twice as long, for it looks into every number, too.

    A box's numbers all have a decimal point: readers tell a column's type by its first rows.
    """
    face = "" if row.face is None else row.face
    box = ",,," if row.x is None else f"{row.x},{row.y},{row.width},{row.height}"
    scores = f"{_decimal(row.face_score)},{_repeated(row.label)},{_decimal(row.score)}"
    end = f"{row.status},{_repeated(row.reason)}\r\n"
    return f"{_text(escape(row.file))},{face},{box},{scores},{probabilities},{image}{end}"


def _csv_image(row: Row) -> str:
    size = "," if row.image_width is None else f"{row.image_width},{row.image_height}"
    version = row.version if row.version.replace("-", "", 1).isalnum() else _text(row.version)  # All local ones.
    return f"{size},{version},"


def _text(text: str) -> str:
    text = inert(text)
    return '"' + text.replace('"', '""') + '"' if _needs_quotes(text) else text


def _csv_records(stream: IO[bytes]) -> tuple[Dialect, Iterator[tuple[list[str], int]]]:
    """Return the dialect, and the cells of each record with the offset of its end, up to the first torn one."""
    header = next(_lines(stream), b"")
    dialect = Dialect.of(header)
    return dialect, _cells(chain([header], _lines(stream)), dialect)


_repeated = lru_cache(1 << 10)(_text)
"""The same for labels and reasons, of which there are few: they are looked up."""


def _cells(lines: Iterable[bytes], dialect: Dialect) -> Iterator[tuple[list[str], int]]:
    end = 0

    def texts() -> Iterator[str]:
        nonlocal end
        for line in lines:
            text = (line if end else line.removeprefix(_BYTE_ORDER_MARK)).decode()
            end += len(line)
            yield text

    # It takes fields of up to 131,072 characters: no quote is open for ever.
    reader = csv.reader(texts(), delimiter=dialect.delimiter, strict=True)
    try:
        for record in reader:
            yield record, end
    except (csv.Error, UnicodeDecodeError):
        return


def _lines(stream: IO[bytes]) -> Iterator[bytes]:
    """Yield the lines that have an end, as long as none is longer than a record may be."""
    for line in iter(lambda: stream.readline(LONGEST_RECORD), b""):
        if not line.endswith(b"\n"):
            return
        yield line
