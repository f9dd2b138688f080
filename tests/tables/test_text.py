"""Rows to bytes and back."""

from __future__ import annotations

import csv
import io
import json
import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from odd_rows import NAMES, ODD_NAMES, record_of, rows

from labeler.records import Row, Status, columns
from labeler.tables.cells import cells as mapping_of
from labeler.tables.cells import escape, row_of, unescape
from labeler.tables.comma_separated import Csv
from labeler.tables.json_lines import JsonLines
from labeler.tables.parquet import Parquet
from labeler.tables.text import LONGEST_RECORD, Appendable


@pytest.mark.parametrize("form", [Csv(), JsonLines()], ids=["csv", "jsonl"])
def test_every_row_comes_back_as_it_was(form: Appendable) -> None:
    content = form.header(NAMES) + form.encode(rows(), NAMES)

    assert [row for row, _ in form.decode(io.BytesIO(content))] == rows()


@pytest.mark.parametrize("form", [Csv(), JsonLines()], ids=["csv", "jsonl"])
def test_wherever_the_end_is_torn_off_only_whole_rows_are_read(form: Appendable) -> None:
    whole = form.header(NAMES) + form.encode(rows(), NAMES)
    for length in range(len(whole)):
        found = list(form.decode(io.BytesIO(whole[:length])))

        assert [row for row, _ in found] == rows()[: len(found)]
        assert all(end <= length for _, end in found)


@pytest.mark.parametrize("form", [Csv(), JsonLines()], ids=["csv", "jsonl"])
def test_a_file_can_be_continued_from_the_end_of_any_row(form: Appendable) -> None:
    whole = form.header(NAMES) + form.encode(rows(), NAMES)
    for index, (_, end) in enumerate(form.decode(io.BytesIO(whole))):
        continued = whole[:end] + form.encode(rows()[index + 1 :], NAMES)

        assert continued == whole


def test_csv_is_rfc_4180_with_the_documented_columns() -> None:
    content = Csv().header(NAMES) + Csv().encode(rows()[:1], NAMES)
    expected = (
        "file,face,x,y,width,height,face_score,label,score,angry,happy,image_width,image_height,version,status,reason\r\n"
        "plain.jpg,0,1.0,2.5,30.0,40.0,0.500000,happy,0.750000,0.250000,0.750000,640,480,0-17,ok,\r\n"
    )

    assert content.decode() == expected


def test_other_readers_see_the_same_csv_records() -> None:
    content = Csv().header(NAMES) + Csv().encode(rows(), NAMES)
    records = list(csv.reader(io.StringIO(content.decode(), newline="")))

    assert {len(record) for record in records} == {len(columns(NAMES))}


@pytest.mark.parametrize("name", ODD_NAMES)
def test_escaped_names_are_valid_unicode_and_come_back(name: str) -> None:
    escaped = escape(name)

    assert unescape(escaped.encode("utf-8").decode()) == name


def test_ordinary_names_are_not_changed() -> None:
    assert escape("Ünïcode \\ 1.jpg") == "Ünïcode \\ 1.jpg"


@pytest.mark.parametrize("sign", ["=", "+", "-", "@", "\t", "\r"])
def test_no_csv_cell_can_become_a_formula(sign: str) -> None:
    row = Row(f"{sign}cmd.jpg", label=f"{sign}sum", status=Status.UNREADABLE, reason=f"{sign}now()")
    content = Csv().encode([row], NAMES)
    cells = next(csv.reader(io.StringIO(content.decode(), newline="")))

    assert [cell for cell in cells if cell.startswith(sign)] == []


PATHS = st.binary(min_size=1, max_size=4096).filter(lambda name: b"\0" not in name).map(os.fsdecode)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
AWKWARD = st.text(
    st.sampled_from("=+-@'\t\r\n\",\\x5cab\u2028\u2029\x85\x0b\x1c\ufeff\x00é😀\udcff\udc80"), max_size=12
)
FORMATS = {"csv": Csv(), "jsonl": JsonLines()}


