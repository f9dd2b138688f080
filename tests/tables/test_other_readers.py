"""Tables as other programs read them: pandas, polars and DuckDB, as docs/commands.md says."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pandas
import polars
import pytest
from odd_rows import record_of, write_finished

from labeler.records import Face, Row, Status

NAMES = ("angry", "happy")
CROPS, PHOTOS = 25_000, 50
"""More rows without `face_score` than DuckDB (20,480) and polars (100) look at before they choose a type."""

INTEGERS = ["face", "image_width", "image_height"]
FLOATS = ["x", "y", "width", "height", "face_score", "score", *NAMES]
TEXTS = ["file", "label", "version", "status", "reason"]


def rows() -> list[Row]:
    """Return what a folder gives that holds crops, then photos, then a broken file."""
    whole, found = Face(0.0, 0.0, 48.0, 48.0), Face(66.5, 3.0, 80.5, 90.1, 0.987654)
    crops = [Row(f"crops/{at:05}.jpg", image_width=48, image_height=48, version=f"{at}-1") for at in range(CROPS)]
    photos = [Row(f"photos/{at}.jpg", image_width=4000, image_height=3000, version=f"{at}-2") for at in range(PHOTOS)]
    placed = [row.located(0, face) for some, face in ((crops, whole), (photos, found)) for row in some]
    labelled = [row.labelled((0.25, 0.75), NAMES, 0.0) for row in placed]
    return [*labelled, Row("z/1.jpg").without_label(Status.UNREADABLE, "it is broken")]


@pytest.fixture(scope="module", params=[".csv", ".jsonl", ".parquet"])
def table(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Path:
    out = tmp_path_factory.mktemp("tables") / f"t{request.param}"
    record = record_of(NAMES, settings={})
    write_finished(out, record, rows())
    return out


def by_pandas(table: Path) -> pandas.DataFrame:
    readers: dict[str, Callable[[], pandas.DataFrame]] = {
        ".csv": lambda: pandas.read_csv(table),
        ".jsonl": lambda: pandas.read_json(table, lines=True, precise_float=True),
        ".parquet": lambda: pandas.read_parquet(table),
    }
    return readers[table.suffix]()


def by_polars(table: Path) -> pandas.DataFrame:
    readers: dict[str, Callable[[], polars.DataFrame]] = {
        ".csv": lambda: polars.read_csv(table, schema_overrides={"face_score": polars.Float64}),
        ".jsonl": lambda: polars.read_ndjson(table, schema_overrides={"face_score": polars.Float64}),
        ".parquet": lambda: polars.read_parquet(table),
    }
    return pandas.DataFrame(readers[table.suffix]().to_dict(as_series=False))


def by_duckdb(table: Path) -> pandas.DataFrame:
    calls = {
        ".csv": "read_csv(?, types = {'face_score': 'DOUBLE'})",
        ".jsonl": "read_json(?, sample_size = -1)",
        ".parquet": "read_parquet(?)",
    }
    with duckdb.connect() as connection:
        return connection.execute(f"from {calls[table.suffix]}", [str(table)]).df()


@pytest.mark.parametrize("read", [by_pandas, by_polars, by_duckdb])
def test_numbers_are_numbers_and_texts_are_texts(table: Path, read: Callable[[Path], pandas.DataFrame]) -> None:
    frame: Any = read(table)
    photos = frame[frame["file"].str.startswith("photos/")]

    assert len(frame) == CROPS + PHOTOS + 1
    assert [name for name in INTEGERS + FLOATS if not pandas.api.types.is_numeric_dtype(frame[name])] == []
    assert [name for name in TEXTS if pandas.api.types.is_numeric_dtype(frame[name])] == []
    assert photos["face_score"].tolist() == [0.987654] * PHOTOS
    expected = pandas.DataFrame(rows())[FLOATS[:6]].sum().tolist()
    shares = [0.25 * (CROPS + PHOTOS), 0.75 * (CROPS + PHOTOS)]
    assert frame[FLOATS].sum().tolist() == pytest.approx([*expected, *shares])
    assert (frame["version"].iloc[0], frame["image_width"].iloc[-2]) == ("0-1", 4000)
