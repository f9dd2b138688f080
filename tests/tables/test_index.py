"""A table as columns: the same rows that the reader of tables gives, whatever the format."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import odd_rows
import pytest
from conftest import ROOT

from labeler.errors import LabelerError
from labeler.records import Face, Row, Status
from labeler.tables import columns, folders, index, reader

SUFFIXES = (".csv", ".jsonl", ".parquet")


def write(path: Path, rows: list[Row], class_names: tuple[str, ...] = odd_rows.NAMES, **changes: object) -> Path:
    odd_rows.write_finished(path, odd_rows.record_of(class_names, **changes), rows)
    return path


def same(found: Row, row: Row) -> bool:
    """Say whether a row is another's, but for what the index does not keep exactly."""
    close = np.allclose(found.probabilities, row.probabilities, atol=1e-5) and found.score == row.score
    return close and found._replace(probabilities=(), face_score=None) == row._replace(
        probabilities=(), face_score=None
    )


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("schema", [1, 2])
def test_every_row_is_that_of_the_reader(tmp_path: Path, suffix: str, schema: int) -> None:
    table = write(tmp_path / f"t{suffix}", odd_rows.rows(), schema_version=schema)
    rows = list(reader.read(table))
    found = index.load(table)

    assert len(found) == len(rows)
    assert [number for number, row in enumerate(rows) if not same(found.row(number), row)] == []


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_odd_names_are_read_fast_as_well(tmp_path: Path, suffix: str) -> None:
    table = write(tmp_path / f"t{suffix}", odd_rows.rows())

    assert sum(map(len, columns.fast(table))) == len(odd_rows.rows())


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_table_without_rows_is_read(tmp_path: Path, suffix: str) -> None:
    if suffix == ".jsonl":
        pytest.skip("such a table has no first line that names its columns")
    assert len(index.load(write(tmp_path / f"t{suffix}", []))) == 0


def test_what_a_spreadsheet_saves_is_read(tmp_path: Path) -> None:
    table = write(tmp_path / "t.csv", odd_rows.rows()[4:10])
    rows = list(reader.read(table))
    text = table.read_text("utf-8").replace(".", "\0").replace(",", ";").replace("\0", ",")
    table.write_bytes(b"\xef\xbb\xbf" + text.replace(",jpg", ".jpg").encode())

    found = index.load(table)
    assert [found.row(number)[1:6] for number in range(len(found))] == [row[1:6] for row in rows]


@pytest.mark.parametrize("cell", ["inf", "-1", "okay", "cut"])
def test_a_damaged_table_is_refused_with_one_line(tmp_path: Path, cell: str) -> None:
    table = write(tmp_path / "t.csv", odd_rows.rows()[:1])
    content = table.read_bytes()
    damaged = {
        "inf": content.replace(b"0.750000", b"inf", 1),
        "-1": content.replace(b".jpg,0,", b".jpg,-1,", 1),
        "okay": content.replace(b",ok,", b",okay,", 1),
        "cut": content[:-4],
    }[cell]
    assert damaged != content
    table.write_bytes(damaged)

    with pytest.raises(LabelerError, match=r"t\.csv is damaged"):
        index.load(table)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_label_that_is_no_class_is_kept(tmp_path: Path, suffix: str) -> None:
    row = odd_rows.rows()[0]._replace(label="corrected by hand")

    assert index.load(write(tmp_path / f"t{suffix}", [row])).row(0).label == "corrected by hand"


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_reading_imports_no_pandas_which_swallows_a_ctrl_c(tmp_path: Path, suffix: str) -> None:
    table = write(tmp_path / f"t{suffix}", odd_rows.rows())
    script = (
        "import sys; from pathlib import Path; from labeler.review import review; from labeler.tables import index\n"
        f"index.load(Path({str(table)!r})).rows_of(['NA', 'absent'])\n"
        "print('pandas' in sys.modules)"
    )
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT)

    assert told.stdout == "False\n"


def test_the_second_is_the_most_probable_other_class_and_the_margin_that_of_the_best_two(tmp_path: Path) -> None:
    names = ("angry", "happy", "sad")
    face = Row("a.jpg").located(0, Face(0, 0, 9, 9))
    rows = [
        face.labelled((0.2, 0.5, 0.3), names, 0.0),
        face.labelled((0.2, 0.5, 0.3), names, 0.9),
        face.labelled((0.2, 0.5, 0.3), names, 0.0)._replace(label="angry"),
        Row("b.jpg").without_label(Status.NO_FACE, ""),
    ]
    found = index.load(write(tmp_path / "t.csv", rows, names))

    assert [found.labels[code] for code in found.second[:3]] == ["sad", "happy", "happy"]
    assert np.allclose(found.second_score[:3], [0.3, 0.5, 0.5])
    assert np.allclose(found.margin[:3], 0.2)
    assert np.isnan(found.margin[3])
    assert np.isnan(found.second_score[3])


def test_more_classes_than_memory_holds_leave_the_best_two(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index, "_MOST_PROBABILITIES", 2)
    found = index.load(write(tmp_path / "t.csv", odd_rows.rows()))

    assert found.probabilities is None
    assert found.row(0).probabilities == ()
    assert np.isclose(found.second_score[0], 0.25)


def test_many_batches_are_as_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(columns, "_ROWS_AT_ONCE", 7)
    monkeypatch.setattr(columns, "_BLOCK_BYTES", 2_000)
    rows = [row._replace(file=f"{at}/{row.file}") for at in range(5) for row in odd_rows.rows()]
    for suffix in SUFFIXES:
        table = write(tmp_path / f"t{suffix}", rows)
        files = [row.file for row in reader.read(table)]
        found = index.load(table)
        assert [found.row(number).file for number in range(len(found))] == files
        assert found.rows_of(["3/NA", "absent", rows[3].file]) == {
            name: [files.index(name)] for name in ("3/NA", rows[3].file)
        }


def test_rows_of_one_file_are_found_from_any_of_them(tmp_path: Path) -> None:
    rows = [
        odd_rows.rows()[0]._replace(file=name, face=face) for name, face in (("a", 0), ("b", 0), ("b", 1), ("c", 0))
    ]
    found = index.load(write(tmp_path / "t.csv", rows))

    assert [found.rows_beside(number) for number in range(4)] == [[0], [1, 2], [1, 2], [3]]


def test_folders_are_those_of_the_names(tmp_path: Path) -> None:
    chance = random.Random(4)
    names = ["/".join(chance.choices(["a", "b", "ü"], k=chance.randint(1, 4))) + ".jpg" for _ in range(200)]
    table = write(tmp_path / "t.parquet", [odd_rows.rows()[0]._replace(file=name) for name in sorted(names)])
    found, names = index.load(table), [row.file for row in reader.read(table)]

    assert [found.folder_names[code] for code in found.folder] == [name.rpartition("/")[0] for name in names]
    inside = folders.within(found.folder, found.folder_names, "a/b")
    assert inside.tolist() == [name.startswith("a/b/") for name in names]


def test_folders_are_listed_as_deep_as_there_are_few(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = [f"{year}/{month}/{photo}.jpg" for year in (2024, 2025) for month in range(12) for photo in range(2)]
    found = index.load(write(tmp_path / "t.csv", [odd_rows.rows()[0]._replace(file=name) for name in names]))

    assert ("2024/3", 2) in folders.listed(found.folder, found.folder_names)
    monkeypatch.setattr(folders, "MOST_FOLDERS", 20)
    assert folders.listed(found.folder, found.folder_names) == [("2024", 24), ("2025", 24)]
