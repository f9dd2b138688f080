"""Rows to Parquet and back."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import duckdb
import pandas
import polars
import pyarrow.parquet
import pytest
from odd_rows import NAMES, record_of, rows

import labeler
from labeler.records import Row, Status
from labeler.tables import run_record
from labeler.tables.parquet import ROWS_PER_GROUP, Parquet
from labeler.tables.writer import TableWriter


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "t.parquet"
    Parquet().write(path, iter(rows()), record_of(NAMES, counts={"files": 20}))
    return path


def test_every_row_comes_back_from_parquet(table: Path) -> None:
    assert list(Parquet().read(table)) == rows()


def test_parquet_columns_are_typed(table: Path) -> None:
    schema = pyarrow.parquet.read_schema(table)
    kinds = {name: str(schema.field(name).type) for name in schema.names}
    few = "dictionary<values=string, indices=int32, ordered=0>"

    assert (kinds["file"], kinds["version"], kinds["reason"]) == ("string",) * 3
    assert (kinds["label"], kinds["status"]) == (few,) * 2
    assert {kinds[name] for name in ("face", "image_width", "image_height")} == {"int32"}
    assert {kinds[name] for name in ("x", "width", "face_score", "score", *NAMES)} == {"double"}


def test_what_is_absent_is_null_and_reads_back_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    bad = Row("a.jpg").without_label(Status.NO_FACE, "")
    Parquet().write(path, [bad], record_of(NAMES))
    found = pyarrow.parquet.read_table(path).to_pylist()[0]

    assert {name for name, value in found.items() if value is not None} == {"file", "status"}
    assert list(Parquet().read(path)) == [bad]


def test_the_metadata_tells_how_the_table_was_made(table: Path) -> None:
    metadata = pyarrow.parquet.read_schema(table).metadata
    found = json.loads(metadata[b"labeler_run"])

    assert metadata[b"labeler_schema"] == b"2"
    assert found == json.loads(json.dumps(asdict(record_of(NAMES, counts={"files": 20}))))
    assert {"model", "model_sha256", "settings", "class_names", "counts"} <= set(found)


def test_the_metadata_of_a_finished_table_is_its_record(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    with TableWriter.begin(path, record_of(NAMES)) as writer:
        writer.write(rows())
        writer.finish({"files": 20})
    found = json.loads(pyarrow.parquet.read_schema(path).metadata[b"labeler_run"])

    assert found == json.loads(run_record.beside(path, run_record.RECORD).read_text())
    assert (found["finished"], found["counts"]) == (True, {"files": 20})


def test_rows_are_written_in_groups_as_they_come(tmp_path: Path) -> None:
    path, count = tmp_path / "t.parquet", 2 * ROWS_PER_GROUP + 10
    labels = ("angry", "happy", "")
    Parquet().write(path, (Row(f"{at:06}", label=labels[at % 3]) for at in range(count)), record_of(NAMES))
    with pyarrow.parquet.ParquetFile(path) as file:
        sizes = [file.metadata.row_group(at).num_rows for at in range(file.num_row_groups)]

    assert sizes == [ROWS_PER_GROUP, ROWS_PER_GROUP, 10]
    assert [row.label for row in Parquet().read(path)] == [labels[at % 3] for at in range(count)]


def test_other_programs_see_the_same_labels_and_gaps(table: Path) -> None:
    by_pandas = pandas.read_parquet(table)
    by_polars = polars.read_parquet(table)
    with duckdb.connect() as connection:
        by_duckdb = connection.execute("from read_parquet(?)", [str(table)]).df()

    for labels in (by_pandas["label"], by_polars["label"].to_list(), by_duckdb["label"]):
        found = [None if pandas.isna(label) else str(label) for label in labels]
        assert found == [row.label or None for row in rows()]
    assert by_polars["face"].null_count() == by_polars["score"].null_count() == 1


def test_a_table_of_empty_texts_as_earlier_versions_wrote_them_is_read(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    Parquet().write(path, rows(), record_of(NAMES))
    found = pyarrow.parquet.read_table(path)
    for name in ("label", "status", "reason", "version"):
        texts = found[name].cast(pyarrow.string()).fill_null("")
        found = found.set_column(found.column_names.index(name), name, texts)
    pyarrow.parquet.write_table(found, path)

    assert list(Parquet().read(path)) == rows()
    assert labeler.read(path)["label"].tolist() == [row.label for row in rows()]


def test_a_file_that_is_no_parquet_raises_value_error(tmp_path: Path) -> None:
    (tmp_path / "t.parquet").write_bytes(b"PAR1 or not")
    with pytest.raises(ValueError, match="Parquet"):
        Parquet().columns(tmp_path / "t.parquet")
