"""How rows stand in a file that grows: CSV and JSON Lines. Both can be read back row for row."""

from __future__ import annotations

import codecs
import csv
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import chain
from typing import IO, Any, NamedTuple, Protocol

from labeler.records import (
    COLUMNS_AFTER_BY_SCHEMA,
    COLUMNS_BEFORE,
    SCHEMA_VERSION,
    Row,
    Status,
    columns,
    unusable_class_names,
)

STRINGS = ("file", "label", "version", "status", "reason")
INTEGERS = ("face", "image_width", "image_height")

LONGEST_RECORD = 1 << 24
"""Bytes; a row with 10,000 classes has 500,000. What goes on for longer without an end of line is no table."""

_ABSENT = frozenset({None, ""})
_NO_IMAGE = ("", "", "")
_STATUSES = {str(status): status for status in Status}
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


def schema_of(names: Sequence[str]) -> int:
    """Return the version of the schema whose columns these are.

    Raises:
        ValueError: they are no table's.
    """
    for schema, after in COLUMNS_AFTER_BY_SCHEMA.items():
        class_names = names[len(COLUMNS_BEFORE) : -len(after)]
        if class_names and tuple(names) == columns(class_names, schema) and not unusable_class_names(class_names):
            return schema
    raise ValueError("its columns are not those of a table")


def row_of(values: Sequence[Any], schema: int = SCHEMA_VERSION) -> Row:
    """Return the row of the values of all columns, in their order; an absent one is None or an empty string.

    One function for all formats, without helpers: tables of millions of rows are read by it.

    Raises:
        ValueError: it is none: a value is missing, of another kind, not finite or out of place.
    """
    try:
        file, face, x, y, width, height, face_score, label, score = values[: len(COLUMNS_BEFORE)]
        probabilities = values[len(COLUMNS_BEFORE) : -len(COLUMNS_AFTER_BY_SCHEMA[schema])]
        image_width, image_height, version, status, reason = values[-5:] if schema > 1 else (*_NO_IMAGE, *values[-2:])
        cells = (x, y, width, height, face_score, score)
        numbers = [None if cell is None or cell == "" else float(cell) for cell in cells]
        shares = () if probabilities[0] in _ABSENT else tuple(map(float, probabilities))
        row = Row(
            unescape(file),
            None if face in _ABSENT else int(face),
            numbers[0],
            numbers[1],
            numbers[2],
            numbers[3],
            numbers[4],
            label or "",
            numbers[5],
            shares,
            _STATUSES[status],
            reason or "",
            None if image_width in _ABSENT else int(image_width),
            None if image_height in _ABSENT else int(image_height),
            version or "",
        )
        texts = row.file + row.label + row.reason + row.version
        if not texts.isascii():
            row.file.encode("utf-8", "surrogateescape")
            (row.label + row.reason + row.version).encode()
        total = sum(filter(None, numbers), sum(shares))
    except (KeyError, TypeError, AttributeError, IndexError, OverflowError) as exc:
        raise ValueError(f"no row of a table: {exc}") from exc
    if total - total != 0 or "\0" in row.file or min(row.face or 0, row.image_width or 0, row.image_height or 0) < 0:
        raise ValueError("no row of a table: no file is called so, a negative face or size, or a number without end")
    return row


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
