"""A table as a pandas DataFrame, for analysis."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas

from labeler.errors import LabelerError, one_line
from labeler.records import Row
from labeler.records import columns as all_columns
from labeler.tables import corrections, formats, reader
from labeler.tables.cells import INTEGERS, cells, escape, layout_of, row_of, unescape
from labeler.tables.corrections import Corrections

REVIEWED, BEFORE = "reviewed", "label_before"


def read(path: str | Path, *, reviews: bool = True) -> pandas.DataFrame:
    """Return a finished table with its columns in order; integers that may be absent are `Int64`.

    With ``reviews``, its labels are those that count, and two columns say whether a row was reviewed, and what the
    model's label is: empty for a face that a person added.

    Raises:
        LabelerError: there is no such table, it is not one of ours, or it or its reviews are damaged.
    """
    path = Path(path)
    layout = reader.layout(path)
    columns = all_columns(*layout)
    types: dict[str, str] = {
        **dict.fromkeys(columns, "float64"),
        **dict.fromkeys(INTEGERS, "Int64"),
        **dict.fromkeys(layout.texts, "str"),
    }
    types = {name: types[name] for name in columns}
    found = corrections.of_table(path) if reviews else None
    try:
        frame = _named(formats.of(path).frame(path, types).astype(types))
    except Exception as exc:  # pandas and its readers raise almost anything on damaged files.
        raise LabelerError(f"{path} is damaged: {one_line(exc)}") from exc
    if reviews:
        frame[REVIEWED], frame[BEFORE] = False, frame["label"]
    return _corrected(frame, types, found) if found else frame


def _named(frame: pandas.DataFrame) -> pandas.DataFrame:
    """Return a frame with file names as objects: pandas' own strings cannot hold one that is not valid Unicode."""
    frame["file"] = pandas.Series([unescape(name) for name in frame["file"]], index=frame.index, dtype=object)
    return frame


def _corrected(frame: pandas.DataFrame, types: Mapping[str, str], found: Corrections) -> pandas.DataFrame:
    """Return a frame in which the rows of files with corrections are replaced, in their places."""
    affected = frame["file"].isin(found.files)
    rows = _rows(frame[affected], list(types))
    places = {file: place for place, file in reversed(list(frame["file"][affected].items()))}
    made, layout = list(found.rows(rows)), layout_of(list(types))
    if not made:
        return frame
    records = [{**cells(row, *layout), **_reviewed(row)} for row in made]
    others = pandas.DataFrame(records, index=[places[row.file] for row in made], columns=frame.columns)
    others = _named(others.astype({**types, REVIEWED: "bool", BEFORE: "str"}))
    whole = pandas.concat([frame[~affected], others])
    return whole.sort_index(kind="stable").reset_index(drop=True)


def _reviewed(row: Row) -> dict[str, Any]:
    return {REVIEWED: row.before is not None, BEFORE: row.label if row.before is None else row.before}


def _rows(frame: pandas.DataFrame, columns: list[str]) -> list[Row]:
    plain = frame[columns].astype(object)
    plain = plain.where(plain.notna(), None)
    plain["file"] = [escape(name) for name in plain["file"]]
    _, schema, keep, top = layout_of(columns)
    return [row_of(values, schema, len(keep), top) for values in plain.itertuples(index=False, name=None)]
