"""How rows stand in a file: CSV, JSON Lines, Parquet. Each can be read back row for row."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import IO, Any, Protocol

import pyarrow
import pyarrow.parquet

from labeler.records import COLUMNS_AFTER, COLUMNS_BEFORE, SCHEMA_VERSION, Row, Status, columns

ROWS_PER_GROUP = 1 << 16
"""Rows of one Parquet row group; what a conversion holds in memory."""

STRINGS = ("file", "label", *COLUMNS_AFTER)


class Appendable(Protocol):
    """A format that grows at its end and can be read up to the place where a kill tore it."""

    def header(self, class_names: Sequence[str]) -> bytes:
        """Return what stands before the first row."""

    def encode(self, rows: Iterable[Row], class_names: Sequence[str]) -> bytes:
        """Return the bytes of some rows."""

    def columns(self, stream: IO[bytes]) -> tuple[str, ...]:
        """Return the names of the columns; raise ValueError when there are none."""

    def decode(self, stream: IO[bytes]) -> Iterator[tuple[Row, int]]:
        """Yield each sound row and the offset of its end; stop before the first torn one."""


class Csv:
    """RFC 4180: commas, CRLF, quotes where needed; UTF-8."""

    def header(self, class_names: Sequence[str]) -> bytes:
        """Return the line of column names."""
        return _csv_lines([columns(class_names)])

    def encode(self, rows: Iterable[Row], class_names: Sequence[str]) -> bytes:
        """Return one record a row; probabilities with six decimals."""
        nothing = [""] * len(class_names)
        return _csv_lines(
            [
                escape(row.file),
                "" if row.face is None else row.face,
                *map(_tenths, (row.x, row.y, row.width, row.height)),
                _decimal(row.face_score),
                row.label,
                _decimal(row.score),
                *([f"{p:.6f}" for p in row.probabilities] or nothing),
                row.status,
                row.reason,
            ]
            for row in rows
        )

    def columns(self, stream: IO[bytes]) -> tuple[str, ...]:
        """Return the cells of the first line."""
        cells, _ = next(_csv_records(stream), ([], 0))
        return tuple(cells)

    def decode(self, stream: IO[bytes]) -> Iterator[tuple[Row, int]]:
        """Yield each sound row and the offset of its end; stop before the first torn one."""
        records = _csv_records(stream)
        header, _ = next(records, ([], 0))
        for cells, end in records:
            try:
                yield _row(dict(zip(header, cells, strict=True))), end
            except ValueError:
                return


class JsonLines:
    """One object a line, its keys the columns in order; UTF-8."""

    def header(self, class_names: Sequence[str]) -> bytes:  # noqa: ARG002 - each line names its columns
        """Return nothing."""
        return b""

    def encode(self, rows: Iterable[Row], class_names: Sequence[str]) -> bytes:
        """Return one line a row."""
        lines = (json.dumps(cells(row, class_names), ensure_ascii=False) for row in rows)
        return "".join(line + "\n" for line in lines).encode()

    def columns(self, stream: IO[bytes]) -> tuple[str, ...]:
        """Return the keys of the first line."""
        first = json.loads(stream.readline())
        return tuple(first) if isinstance(first, dict) else ()

    def decode(self, stream: IO[bytes]) -> Iterator[tuple[Row, int]]:
        """Yield each sound row and the offset of its end; stop before the first torn one."""
        end = 0
        for line in stream:
            end += len(line)
            try:
                row = _row(json.loads(line))
            except (ValueError, TypeError, KeyError, AttributeError):
                return
            if not line.endswith(b"\n"):
                return
            yield row, end


class Parquet:
    """Typed columns; written as a whole, from rows."""

    def columns(self, path: Path) -> tuple[str, ...]:
        """Return the names of the columns."""
        return tuple(pyarrow.parquet.read_schema(path).names)

    def read(self, path: Path) -> Iterator[Row]:
        """Yield the rows."""
        with pyarrow.parquet.ParquetFile(path) as file:
            for batch in file.iter_batches(ROWS_PER_GROUP):
                yield from map(_row, batch.to_pylist())

    def write(self, path: Path, rows: Iterator[Row], class_names: Sequence[str]) -> None:
        """Write all rows, a row group at a time."""
        schema = _schema(class_names)
        with pyarrow.parquet.ParquetWriter(path, schema) as writer:
            while group := [cells(row, class_names) for row in islice(rows, ROWS_PER_GROUP)]:
                writer.write_table(pyarrow.Table.from_pylist(group, schema))


def cells(row: Row, class_names: Sequence[str]) -> dict[str, Any]:
    """Return a row as a mapping from column to value."""
    probabilities = row.probabilities or (None,) * len(class_names)
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


def _row(found: dict[str, Any]) -> Row:
    """Return the row of a mapping; an absent value is None or an empty string."""
    values = list(found.values())
    probabilities = values[len(COLUMNS_BEFORE) : -len(COLUMNS_AFTER)]
    return Row(
        file=unescape(found["file"]),
        face=None if found["face"] in (None, "") else int(found["face"]),
        x=_float(found["x"]),
        y=_float(found["y"]),
        width=_float(found["width"]),
        height=_float(found["height"]),
        face_score=_float(found["face_score"]),
        label=found["label"] or "",
        score=_float(found["score"]),
        probabilities=() if probabilities[0] in (None, "") else tuple(map(float, probabilities)),
        status=Status(found["status"]),
        reason=found["reason"] or "",
    )


def _float(cell: Any) -> float | None:
    return None if cell is None or cell == "" else float(cell)


def _tenths(length: float | None) -> str:
    return "" if length is None else f"{length:.1f}".removesuffix(".0")


def _decimal(number: float | None) -> str:
    return "" if number is None else f"{number:.6f}"


def _csv_lines(records: Iterable[Iterable[object]]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\r\n").writerows(records)
    return text.getvalue().encode()


def _csv_records(stream: IO[bytes]) -> Iterator[tuple[list[str], int]]:
    """Yield the cells of each record and the offset of its end; stop before the first torn one."""
    end = 0

    def lines() -> Iterator[str]:
        nonlocal end
        for line in stream:
            if not line.endswith(b"\n"):
                return
            end += len(line)
            yield line.decode()

    reader = csv.reader(lines(), strict=True)
    try:
        for record in reader:
            yield record, end
    except (csv.Error, UnicodeDecodeError):
        return


def _schema(class_names: Sequence[str]) -> pyarrow.Schema:
    def kind(name: str) -> pyarrow.DataType:
        if name in STRINGS:
            return pyarrow.string()
        return pyarrow.int32() if name == "face" else pyarrow.float64()

    fields = [(name, kind(name)) for name in columns(class_names)]
    return pyarrow.schema(fields, metadata={"labeler_schema": str(SCHEMA_VERSION)})
