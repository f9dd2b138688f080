"""A table as a pandas DataFrame, for analysis."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas

from labeler.errors import LabelerError, one_line
from labeler.tables import reader
from labeler.tables.text import INTEGERS, LONGEST_RECORD, STRINGS, Dialect, alive, inert, unescape


def read(path: str | Path) -> pandas.DataFrame:
    """Return a finished table with its columns in order; integers that may be absent are `Int64`.

    Raises:
        LabelerError: there is no such table, or it is not one of ours.
    """
    path = Path(path)
    types: dict[str, Any] = {
        **dict.fromkeys(reader.columns(path), "float64"),
        **dict.fromkeys(INTEGERS, "Int64"),
        **dict.fromkeys(STRINGS, "str"),
    }
    types = {name: types[name] for name in reader.columns(path)}
    try:
        frame = _read(path, types).astype(types)
        files = [unescape(name) for name in frame["file"]]
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
            with path.open(encoding="utf-8") as lines:  # pandas' own reader takes a class `modified` for times.
                return pandas.DataFrame(map(json.loads, lines), columns=list(types))
    with path.open("rb") as stream:
        dialect = Dialect.of(stream.readline(LONGEST_RECORD))
    # Only empty cells are absent: a file may be called `NA` or `007`.
    frame = pandas.read_csv(
        path,
        sep=dialect.delimiter,
        encoding="utf-8-sig",
        dtype=_inert(types if dialect.decimal_point else dict.fromkeys(types, "str")),
        keep_default_na=False,
        na_values=_inert(_empty(types)),
        index_col=False,
    ).rename(columns=alive)
    for name, kind in types.items():
        if kind == "str":
            frame[name] = frame[name].map(alive)
        elif not dialect.decimal_point:
            frame[name] = pandas.to_numeric(frame[name].str.replace(",", "."))
    return frame


def _inert(by_column: dict[str, Any]) -> dict[str, Any]:
    """Return what is said of columns by their names in a CSV file."""
    return {inert(name): value for name, value in by_column.items()}


def _empty(types: dict[str, Any]) -> dict[str, list[str]]:
    return {name: [""] for name, kind in types.items() if kind != "str"}
