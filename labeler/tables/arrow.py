"""Read and write tables with any columns as Arrow tables: CSV, JSON Lines, Parquet."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pyarrow.csv
import pyarrow.parquet
from numpy.typing import NDArray

from labeler.errors import LabelerError, one_line
from labeler.storage import atomic
from labeler.tables import arrays
from labeler.tables.cells import STRINGS, alive, inert, layout_of

CORRECTED = "corrected"
"""The column that a person adds to a table to say what a label should be; it is read as text."""

_LARGEST_BLOCK = (1 << 31) - 1
"""Upper limit, of pyarrow, on the bytes of a CSV file from which column types are inferred."""

_SEPARATORS = ",;\t"
"""Separators of CSV files: of programs; of spreadsheets whose decimal point is a comma; of both."""

_MOST_COLUMNS = 20_000
"""Upper limit on columns, above the 10,000 classes that a model may have: a hostile table could have millions."""

_LONGEST_HEADER = 1 << 24
"""Upper limit on the bytes of the first line that are searched for a separator: 20,000 names need far less."""

_ROWS_AT_ONCE = 1 << 10
"""Rows of a Parquet file that are unpacked before its size is checked again."""

_UNPACKED = 100
"""Upper limit on the ratio of a Parquet table in memory to its file, against zip bombs; names and numbers reach 20."""


def read(path: Path) -> pyarrow.Table:
    """Read a table that has a column `file`; the text columns of a table of ours are read as text.

    Raises:
        LabelerError: the file does not exist, is no table, or has no such column.
    """
    readers: dict[str, Callable[[Path], pyarrow.Table]] = {
        ".csv": _read_csv,
        ".jsonl": _read_json_lines,
        ".parquet": _read_parquet,
    }
    if path.is_dir():
        raise LabelerError(f"{path} is a folder, not a table; name a file that ends in {', '.join(readers)}")
    reader = readers.get(path.suffix.lower())
    if not reader:
        raise LabelerError(f"cannot tell the format of {path}: a table's name ends in {', '.join(readers)}")
    if not path.is_file():
        raise LabelerError(f"{path} does not exist")
    try:
        content = reader(path)
        content.validate(full=True)  # Also checks that text is UTF-8.
        names = content.column_names
    except (OSError, ValueError, OverflowError, RecursionError, pyarrow.ArrowException) as exc:
        advice = "; in a spreadsheet, save it as CSV UTF-8" if "utf" in str(exc).lower() else ""
        raise LabelerError(f"{path} cannot be read as a table: {one_line(exc)}{advice}") from exc
    shown = one_line(", ".join(names))
    if "file" not in names:
        raise LabelerError(f"{path} needs one column `file`; its columns are {shown}")
    if len(set(names)) < len(names):
        raise LabelerError(f"{path} has two columns with the same name; its columns are {shown}")
    return content


def write(path: Path, content: pyarrow.Table) -> None:
    """Write a table; a null becomes an empty cell in CSV and a null in the other formats.

    Raises:
        OutputError: the file cannot be written.
    """
    writers: dict[str, Callable[[pyarrow.Table, Path], None]] = {
        ".csv": _write_csv,
        ".jsonl": _write_json_lines,
        ".parquet": pyarrow.parquet.write_table,
    }
    with atomic.replacing(path) as beside:
        writers[path.suffix.lower()](content, beside)


def numeric(content: pyarrow.Table) -> list[str]:
    """Return the names of the numeric columns, in their order."""
    kinds = (pyarrow.types.is_integer, pyarrow.types.is_floating, pyarrow.types.is_decimal)
    return [field.name for field in content.schema if any(kind(field.type) for kind in kinds)]


def numbers(content: pyarrow.Table, name: str) -> NDArray[np.float64]:
    """Return a numeric column; an empty cell becomes 0."""
    chunks = content[name].cast(pyarrow.float64(), safe=False).chunks
    cells: NDArray[np.float64] = np.concatenate([np.zeros(0), *(arrays.numbers(chunk, 0) for chunk in chunks)])
    return np.asarray(np.nan_to_num(cells, posinf=np.inf))


def _read_csv(path: Path) -> pyarrow.Table:
    """Read a CSV file of a program or a spreadsheet; pyarrow skips a byte-order mark."""
    separator = _separator(path)
    content = _parsed(path, separator, ".")
    if separator == ",":
        return content
    known = set(numeric(content))
    with_commas = _parsed(path, separator, ",")
    for place, name in enumerate(content.column_names):
        if name not in known:
            content = content.set_column(place, name, with_commas[place])
    return content


def _separator(path: Path) -> str:
    """Return the separator with which one cell of the first line is `file`; a comma when there is none."""
    with path.open("rb") as file:
        header = file.readline(_LONGEST_HEADER).decode("utf-8-sig", "replace")
    if max(map(header.count, _SEPARATORS)) > _MOST_COLUMNS:
        raise ValueError(f"it has more than {_MOST_COLUMNS:,} columns")
    names = {separator: [cell.strip().strip('"') for cell in header.split(separator)] for separator in _SEPARATORS}
    return next((separator for separator in _SEPARATORS if "file" in names[separator]), _SEPARATORS[0])


def _texts(path: Path, separator: str) -> list[str]:
    """Return the columns of a table of ours that hold text, as they are called in the file."""
    with path.open("rb") as file:
        header = next(csv.reader([file.readline(_LONGEST_HEADER).decode("utf-8-sig", "replace")], delimiter=separator))
    try:
        texts = layout_of(list(map(alive, header))).texts
        return [name for name in header if alive(name) in texts]
    except ValueError:
        return []


def _parsed(path: Path, separator: str, decimal_point: str) -> pyarrow.Table:
    texts = (*STRINGS, CORRECTED, *_texts(path, separator))  # A file may be called 007.
    return pyarrow.csv.read_csv(
        path,
        # pyarrow infers the types of columns from the first block, so the first block is the whole file.
        read_options=pyarrow.csv.ReadOptions(block_size=min(max(path.stat().st_size, 1), _LARGEST_BLOCK)),
        parse_options=pyarrow.csv.ParseOptions(delimiter=separator, newlines_in_values=True),
        convert_options=pyarrow.csv.ConvertOptions(
            column_types=dict.fromkeys(texts, pyarrow.string()),
            decimal_point=decimal_point,
        ),
    )


def _read_json_lines(path: Path) -> pyarrow.Table:
    """Read JSON Lines without pyarrow's reader, which turns dates into timestamps and crashes on deep nesting."""
    columns: dict[str, list[Any]] = {}
    with path.open("rb") as file:
        for count, line in enumerate(line for line in file if line.strip()):
            row = json.loads(line)
            if not isinstance(row, dict):
                raise ValueError(f"its line {one_line(line[:50])} is no object")  # noqa: TRY004 - the file is wrong, not a type
            for name in row.keys() - columns.keys():
                columns[name] = [None] * count
            if len(columns) > _MOST_COLUMNS:
                raise ValueError(f"it has more than {_MOST_COLUMNS:,} columns")
            for name, cells in columns.items():
                cells.append(row.get(name))
    return pyarrow.Table.from_arrays([_inferred(cells) for cells in columns.values()], list(columns))


