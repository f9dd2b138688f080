"""A table as a pandas DataFrame, for analysis."""

from __future__ import annotations

from pathlib import Path

import pandas

from labeler.errors import LabelerError, one_line
from labeler.tables import formats, reader
from labeler.tables.cells import INTEGERS, STRINGS, unescape


def read(path: str | Path) -> pandas.DataFrame:
    """Return a finished table with its columns in order; integers that may be absent are `Int64`.

    Raises:
        LabelerError: there is no such table, or it is not one of ours.
    """
    path = Path(path)
    types: dict[str, str] = {
        **dict.fromkeys(reader.columns(path), "float64"),
        **dict.fromkeys(INTEGERS, "Int64"),
        **dict.fromkeys(STRINGS, "str"),
    }
    types = {name: types[name] for name in reader.columns(path)}
    try:
        frame = formats.of(path).frame(path, types).astype(types)
        files = [unescape(name) for name in frame["file"]]
    except Exception as exc:  # pandas and its readers raise almost anything on damaged files.
        raise LabelerError(f"{path} is damaged: {one_line(exc)}") from exc
    # As objects: pandas' own strings cannot hold a name that is not valid Unicode.
    frame["file"] = pandas.Series(files, dtype=object)
    return frame
