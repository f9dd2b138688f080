"""Rows to bytes and back."""

from __future__ import annotations

import csv
import io
import os

import pytest

from labeler import formats
from labeler.records import Face, Row, Status, columns

NAMES = ("angry", "happy")
ODD_NAMES = [
    "plain.jpg",
    'with space, comma and "quotes".jpg',
    "two\nlines.jpg",
    "carriage\rreturn.jpg",
    "émoji 😀.jpg",
    "back\\slash.jpg",
    "looks\\xfflike.jpg",
    os.fsdecode(b"not utf-8 \xff\xfe.jpg"),
    os.fsdecode(b"both \\xff and \xff.jpg"),
    "NA",
    "007",
    "=HYPERLINK(1).jpg",
    "@a.jpg",
    "-rf.jpg",
    "+1.jpg",
    "\ttab.jpg",
    "'quoted.jpg",
    "'=both.jpg",
    "",
]


def rows() -> list[Row]:
    labelled = [Row(name).located(0, Face(1, 2, 30, 40, 0.5)).labelled((0.25, 0.75), NAMES, 0.0) for name in ODD_NAMES]
    return [*labelled, Row("bad.jpg").without_label(Status.UNREADABLE, 'it is "broken",\nall of it')]


@pytest.mark.parametrize("form", [formats.Csv(), formats.JsonLines()], ids=["csv", "jsonl"])
def test_every_row_comes_back_as_it_was(form: formats.Appendable) -> None:
    content = form.header(NAMES) + form.encode(rows(), NAMES)

    assert [row for row, _ in form.decode(io.BytesIO(content))] == rows()


@pytest.mark.parametrize("form", [formats.Csv(), formats.JsonLines()], ids=["csv", "jsonl"])
def test_wherever_the_end_is_torn_off_only_whole_rows_are_read(form: formats.Appendable) -> None:
    whole = form.header(NAMES) + form.encode(rows(), NAMES)
    for length in range(len(whole)):
        found = list(form.decode(io.BytesIO(whole[:length])))

        assert [row for row, _ in found] == rows()[: len(found)]
        assert all(end <= length for _, end in found)


@pytest.mark.parametrize("form", [formats.Csv(), formats.JsonLines()], ids=["csv", "jsonl"])
def test_a_file_can_be_continued_from_the_end_of_any_row(form: formats.Appendable) -> None:
    whole = form.header(NAMES) + form.encode(rows(), NAMES)
    for index, (_, end) in enumerate(form.decode(io.BytesIO(whole))):
        continued = whole[:end] + form.encode(rows()[index + 1 :], NAMES)

        assert continued == whole


def test_csv_is_rfc_4180_with_the_documented_columns() -> None:
    content = formats.Csv().header(NAMES) + formats.Csv().encode(rows()[:1], NAMES)
    expected = (
        "file,face,x,y,width,height,face_score,label,score,angry,happy,status,reason\r\n"
        "plain.jpg,0,1,2,30,40,0.500000,happy,0.750000,0.250000,0.750000,ok,\r\n"
    )

    assert content.decode() == expected


def test_other_readers_see_the_same_csv_records() -> None:
    content = formats.Csv().header(NAMES) + formats.Csv().encode(rows(), NAMES)
    records = list(csv.reader(io.StringIO(content.decode(), newline="")))

    assert {len(record) for record in records} == {len(columns(NAMES))}


@pytest.mark.parametrize("name", ODD_NAMES)
def test_escaped_names_are_valid_unicode_and_come_back(name: str) -> None:
    escaped = formats.escape(name)

    assert formats.unescape(escaped.encode("utf-8").decode()) == name


def test_ordinary_names_are_not_changed() -> None:
    assert formats.escape("Ünïcode \\ 1.jpg") == "Ünïcode \\ 1.jpg"


@pytest.mark.parametrize("sign", ["=", "+", "-", "@", "\t", "\r"])
def test_no_csv_cell_can_become_a_formula(sign: str) -> None:
    row = Row(f"{sign}cmd.jpg", label=f"{sign}sum", status=Status.UNREADABLE, reason=f"{sign}now()")
    content = formats.Csv().encode([row], NAMES)
    cells = next(csv.reader(io.StringIO(content.decode(), newline="")))

    assert [cell for cell in cells if cell.startswith(sign)] == []
