"""Tables of whatever columns, read and written."""

from __future__ import annotations

import csv
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest

from labeler.errors import LabelerError
from labeler.tables import arrow


def test_no_csv_cell_can_become_a_formula_and_numbers_stay_numbers(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    arrow.write(path, pyarrow.table({"file": ["=1.jpg", "a.jpg"], "margin": [-0.5, 0.5]}))
    with path.open(newline="", encoding="utf-8") as file:
        found = list(csv.reader(file))

    assert found == [["file", "margin"], ["'=1.jpg", "-0.5"], ["a.jpg", "0.5"]]


def test_json_lines_are_read_as_they_stand(tmp_path: Path) -> None:
    """pyarrow's own reader takes the first for a time, and lines over a megabyte for none."""
    path = tmp_path / "t.jsonl"
    path.write_text('{"file": "2020-01-01", "a": 1}\n\n{"a": 0.5, "file": "b", "late": "' + "x" * 3_000_000 + '"}\n')
    content = arrow.read(path)

    assert content["file"].to_pylist() == ["2020-01-01", "b"]
    assert content["a"].to_pylist() == [1, 0.5]
    assert [cell is None for cell in content["late"].to_pylist()] == [True, False]


@pytest.mark.parametrize("nested", ["[" * 100_000 + "]" * 100_000, '{"a":' * 100_000 + "1" + "}" * 100_000])
def test_what_is_nested_without_end_crashes_nothing(tmp_path: Path, nested: str) -> None:
    """pyarrow 26 ends the process with a segmentation fault."""
    (tmp_path / "t.jsonl").write_text('{"file": "a", "label": ' + nested + "}\n")
    with pytest.raises(LabelerError, match="cannot be read as a table"):
        arrow.read(tmp_path / "t.jsonl")


@pytest.mark.parametrize(
    "content", ["[1]\n", "7\n", '{"file": 99999999999999999999999}\n', '{"file": [1]}\n{"file": 2}\n']
)
def test_what_is_no_column_is_no_table(tmp_path: Path, content: str) -> None:
    (tmp_path / "t.jsonl").write_text(content)
    with pytest.raises(LabelerError, match="cannot be read as a table"):
        arrow.read(tmp_path / "t.jsonl")


def test_few_bytes_do_not_become_many(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    count = 1_000_000
    names = pyarrow.DictionaryArray.from_arrays(pyarrow.array([0] * count, pyarrow.int32()), ["x" * 10_000])
    pyarrow.parquet.write_table(pyarrow.table({"file": names}), path, store_schema=False)

    assert path.stat().st_size < 1_000_000
    with pytest.raises(LabelerError, match="unpacked it is more than 100 times as large"):
        arrow.read(path)


@pytest.mark.parametrize("header", ["file,a,a", "file," * 30_000 + "b", "file\xff,\xff", ""])
def test_an_impossible_header_is_an_error(tmp_path: Path, header: str) -> None:
    (tmp_path / "t.csv").write_bytes(header.encode("latin-1") + b"\nx,1,2\n")
    with pytest.raises(LabelerError, match=r"two columns with the same|cannot be read as a table|needs one column"):
        arrow.read(tmp_path / "t.csv")


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["", "byte-order mark"])
@pytest.mark.parametrize("end", ["\n", "\r\n"], ids=["LF", "CRLF"])
@pytest.mark.parametrize(
    ("separator", "point"), [(",", "."), (";", ","), (";", "."), ("\t", ","), ("\t", ".")], ids=repr
)
@pytest.mark.parametrize("quote", ["", '"'], ids=["plain", "quoted"])
def test_what_a_spreadsheet_saves_is_read(
    tmp_path: Path, mark: bytes, end: str, separator: str, point: str, quote: str
) -> None:
    rows = [["file", "happy", "sad", "split", "reason"], ["a;b.jpg", "0.25", "3", "1", "1,5"]]
    rows[1][1] = rows[1][1].replace(".", point)
    rows[1][0] = f'"{rows[1][0]}"'
    rows[1][4] = f'"{rows[1][4]}"'
    rows[0] = [f"{quote}{name}{quote}" for name in rows[0]]
    (tmp_path / "t.csv").write_bytes(mark + "".join(separator.join(row) + end for row in rows).encode())
    content = arrow.read(tmp_path / "t.csv")

    assert content.to_pylist() == [{"file": "a;b.jpg", "happy": 0.25, "sad": 3, "split": 1, "reason": "1,5"}]


def test_a_table_of_other_text_than_utf_8_says_how_to_save_it(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes("file;label\r\né.jpg;froh\r\n".encode("latin-1"))
    with pytest.raises(LabelerError, match="save it as CSV UTF-8"):
        arrow.read(tmp_path / "t.csv")


def test_a_folder_is_no_table(tmp_path: Path) -> None:
    with pytest.raises(LabelerError, match="is a folder, not a table"):
        arrow.read(tmp_path)
