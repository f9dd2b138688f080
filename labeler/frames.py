"""A table as a pandas DataFrame, for analysis."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas

from labeler import formats, tables
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
    match path.suffix.lower():
        case ".parquet":
            frame = pandas.read_parquet(path)
        case ".jsonl":
            frame = pandas.read_json(path, lines=True, dtype=False, convert_dates=False)
        case _:  # Only empty cells are absent: a file may be called `NA` or `007`.
            frame = pandas.read_csv(path, dtype=types, keep_default_na=False, na_values=_empty(types))
            for name in formats.STRINGS:
                frame[name] = frame[name].map(formats.alive)
    frame = frame.astype(types)
    # As objects: pandas' own strings cannot hold a name that is not valid Unicode.
    frame["file"] = pandas.Series([formats.unescape(name) for name in frame["file"]], dtype=object)
    return frame


def _empty(types: dict[str, Any]) -> dict[str, list[str]]:
    return {name: [""] for name, kind in types.items() if kind != "str"}