@given(st.lists(st.tuples(PATHS | AWKWARD.map(lambda name: name.replace("\0", "")), TEXTS), max_size=4))
@settings(max_examples=150, deadline=None, derandomize=True)
def test_every_name_and_reason_comes_back_from_every_format(found: list[tuple[str, str]]) -> None:
    rows = [Row(name).without_label(Status.UNREADABLE, reason) for name, reason in found]
    for form in FORMATS.values():
        content = form.header(NAMES) + form.encode(rows, NAMES)

        assert [row for row, _ in form.decode(io.BytesIO(content))] == rows


@given(st.lists(st.tuples(PATHS, TEXTS), max_size=4))
@settings(max_examples=25, deadline=None, derandomize=True)
def test_every_name_and_reason_comes_back_from_parquet(found: list[tuple[str, str]]) -> None:
    rows = [Row(name).without_label(Status.UNREADABLE, reason) for name, reason in found]
    with tempfile.TemporaryDirectory() as folder:
        Parquet().write(Path(folder, "t.parquet"), rows, record_of(NAMES))

        assert list(Parquet().read(Path(folder, "t.parquet"))) == rows


@given(AWKWARD, AWKWARD.filter(lambda text: text.isascii()))
@settings(max_examples=200, deadline=None, derandomize=True)
def test_no_name_or_reason_becomes_a_formula(name: str, reason: str) -> None:
    content = Csv().encode([Row(name).without_label(Status.UNREADABLE, reason)], NAMES)
    cells = next(csv.reader(io.StringIO(content.decode(), newline="")))

    assert [cell for cell in cells if cell[:1] in {*"=+-@\t\r"} - {""}] == []


def mapping(**changed: object) -> dict[str, object]:
    return mapping_of(rows()[0], NAMES) | changed


@pytest.mark.parametrize(
    "changed",
    [
        {"file": None},
        {"file": 7},
        {"file": "nul\0"},
        {"file": "\ud800"},
        {"label": ["happy"]},
        {"label": "\ud800"},
        {"face": -1},
        {"face": float("inf")},
        {"x": float("nan")},
        {"width": "1e999"},
        {"score": {}},
        {"angry": "nan"},
        {"angry": [1]},
        {"status": "fine"},
        {"image_width": -1},
        {"image_height": "high"},
        {"version": 7},
        {"version": "\ud800"},
        {"reason": 7},
    ],
    ids=str,
)
def test_what_is_no_row_is_a_value_error(changed: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r".*"):
        row_of(list(mapping(**changed).values()))


@pytest.mark.parametrize("form", [Csv(), JsonLines()], ids=["csv", "jsonl"])
def test_a_line_without_end_is_read_only_so_far(form: Appendable) -> None:
    class Endless(io.RawIOBase):
        """A file that goes on for ever."""

        read_so_far = 0

        def readable(self) -> bool:
            return True

        def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]
            self.read_so_far += len(buffer)
            buffer[:] = b"7" * len(buffer)
            return len(buffer)

    endless = Endless()
    whole = form.header(NAMES) + form.encode(rows()[:2], NAMES)

    class Stream(io.BufferedReader):
        """Rows, then no end of line any more."""

        first = io.BytesIO(whole)

        def readline(self, size: int | None = -1) -> bytes:
            return self.first.readline() or super().readline(size)

    assert [row for row, _ in form.decode(Stream(endless))] == rows()[:2]
    assert endless.read_so_far < 2 * LONGEST_RECORD


def test_a_quote_without_end_is_read_only_so_far() -> None:
    whole = Csv().header(NAMES) + Csv().encode(rows()[:1], NAMES)
    stream = io.BytesIO(whole + b'"' + b"no end\n" * 1_000_000)

    assert len(list(Csv().decode(stream))) == 1
    assert stream.tell() < 1_000_000


@pytest.mark.parametrize("change", [{"more": 1}, {"sad": 0.5}])
def test_a_line_with_other_columns_than_the_first_is_torn(change: dict[str, object]) -> None:
    lines = [json.dumps(mapping()), json.dumps(mapping(**change))]

    assert len(list(JsonLines().decode(io.BytesIO("\n".join([*lines, ""]).encode())))) == 1
