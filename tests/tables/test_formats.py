"""One registry of formats: a suffix decides, and what is heavy is loaded only for a table that needs it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from odd_rows import NAMES, record_of, rows

from labeler.errors import LabelerError
from labeler.records import columns
from labeler.tables import formats


@pytest.mark.parametrize("suffix", formats.SUFFIXES)
def test_each_format_gives_back_what_was_written(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"t{suffix}"
    form = formats.of(path)
    form.write(path, iter(rows()), record_of(NAMES))

    assert list(form.read(path)) == rows()
    assert list(form.files(path)) == [row.file for row in rows()]
    assert form.columns(path) == columns(NAMES)


@pytest.mark.parametrize("content", ['{"file":"b"}\n{"file":"a"}\n', '{"status": "ok", "file": "b"}\n{"file": "a"}\n'])
def test_files_are_found_in_lines_that_another_program_has_written(tmp_path: Path, content: str) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text(content)

    assert list(formats.of(path).files(path)) == ["b", "a"]


def test_a_suffix_in_capitals_is_the_same_format(tmp_path: Path) -> None:
    assert type(formats.of(tmp_path / "T.CSV")) is type(formats.of(tmp_path / "t.csv"))


def test_another_suffix_is_no_format(tmp_path: Path) -> None:
    with pytest.raises(LabelerError, match=r"a table's name ends in \.csv, \.jsonl, \.parquet"):
        formats.of(tmp_path / "t.xlsx")


@pytest.mark.parametrize(("suffix", "loaded"), [(".csv", False), (".jsonl", False), (".parquet", True)])
def test_pyarrow_is_loaded_only_for_parquet_and_pandas_for_none(suffix: str, loaded: bool) -> None:
    script = "import sys; from pathlib import Path; from labeler import pipeline; from labeler.tables import formats\n"
    script += f"formats.of(Path('t{suffix}')); print('pyarrow' in sys.modules, 'pandas' in sys.modules)"
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout

    assert said.split() == [str(loaded), "False"]
