"""What stands in a list, and what is wrong with it: by line, column and format."""

from __future__ import annotations

import codecs
import json
from collections.abc import Sequence
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from odd_rows import NAMES, record_of, rows

from labeler.errors import LabelerError
from labeler.lists import text as text_lists
from labeler.lists.column import check_keep
from labeler.lists.content import Content
from labeler.lists.entry import LONGEST_VALUE, Entry, Wanted
from labeler.tables import formats

texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12)
names = texts.filter(lambda text: text != "")


def read(path: Path, content: bytes = b"", **options: object) -> list[Entry]:
    if content:
        path.write_bytes(content)
    return list(Content(Wanted(path=str(path), **options)))  # type: ignore[arg-type]


def named(entries: Sequence[Entry]) -> list[str]:
    return [entry.name for entry in entries]


@pytest.mark.parametrize("mark", [b"", codecs.BOM_UTF8])
@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_text_is_a_name_a_line_without_blank_ones_and_comments(tmp_path: Path, mark: bytes, end: bytes) -> None:
    lines = [b"# photos", b"a.jpg", b"", b" \t", b" b .jpg ", "dé/ü.jpg".encode(), b"./#1.jpg", b"latin-\xe9.jpg"]
    found = read(tmp_path / "list.txt", mark + end.join(lines))

    assert found == [
        Entry(2, "a.jpg"),
        Entry(5, " b .jpg "),
        Entry(6, "dé/ü.jpg"),
        Entry(7, "./#1.jpg"),
        Entry(8, "latin-\udce9.jpg"),
    ]


@pytest.mark.parametrize("separator", [b",", b";", b"\t"])
def test_the_column_of_a_csv_is_found_by_its_name_and_others_are_kept(tmp_path: Path, separator: bytes) -> None:
    lines = [b"id,Path,split", b"007,a.jpg,train", b"", b'8,"b,""c"".jpg",']
    found = read(tmp_path / "list.csv", b"\r\n".join(lines), keep=("split", "id")) if separator == b"," else None
    if found is None:
        simple = b"\n".join(line.replace(b",", separator) for line in (*lines[:2], b"8,b.jpg,"))
        found = read(tmp_path / "list.csv", simple, keep=("split", "id"))
        assert found == [Entry(2, "a.jpg", ("train", "007")), Entry(3, "b.jpg", ("", "8"))]
    else:
        assert found == [Entry(2, "a.jpg", ("train", "007")), Entry(4, 'b,"c".jpg', ("", "8"))]


def test_a_record_of_several_lines_has_the_number_of_its_first(tmp_path: Path) -> None:
    content = b'file,note\na.jpg,"two\nlines"\nb.jpg,x\n'

    assert [entry.number for entry in read(tmp_path / "list.csv", content)] == [2, 4]


def test_json_lines_keep_numbers_as_they_are_written(tmp_path: Path) -> None:
    lines = [
        '{"id": 1.10, "image": "a.jpg", "ok": true, "none": null, "more": {"x": ["\\u00e9"]}}',
        "",
        '{"image": "b.jpg", "id": 12345678901234567890}',
    ]
    found = read(tmp_path / "list.jsonl", "\n".join(lines).encode(), keep=("id", "ok", "none", "more"))

    assert found == [
        Entry(1, "a.jpg", ("1.10", "true", "", '{"x": ["é"]}')),
        Entry(3, "b.jpg", ("12345678901234567890", "", "", "")),
    ]


def test_the_columns_of_parquet_are_read_as_text(tmp_path: Path) -> None:
    path = tmp_path / "list.parquet"
    columns = {
        "url": ["a.jpg", "b.jpg"],
        "id": [7, None],
        "score": [0.5, 1.0],
        "split": pyarrow.array(["x", "y"]).dictionary_encode(),
        "ok": [True, False],
    }
    pyarrow.parquet.write_table(pyarrow.table(columns), path)

    assert read(path, keep=("id", "score", "split", "ok")) == [
        Entry(1, "a.jpg", ("7", "0.5", "x", "true")),
        Entry(2, "b.jpg", ("", "1", "y", "false")),
    ]


@given(st.lists(st.tuples(names, texts, texts), min_size=1, max_size=6))
@settings(max_examples=30, deadline=None)
def test_names_and_values_are_read_as_they_were_written(
    tmp_path_factory: pytest.TempPathFactory, entries: list[tuple[str, str, str]]
) -> None:
    folder = tmp_path_factory.mktemp("lists")
    content = pyarrow.table(dict(zip(("file", "a", "b"), map(list, zip(*entries, strict=True)), strict=True)))
    pyarrow.parquet.write_table(content, folder / "list.parquet")
    lines = [json.dumps(dict(zip(("file", "a", "b"), entry, strict=True))) for entry in entries]
    (folder / "list.jsonl").write_text("\n".join(lines), "utf-8")
    quoted = [",".join('"' + cell.replace('"', '""') + '"' for cell in entry) for entry in entries]
    (folder / "list.csv").write_bytes("\r\n".join(["file,a,b", *quoted]).encode())

    for suffix in ("parquet", "jsonl", "csv"):
        found = read(folder / f"list.{suffix}", keep=("a", "b"))
        assert [(entry.name, *entry.kept) for entry in found] == entries


