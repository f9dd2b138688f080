"""Columns of a list that a table carries: text under its own name, in every format, through every rewriting."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from odd_rows import NAMES, record_of, write_finished
from odd_rows import rows as odd_rows
from reviewing import event, face

import labeler
from labeler.errors import LabelerError
from labeler.records import Face, Row, columns, unusable_kept_names
from labeler.tables import arrow, forget, formats, index, reader, run_record
from labeler.tables.cells import Layout, cells, layout_of
from labeler.tables.corrections import Corrections, Reviews
from labeler.tables.matching import Box
from labeler.tables.reviews import NOT_A_FACE, Kind
from labeler.tables.writer import TableWriter

FAR = Box(200.0, 200.0, 60.0, 60.0)
KEEP = ("id", "split", 'odd, "name"', "=x")

texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12) | st.sampled_from(
    ["", "007", "1,5", "=1+1", "'", '"', "\r\n", "\n", "a\rb", "NA", "null", "\u2028", "\ufeff", "true"]
)


def rows_with(kept: Sequence[tuple[str, ...]]) -> list[Row]:
    return [
        Row(f"{number:03}.jpg", image_width=8, image_height=8, version="1-1", kept=values)
        .located(0, Face(1.0, 2.5, 30.0, 40.0, 0.5))
        .labelled((0.25, 0.75), NAMES, 0.0)
        for number, values in enumerate(kept)
    ]


RECORD = record_of(NAMES, keep=KEEP)
ROWS = rows_with([("1", "train", "", "x"), ("007", "", 'a "b",\nc', "=1"), ("", "", "", "")])


@pytest.mark.parametrize("suffix", formats.SUFFIXES)
@given(kept=st.lists(st.tuples(texts, texts, texts, texts), min_size=1, max_size=5))
@settings(max_examples=25, deadline=None)
def test_kept_values_come_back_as_they_were(
    tmp_path_factory: pytest.TempPathFactory, suffix: str, kept: list[tuple[str, ...]]
) -> None:
    path = tmp_path_factory.mktemp("kept") / f"t{suffix}"
    rows = rows_with(kept)
    formats.of(path).write(path, iter(rows), RECORD)

    assert list(reader.read(path)) == rows
    assert reader.columns(path) == columns(NAMES, keep=KEEP)
    assert reader.layout(path) == (NAMES, 2, KEEP, 0)


@pytest.mark.parametrize("suffix", formats.SUFFIXES)
def test_pandas_gets_them_as_text(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"t{suffix}"
    formats.of(path).write(path, iter(ROWS), RECORD)
    frame = labeler.read(path)

    assert frame[list(KEEP)].to_numpy().tolist() == [list(row.kept) for row in ROWS]


@pytest.mark.parametrize("suffix", formats.SUFFIXES)
def test_a_part_and_a_finished_table_are_merged_with_them(tmp_path: Path, suffix: str) -> None:
    out = tmp_path / f"t{suffix}"
    write_finished(out, RECORD, ROWS[::2])
    with TableWriter.begin(out, RECORD) as table:
        table.write(ROWS[1:2])
        table.finish({})

    assert list(reader.read(out)) == ROWS
    record = run_record.read(out)
    assert record is not None
    assert record.keep == KEEP


@pytest.mark.parametrize("suffix", formats.SUFFIXES)
def test_a_part_out_of_order_is_sorted_with_them(tmp_path: Path, suffix: str) -> None:
    out = tmp_path / f"t{suffix}"
    write_finished(out, RECORD, ROWS[::-1])

    assert list(reader.read(out)) == ROWS


@pytest.mark.parametrize("keep", [(), ("id",), KEEP[::-1]])
def test_a_table_is_not_continued_with_other_columns(tmp_path: Path, keep: tuple[str, ...]) -> None:
    out = tmp_path / "t.csv"
    write_finished(out, RECORD, ROWS)

    with pytest.raises(LabelerError, match=r"--keep was id,split,odd, \"name\",=x, is "):
        TableWriter.begin(out, replace(RECORD, keep=keep))


def test_a_column_that_somebody_added_is_noticed(tmp_path: Path) -> None:
    out = tmp_path / "t.csv"
    write_finished(out, record_of(NAMES), [row._replace(kept=()) for row in ROWS])
    lines = out.read_text("utf-8").splitlines()
    out.write_text("\n".join([f"{lines[0]},note", *(f"{line},x" for line in lines[1:])]) + "\n", "utf-8")

    assert [row.kept for row in reader.read(out)] == [("x",)] * 3
    with pytest.raises(LabelerError, match=r"other columns after `reason` \(note\) than its record says \(none\)"):
        TableWriter.begin(out, record_of(NAMES))


def test_faces_and_files_are_forgotten_without_losing_them(tmp_path: Path) -> None:
    out = tmp_path / "t.csv"
    write_finished(out, RECORD, ROWS)
    forget.forget(["000.jpg"], out)

    assert list(reader.read(out)) == ROWS[1:]


def test_the_columns_for_reports_and_reviews_leave_them_out(tmp_path: Path) -> None:
    for suffix in formats.SUFFIXES:
        with_them, without = tmp_path / f"a{suffix}", tmp_path / f"b{suffix}"
        formats.of(with_them).write(with_them, iter(ROWS), RECORD)
        formats.of(without).write(without, iter(ROWS), record_of(NAMES))
        one, other = index.load(with_them), index.load(without)

        assert one.names.equals(other.names)
        assert (one.probabilities == other.probabilities).all()  # type: ignore[union-attr, attr-defined]


def test_a_spreadsheet_with_decimal_commas_does_not_change_them(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    record = record_of(NAMES, keep=("a", "b"))
    rows = rows_with([("1,5", "x,y")])
    formats.of(path).write(path, iter(rows), record)
    header, line = path.read_text("utf-8").splitlines()
    cells_of_line = next(csv.reader([line]))
    shown = [cells_of_line[0], *(cell.replace(".", ",") for cell in cells_of_line[1:])]
    path.write_text(header.replace(",", ";") + "\n" + ";".join(shown) + "\n", "utf-8")

    assert list(reader.read(path)) == rows


def test_a_table_as_arrow_has_them_as_text(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    formats.of(path).write(path, iter(rows_with([("007",), ("08",)])), record_of(NAMES, keep=("id",)))

    assert arrow.read(path)["id"].to_pylist() == ["007", "08"]


def test_a_row_that_a_person_added_or_took_out_has_those_of_its_file() -> None:
    row = face()._replace(kept=("7",))
    found = [
        *Corrections(Reviews([event("angry", kind=Kind.ADD, box=FAR)]), lambda _: None).rows([row]),
        *Corrections(Reviews([event(NOT_A_FACE)]), lambda _: None).rows([row]),
    ]

    assert [one.kept for one in found] == [("7",)] * 3


def test_rows_without_values_have_empty_ones() -> None:
    row = odd_rows()[0]

    assert list(cells(row, NAMES, 2, ("id",)).items())[-1] == ("id", "")


@pytest.mark.parametrize(
    "keep", [("file",), ("happy",), ("reason",), ("id", "id"), ("",), (" ",), ("a\nb",), ("corrected",), ("reviewed",)]
)
def test_a_name_that_means_something_else_is_no_kept_column(keep: tuple[str, ...]) -> None:
    assert unusable_kept_names(keep, NAMES) == sorted(set(keep))
    with pytest.raises(ValueError, match="not those of a table"):
        layout_of((*columns(NAMES), *keep))


def test_a_table_of_version_1_may_have_them() -> None:
    assert layout_of(columns(NAMES, 1, ("id",))) == Layout(NAMES, 1, ("id",))
