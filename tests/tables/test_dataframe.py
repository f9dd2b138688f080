"""A table as a DataFrame: every cell as it was written."""

from __future__ import annotations

import csv
import os
from pathlib import Path

import pandas
import pytest
from odd_rows import record_of, write_finished

import labeler
from labeler.errors import LabelerError
from labeler.records import Face, Row, Status, columns
from labeler.tables import formats, reader

NAMES = ("angry", "happy")
FILES = ["007", "NA", "nan", os.fsdecode(b"not utf-8 \xff.jpg"), "plain.jpg", "two\nlines.jpg"]
"""In the order of a table."""


def rows() -> list[Row]:
    labelled = [
        Row(name).located(0, Face(1.5, 2, 30, 40, 0.987654)).labelled((0.25, 0.75), NAMES, 0.0) for name in FILES
    ]
    return [*labelled, Row("wrong.jpg").without_label(Status.UNREADABLE, "NA")]


@pytest.fixture(params=formats.SUFFIXES)
def table(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    out = tmp_path / f"t{request.param}"
    record = record_of(NAMES, settings={})
    write_finished(out, record, rows())
    return out


def test_file_names_are_those_on_the_disk(table: Path) -> None:
    assert labeler.read(table)["file"].tolist() == [*FILES, "wrong.jpg"]


def test_what_is_absent_is_missing_and_what_is_text_stays_text(table: Path) -> None:
    bad = labeler.read(table).iloc[-1]

    assert (bad["label"], bad["status"], bad["reason"]) == ("", "unreadable", "NA")
    assert bad[["face", "x", "score", "angry"]].isna().all()


def test_numbers_are_numbers(table: Path) -> None:
    frame = labeler.read(table)

    assert frame["happy"].iloc[:-1].mean() == 0.75
    assert frame["x"].max() == 1.5
    assert frame["face_score"].iloc[0] == 0.987654
    assert str(frame["face"].dtype) == "Int64"


def test_each_format_gives_the_same_frame(tmp_path: Path) -> None:
    frames = []
    for suffix in formats.SUFFIXES:
        out = tmp_path / f"t{suffix}"
        write_finished(out, record_of(NAMES), rows())
        frames.append(labeler.read(out))

    for frame in frames[1:]:
        pandas.testing.assert_frame_equal(frame, frames[0])
    assert [str(frames[0][name].dtype) for name in ("label", "status", "reason")] == ["str"] * 3


def test_columns_come_in_the_tables_order(table: Path) -> None:
    assert tuple(labeler.read(table).columns) == (*columns(NAMES), "reviewed", "label_before")
    assert tuple(labeler.read(table, reviews=False).columns) == columns(NAMES)


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_what_a_spreadsheet_saves_is_read_as_before(table: Path, tmp_path: Path, delimiter: str) -> None:
    before = labeler.read(table.with_suffix(".csv")) if table.suffix == ".csv" else pytest.skip("only of CSV")
    saved = tmp_path / "saved.csv"
    saved_by_a_spreadsheet(table, saved, delimiter)

    pandas.testing.assert_frame_equal(labeler.read(saved), before)
    assert list(reader.read(saved)) == list(reader.read(table))


def saved_by_a_spreadsheet(table: Path, saved: Path, delimiter: str) -> None:
    """Save a table as a spreadsheet does where numbers have a decimal comma, unless that is what separates cells."""
    numbers = slice(2, -5)
    with table.open(encoding="utf-8", newline="") as source, saved.open("w", encoding="utf-8-sig", newline="") as to:
        writer = csv.writer(to, delimiter=delimiter)
        for cells in csv.reader(source):
            if delimiter == ";":
                cells[numbers] = [cell.replace(".", ",") for cell in cells[numbers]]
            writer.writerow(cells)


def test_a_file_that_is_no_table_is_refused(tmp_path: Path) -> None:
    (tmp_path / "accounts.csv").write_text("date,amount\n")
    with pytest.raises(LabelerError, match="not a table made by labeler"):
        labeler.read(tmp_path / "accounts.csv")