def _inferred(cells: list[Any]) -> pyarrow.Array:
    """Return cells of the usual kinds as a column, without pandas (see `arrays`); of others as pyarrow takes them."""
    kinds = set(map(type, cells)) - {type(None)}
    if not kinds:
        return pyarrow.nulls(len(cells))
    usual = {frozenset({str}): pyarrow.string(), frozenset({int}): pyarrow.int64(), frozenset({bool}): pyarrow.bool_()}
    kind = usual.get(frozenset(kinds), pyarrow.float64() if kinds in ({float}, {int, float}) else None)
    return arrays.array(cells, kind) if kind else pyarrow.array(cells)


def _read_parquet(path: Path) -> pyarrow.Table:
    """Read a Parquet file in batches, so that a small file that unpacks to a huge table is refused in time."""
    most = _UNPACKED * (path.stat().st_size + (1 << 20))
    batches, size = [], 0
    with pyarrow.parquet.ParquetFile(path) as file:
        for batch in file.iter_batches(_ROWS_AT_ONCE):
            size += batch.nbytes
            if size > most:
                raise ValueError(f"unpacked it is more than {_UNPACKED} times as large")
            batches.append(batch)
        return pyarrow.Table.from_batches(batches, file.schema_arrow)


def _write_csv(content: pyarrow.Table, path: Path) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)  # It follows RFC 4180; the writer of pyarrow does not.
        writer.writerow(content.column_names)
        for row in content.to_pylist():  # As in `text.Csv`, no cell is a formula to a spreadsheet.
            writer.writerow([inert(cell) if isinstance(cell, str) else cell for cell in row.values()])


def _write_json_lines(content: pyarrow.Table, path: Path) -> None:
    lines = (json.dumps(row, ensure_ascii=False) for row in content.to_pylist())
    path.write_text("".join(line + "\n" for line in lines), "utf-8")
