"""Tables as CSV: what programs write, and what spreadsheets save."""

from __future__ import annotations

import codecs
import csv
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NamedTuple

from labeler.records import SCHEMA_VERSION, Row, columns
from labeler.tables import text
from labeler.tables.cells import alive, escape, inert, layout_of, row_of, unescape
from labeler.tables.run_record import RunRecord

if TYPE_CHECKING:
    import pandas

_BYTE_ORDER_MARK = codecs.BOM_UTF8
_END = "\r\n"
_needs_quotes = re.compile('[,"\r\n]').search


class Csv:
    """RFC 4180: commas, CRLF, quotes where needed; UTF-8. No cell is a formula to a spreadsheet: see `inert`.

    What a spreadsheet makes of such a file is read as well: see `Dialect`.
    """

    @property
    def appendable(self) -> Csv:
        """Return this format: it can grow."""
        return self

    def header(
        self, class_names: Sequence[str], schema: int = SCHEMA_VERSION, keep: Sequence[str] = (), top: int = 0
    ) -> bytes:
        """Return the line of column names."""
        return _csv_header(columns(class_names, schema, keep, top))

    def encode(
        self,
        rows: Iterable[Row],
        class_names: Sequence[str],
        schema: int = SCHEMA_VERSION,
        keep: Sequence[str] = (),
        top: int = 0,
    ) -> bytes:
        """Return one record a row; probabilities with six decimals."""
        between = _csv_further(top) if top else _csv_shares(len(class_names))
        image = _csv_image if schema > 1 else lambda row: ""  # noqa: ARG005 - there are no such columns
        rows = list(rows) if keep else rows
        records = [_csv_record(row, between(row), image(row)) for row in rows]
        if keep:
            unknown = "," * len(keep)
            records = [
                f"{record.removesuffix(_END)}{_csv_kept(row) or unknown}{_END}"
                for record, row in zip(records, rows, strict=True)
            ]
        return "".join(records).encode()

    def columns(self, path: Path) -> tuple[str, ...]:
        """Return the cells of the first line."""
        with path.open("rb") as stream:
            cells, _ = next(_csv_records(stream)[1], ([], 0))
        return tuple(map(alive, cells))

    def read(self, path: Path) -> Iterator[Row]:
        """Yield all rows; raise ValueError after the last sound one if the file is damaged."""
        return text.read(path, self.decode, len(_csv_header(self.columns(path))))

    def files(self, path: Path) -> Iterator[str]:
        """Yield the first cell of each record; one without quotes is a line, and is not parsed further."""
        with path.open("rb") as stream, suppress(ValueError, csv.Error, IndexError):
            delimiter = Dialect.of(next(text.lines(stream), b"")).delimiter
            lines = map(bytes.decode, text.lines(stream))
            for line in lines:
                if '"' in line:
                    cell = next(csv.reader(chain([line], lines), delimiter=delimiter, strict=True))[0]
                else:
                    cell = line.partition(delimiter)[0]
                yield unescape(alive(cell))

    def write(self, path: Path, rows: Iterable[Row], record: RunRecord) -> None:
        """Write a table, some thousand rows at a time."""
        text.write(path, self, rows, record)

    def frame(self, path: Path, types: Mapping[str, str]) -> pandas.DataFrame:
        """Return the cells, with those that hold text as they were before `inert`."""
        import pandas  # Deferred: it takes 0.8 s, and `classify` does without.

        with path.open("rb") as stream:
            dialect = Dialect.of(stream.readline(text.LONGEST_RECORD))
        # Only empty cells are absent: a file may be called `NA` or `007`.
        frame = pandas.read_csv(
            path,
            sep=dialect.delimiter,
            encoding="utf-8-sig",
            dtype=_inert(types if dialect.decimal_point else dict.fromkeys(types, "str")),
            keep_default_na=False,
            na_values=_inert({name: [""] for name, kind in types.items() if kind != "str"}),
            index_col=False,
        ).rename(columns=alive)
        for name, kind in types.items():
            if kind == "str":
                frame[name] = frame[name].map(alive)
            elif not dialect.decimal_point:
                frame[name] = pandas.to_numeric(frame[name].str.replace(",", "."))
        return frame

    def decode(self, stream: IO[bytes]) -> Iterator[tuple[Row, int]]:
        """Yield each sound row and the offset of its end; stop before the first torn one."""
        dialect, records = _csv_records(stream)
        header, _ = next(records, ([], 0))
        try:
            layout = layout_of(list(map(alive, header)))
            schema, kept, top = layout.schema, len(layout.keep), layout.top
            end_of_own, own = len(header) - kept, layout._replace(keep=()).texts
            texts = [at for at, name in enumerate(header) if name in own or at >= end_of_own]
            numbers = sorted(set(range(len(header))).difference(texts))
            for cells, end in records:
                if len(cells) != len(header):
                    return
                dialect.mend(cells, numbers)
                for at in texts:
                    if cells[at][:1] == "'":
                        cells[at] = cells[at][1:]
                yield row_of(cells, schema, kept, top), end
        except ValueError:
            return


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

    def mend(self, cells: list[str], numbers: Iterable[int]) -> None:
        """Give the numbers of a record, which stand at these places, decimal points."""
        if not self.decimal_point:
            for at in numbers:
                cells[at] = cells[at].replace(",", ".")


