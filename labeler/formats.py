"""How rows stand in a file that grows: CSV and JSON Lines. Both can be read back row for row."""

from __future__ import annotations

import codecs
import csv
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import IO, Any, NamedTuple, Protocol

from labeler.records import COLUMNS_AFTER_BY_SCHEMA, COLUMNS_BEFORE, SCHEMA_VERSION, Row, Status, columns

STRINGS = ("file", "label", "version", "status", "reason")
INTEGERS = ("face", "image_width", "image_height")

LONGEST_RECORD = 1 << 24
"""Bytes; a row with 10,000 classes has 500,000. What goes on for longer without an end of line is no table."""

_BYTE_ORDER_MARK = codecs.BOM_UTF8
_BEGIN_FORMULAS = frozenset("=+-@\t\r'")
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
        texts = [name for name in STRINGS if name in header]
        for cells, end in records:
            try:
                found = dict(zip(header, cells, strict=True))
                row = row_of(dialect.numbers(found) | {name: alive(found[name]) for name in texts})
            except (ValueError, KeyError):
                return
            yield row, end


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
        keys: list[str] | None = None
        for line in _lines(stream):
            end += len(line)
            try:
                found = json.loads(line)
                row = row_of(found)
            except (ValueError, RecursionError):
                return
            keys = keys or list(found)
            if list(found) != keys:
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

    def numbers(self, found: dict[str, str]) -> dict[str, str]:
        """Return the cells with decimal points."""
        if self.decimal_point:
            return found
        return {name: cell if name in STRINGS else cell.replace(",", ".") for name, cell in found.items()}


def cells(row: Row, class_names: Sequence[str], schema: int = SCHEMA_VERSION) -> dict[str, Any]:
    """Return a row as a mapping from column to value."""
    probabilities = row.probabilities or (None,) * len(class_names)
    image = {"image_width": row.image_width, "image_height": row.image_height, "version": row.version}
    return {
        "file": escape(row.file),
        "face": row.face,
        "x": row.x,
        "y": row.y,
        "width": row.width,
        "height": row.height,
        "face_score": row.face_score,
        "label": row.label,
        "score": row.score,
        **dict(zip(class_names, probabilities, strict=True)),
        **(image if schema > 1 else {}),
        "status": str(row.status),
        "reason": row.reason,
    }


def escape(name: str) -> str:
    r"""Return a file name as valid Unicode: a byte that is not UTF-8 becomes ``\xNN``.

    A backslash that could be mistaken for such an escape becomes ``\x5c``, so that `unescape` is exact.
    """
    if "\\x" in name:
        name = re.sub(r"\\(?=x[0-9a-f]{2})", r"\\x5c", name)
    if name.isascii():
        return name
    return re.sub("[\udc80-\udcff]", lambda match: f"\\x{ord(match[0]) - 0xDC00:02x}", name)


def unescape(name: str) -> str:
    """Return the file name that `escape` made this of."""

    def byte(match: re.Match[str]) -> str:
        code = int(match[1], 16)
        return chr(code + 0xDC00) if code >= 0x80 else chr(code)

    return re.sub(r"\\x([0-9a-f]{2})", byte, name) if "\\x" in name else name


def inert(text: str) -> str:
    """Return a text that no spreadsheet takes for a formula: with an apostrophe before a character that begins one.

    See "CSV Injection" of the OWASP. An apostrophe that stands there already gets another, so that `alive` is exact.
    """
    return "'" + text if text[:1] in _BEGIN_FORMULAS else text


def alive(text: str) -> str:
    """Return the text that `inert` made this of."""
    return text.removeprefix("'")


def row_of(found: dict[str, Any]) -> Row:
    """Return the row of a mapping; an absent value is None or an empty string.

    Raises:
        ValueError: it is none: a column is missing, or a value is of another kind, not finite or out of place.
    """
    try:
        values = list(found.values())
        schema = SCHEMA_VERSION if "version" in found else 1
        probabilities = values[len(COLUMNS_BEFORE) : -len(COLUMNS_AFTER_BY_SCHEMA[schema])]
        row = Row(
            file=unescape(found["file"]),
            face=_integer(found["face"]),
            x=_float(found["x"]),
            y=_float(found["y"]),
            width=_float(found["width"]),
            height=_float(found["height"]),
            face_score=_float(found["face_score"]),
            label=found["label"] or "",
            score=_float(found["score"]),
            probabilities=() if probabilities[0] in (None, "") else tuple(map(_finite, probabilities)),
            status=Status(found["status"]),
            reason=found["reason"] or "",
            image_width=_integer(found["image_width"]) if schema > 1 else None,
            image_height=_integer(found["image_height"]) if schema > 1 else None,
            version=(found["version"] or "") if schema > 1 else "",
        )
        if not (row.file.isascii() and row.label.isascii() and row.reason.isascii() and row.version.isascii()):
            row.file.encode("utf-8", "surrogateescape")
            (row.label + row.reason + row.version).encode()
    except (KeyError, TypeError, AttributeError, IndexError, OverflowError) as exc:
        raise ValueError(f"no row of a table: {exc}") from exc
    if "\0" in row.file or min(row.face or 0, row.image_width or 0, row.image_height or 0) < 0:
        raise ValueError("no row of a table: no file is called so, or a negative face or size")
    return row


def _integer(cell: Any) -> int | None:
    return None if cell is None or cell == "" else int(cell)


def _float(cell: Any) -> float | None:
    return None if cell is None or cell == "" else _finite(cell)


def _finite(cell: Any) -> float:
    number = float(cell)
    if number - number != 0:  # Infinite, or not a number.
        raise ValueError("not a finite number")
    return number


def _decimal(number: float | None) -> str:
    return "" if number is None else f"{number:.6f}"


def _csv_record(row: Row, probabilities: str, image: str) -> str:
    """Return a record; the csv module's writer takes twice as long, for it looks into every number, too.

    A box's numbers all have a decimal point: readers tell a column's type by its first rows.
    """
    face = "" if row.face is None else row.face
    box = ",,," if row.x is None else f"{row.x},{row.y},{row.width},{row.height}"
    scores = f"{_decimal(row.face_score)},{_text(row.label)},{_decimal(row.score)}"
    return (
        f"{_text(escape(row.file))},{face},{box},{scores},{probabilities},{image}{row.status},{_text(row.reason)}\r\n"
    )


def _csv_image(row: Row) -> str:
    size = "," if row.image_width is None else f"{row.image_width},{row.image_height}"
    return f"{size},{_text(row.version)},"


def _text(text: str) -> str:
    text = inert(text)
    return '"' + text.replace('"', '""') + '"' if _needs_quotes(text) else text


def _csv_records(stream: IO[bytes]) -> tuple[Dialect, Iterator[tuple[list[str], int]]]:
    """Return the dialect, and the cells of each record with the offset of its end, up to the first torn one."""
    header = next(_lines(stream), b"")
    dialect = Dialect.of(header)
    return dialect, _cells(chain([header], _lines(stream)), dialect)


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
