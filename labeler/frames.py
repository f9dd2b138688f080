"""A table as a pandas DataFrame, for analysis."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas

from labeler import formats, tables
from labeler.errors import LabelerError, one_line
from labeler.records import columns


def read(path: str | Path) -> pandas.DataFrame:
    """Return a finished table with its columns in order; integers that may be absent are `Int64`.

    Raises:
        LabelerError: there is no such table, or it is not one of ours.
    """
    path = Path(path)
    types: dict[str, Any] = {
        **dict.fromkeys(columns(tables.class_names(path)), "float64"),
        "face": "Int64",
        **dict.fromkeys(formats.STRINGS, "str"),
    }
    try:
        frame = _read(path, types).astype(types)
        files = [formats.unescape(name) for name in frame["file"]]
    except Exception as exc:  # pandas and its readers raise almost anything on damaged files.
        raise LabelerError(f"{path} is damaged: {one_line(exc)}") from exc
    # As objects: pandas' own strings cannot hold a name that is not valid Unicode.
    frame["file"] = pandas.Series(files, dtype=object)
    return frame


def _read(path: Path, types: dict[str, Any]) -> pandas.DataFrame:
    match path.suffix.lower():
        case ".parquet":
            return pandas.read_parquet(path)
        case ".jsonl":
            return pandas.read_json(path, lines=True, dtype=False, convert_dates=False)
    # Only empty cells are absent: a file may be called `NA` or `007`.
    frame = pandas.read_csv(
        path, dtype=_inert(types), keep_default_na=False, na_values=_inert(_empty(types)), index_col=False
    ).rename(columns=formats.alive)
    for name in formats.STRINGS:
        frame[name] = frame[name].map(formats.alive)
    return frame


def _inert(by_column: dict[str, Any]) -> dict[str, Any]:
    """Return what is said of columns by their names in a CSV file."""
    return {formats.inert(name): value for name, value in by_column.items()}


def _empty(types: dict[str, Any]) -> dict[str, list[str]]:
    return {name: [""] for name, kind in types.items() if kind != "str"}
