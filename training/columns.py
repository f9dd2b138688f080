"""Tables of whatever columns, read and written: CSV, JSON Lines, Parquet."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.csv
import pyarrow.json
import pyarrow.parquet
from numpy.typing import NDArray

from labeler import files, formats
from labeler.errors import LabelerError

_LARGEST_BLOCK = (1 << 31) - 1
"""Bytes of a CSV file that decide together what its columns hold; more pyarrow cannot take."""


def read(path: Path) -> pyarrow.Table:
    """Return a table with a column `file`; the columns that are text in a table of ours are text.

    Raises:
        LabelerError: there is no such table, it is none, or has no such column.
    """
    readers: dict[str, Callable[[Path], pyarrow.Table]] = {
        ".csv": _read_csv,
        ".jsonl": pyarrow.json.read_json,
        ".parquet": pyarrow.parquet.read_table,
    }
    reader = readers.get(path.suffix.lower())
    if not reader:
        raise LabelerError(f"cannot tell the format of {path}: a table's name ends in {', '.join(readers)}")
    if not path.is_file():
        raise LabelerError(f"{path} does not exist")
    try:
        content = reader(path)
        content["file"]
    except KeyError:
        names = ", ".join(content.column_names)
        raise LabelerError(f"{path} needs one column `file`; its columns are {names}") from None
    except (OSError, pyarrow.ArrowException) as exc:
        raise LabelerError(f"{path} cannot be read as a table: {exc}") from exc
    return content


def write(path: Path, content: pyarrow.Table) -> None:
    """Write a table; an absent value is an empty cell, or null.

    Raises:
        OutputError: the file cannot be written.
    """
    writers: dict[str, Callable[[pyarrow.Table, Path], None]] = {
        ".csv": _write_csv,
        ".jsonl": _write_json_lines,
        ".parquet": pyarrow.parquet.write_table,
    }
    with files.replacing(path) as beside:
        writers[path.suffix.lower()](content, beside)


def numeric(content: pyarrow.Table) -> list[str]:
    """Return the names of the columns of numbers, in their order."""
    kinds = (pyarrow.types.is_integer, pyarrow.types.is_floating, pyarrow.types.is_decimal)
    return [field.name for field in content.schema if any(kind(field.type) for kind in kinds)]


def numbers(content: pyarrow.Table, name: str) -> NDArray[np.float64]:
    """Return a column of numbers; an empty cell is 0."""
    cells: NDArray[np.float64] = content[name].cast(pyarrow.float64(), safe=False).to_numpy()
    return np.nan_to_num(cells, posinf=np.inf)


def _read_csv(path: Path) -> pyarrow.Table:
    return pyarrow.csv.read_csv(
        path,
        # What a column holds is decided by the first block: all of it.
        read_options=pyarrow.csv.ReadOptions(block_size=min(max(path.stat().st_size, 1), _LARGEST_BLOCK)),
        parse_options=pyarrow.csv.ParseOptions(newlines_in_values=True),
        convert_options=pyarrow.csv.ConvertOptions(
            column_types=dict.fromkeys(formats.STRINGS, pyarrow.string())  # A file may be called 007.
        ),
    )


def _write_csv(content: pyarrow.Table, path: Path) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)  # RFC 4180, which pyarrow's does not keep.
        writer.writerow(content.column_names)
        for row in content.to_pylist():  # As in `formats.Csv`, no cell is a formula to a spreadsheet.
            writer.writerow([formats.inert(cell) if isinstance(cell, str) else cell for cell in row.values()])


def _write_json_lines(content: pyarrow.Table, path: Path) -> None:
    lines = (json.dumps(row, ensure_ascii=False) for row in content.to_pylist())
    path.write_text("".join(line + "\n" for line in lines), "utf-8")