def _csv_header(names: Iterable[str]) -> bytes:
    return (",".join(map(_quoted, names)) + "\r\n").encode()


def _inert(by_column: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is said of columns by their names in a CSV file."""
    return {inert(name): value for name, value in by_column.items()}


def _decimal(number: float | None) -> str:
    return "" if number is None else f"{number:.6f}"


def _csv_record(row: Row, between: str, image: str) -> str:
    """Return a record; the csv module's writer takes twice as long, for it looks into every number, too.

    A box's numbers all have a decimal point: readers tell a column's type by its first rows.
    """
    face = "" if row.face is None else row.face
    box = ",,," if row.x is None else f"{row.x},{row.y},{row.width},{row.height}"
    scores = f"{_decimal(row.face_score)},{_repeated(row.label)},{_decimal(row.score)},"
    end = f"{row.status},{_repeated(row.reason)}\r\n"
    return f"{_quoted(escape(row.file))},{face},{box},{scores}{between}{image}{end}"


def _csv_shares(classes: int) -> Callable[[Row], str]:
    """Return what writes the probabilities of all classes."""
    decimals, nothing = ",".join(["%.6f"] * classes) + ",", "," * classes
    return lambda row: decimals % row.probabilities if row.probabilities else nothing


def _csv_further(top: int) -> Callable[[Row], str]:
    """Return what writes the most probable classes beside the label, and their probabilities."""
    nothing = "," * (2 * top - 2)

    def written(row: Row) -> str:
        pairs = zip(row.further[::2], row.further[1::2], strict=True)
        return "".join(f"{_repeated(str(name))},{share:.6f}," for name, share in pairs) or nothing

    return written


def _csv_kept(row: Row) -> str:
    return "".join(f",{_quoted(value)}" for value in row.kept)


def _csv_image(row: Row) -> str:
    size = "," if row.image_width is None else f"{row.image_width},{row.image_height}"
    version = row.version if row.version.replace("-", "", 1).isalnum() else _quoted(row.version)  # All local ones.
    return f"{size},{version},"


def _quoted(cell: str) -> str:
    cell = inert(cell)
    return '"' + cell.replace('"', '""') + '"' if _needs_quotes(cell) else cell


def _csv_records(stream: IO[bytes]) -> tuple[Dialect, Iterator[tuple[list[str], int]]]:
    """Return the dialect, and the cells of each record with the offset of its end, up to the first torn one."""
    header = next(text.lines(stream), b"")
    dialect = Dialect.of(header)
    return dialect, _cells(chain([header], text.lines(stream)), dialect)


_repeated = lru_cache(1 << 10)(_quoted)
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