@pytest.mark.parametrize("suffix", formats.SUFFIXES)
def test_a_table_of_ours_is_a_list_of_its_files(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"t{suffix}"
    wanted = [row for row in rows() if row.file]
    formats.of(path).write(path, iter(wanted), record_of(NAMES))

    assert named(read(path)) == [row.file for row in wanted]
    assert [entry.kept for entry in read(path, keep=("label",))] == [(row.label,) for row in wanted]


def test_of_several_columns_the_usual_one_is_taken_and_another_can_be_named(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"

    assert named(read(path, b"url,FILE,x\nu,f,c\n")) == ["f"]
    assert named(read(path, column="x")) == ["c"]


@pytest.mark.parametrize(
    ("name", "content", "options", "error"),
    [
        ("l.csv", b"a.jpg,happy\n", {}, r"--column: a\.jpg, happy"),
        ("l.csv", b"a.jpg\nb.jpg\n", {}, r"does not tell which column has the files; say it with --column: a\.jpg"),
        ("l.csv", b"", {}, r"say it with --column: "),
        ("l.csv", b"file,x\na,b\n", {"column": "y"}, r"has no column 'y' for --column; its columns: file, x"),
        ("l.csv", b"file,x\na,b\n", {"keep": ("y",)}, r"has no column 'y' for --keep; its columns: file, x"),
        ("l.csv", b"file,x,x\na,b,c\n", {"keep": ("x",)}, r"has two columns 'x' for --keep"),
        ("l.csv", b"file,x\na,b\nc\n", {}, r"l\.csv, line 3: it has 1 cells, and the first line has 2"),
        ("l.csv", b'file,x\na,b\nc,"d\ne\n', {}, r"l\.csv, line 3: unexpected end of data"),
        ("l.csv", b'file,x\na,"b"c\n', {}, r"l\.csv, line 2: "),
        ("l.csv", b"file,x\na,\xe9\n", {"keep": ("x",)}, r"line 2: the value of `x` is no valid UTF-8"),
        ("l.csv", b"file,x\n,b\n", {}, r"line 2: there is no name"),
        ("l.csv", b"file,x\na," + b"b" * 40_000, {"keep": ("x",)}, r"line 2: the value of `x` has 40,000 characters"),
        ("l.jsonl", b'{"file": "a"}\n{"file": \n', {}, r"l\.jsonl, line 2: it is no JSON"),
        ("l.jsonl", b"[1]\n", {}, r"line 1: it is no JSON object"),
        ("l.jsonl", b"[" * 100_000, {}, r"line 1: it is no JSON"),
        ("l.jsonl", b'{"file": "a"}\n{"x": "a"}\n', {}, r"line 2: `file` is no text"),
        ("l.jsonl", b'{"file": ["a"]}\n', {}, r"line 1: `file` is no text"),
        ("l.jsonl", b'{"file": "a\\u0000"}\n', {}, r"line 1: the name holds a NUL byte"),
        (
            "l.jsonl",
            b'{"file": "a", "x": "\\ud800"}\n',
            {"keep": ("x",)},
            r"line 1: the value of `x` is no valid UTF-8",
        ),
        ("l.txt", b"a.jpg\0b.jpg\0", {}, r"l\.txt, line 1: it holds a NUL byte"),
        ("l.txt", "a.jpg\n".encode("utf-16"), {}, r"line 1: it is UTF-16; save the list as UTF-8"),
        ("l.txt", "a.jpg\n".encode("utf-16-le"), {}, r"line 1: it holds a NUL byte"),
        ("l.txt", b"a.jpg\n" + b"b" * 10_000_000, {}, r"line 2: the name has 10,000,000 characters; the limit is"),
        ("l.txt", b"a.jpg\n", {"keep": ("x",)}, r"is text, with a name a line; --column and --keep need \.csv"),
        ("l.parquet", b"PAR1 no PAR1", {}, r"l\.parquet: "),
        ("l.json", b"[]", {}, r"is no list: give text, \.csv, \.tsv, \.jsonl or \.parquet"),
    ],
)
def test_a_damaged_list_is_one_line_that_says_where(
    tmp_path: Path, name: str, content: bytes, options: dict[str, object], error: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(LabelerError, match=error) as caught:
        read(path, **options)

    assert "\n" not in str(caught.value)


def test_a_line_without_end_is_refused_before_it_fills_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_lists, "LONGEST_LINE", 1000)

    with pytest.raises(LabelerError, match=r"line 1: it has more than 1,000 bytes"):
        read(tmp_path / "l.txt", b"x" * 5000)
    assert len(read(tmp_path / "l.txt", b"x" * 999 + b"\n")) == 1
    assert LONGEST_VALUE < 131_072


def test_a_truncated_parquet_file_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "l.parquet"
    pyarrow.parquet.write_table(pyarrow.table({"file": [str(number) for number in range(10_000)]}), path)
    path.write_bytes(path.read_bytes()[:-100])

    with pytest.raises(LabelerError, match=r"l\.parquet: "):
        read(path)


def test_a_column_of_pictures_holds_no_names(tmp_path: Path) -> None:
    path = tmp_path / "l.parquet"
    pyarrow.parquet.write_table(pyarrow.table({"image": [{"bytes": b"x", "path": "a"}]}), path)

    with pytest.raises(LabelerError, match=r"the column 'image' of .* holds struct"):
        read(path)


@pytest.mark.parametrize("path", ["nowhere.txt", ".", "nowhere.csv", "nowhere.parquet"])
def test_a_list_that_is_not_there_is_an_error(tmp_path: Path, path: str) -> None:
    with pytest.raises(LabelerError, match="cannot be read: "):
        Content(Wanted(path=str(tmp_path / path)))


def test_a_kept_column_that_the_table_has_is_refused_with_what_to_do() -> None:
    check_keep(("id", "split"), NAMES)
    for name in ("label", "happy"):
        with pytest.raises(LabelerError, match=rf"--keep {name}: .* rename it in the list, for example to list_{name}"):
            check_keep(("id", name), NAMES)
