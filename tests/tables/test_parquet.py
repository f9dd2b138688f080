"""Rows to Parquet and back."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet
import pytest
from odd_rows import NAMES, record_of, rows

from labeler.tables.parquet import Parquet


def test_every_row_comes_back_from_parquet(tmp_path: Path) -> None:
    Parquet().write(tmp_path / "t.parquet", rows(), record_of(NAMES))

    assert list(Parquet().read(tmp_path / "t.parquet")) == rows()


def test_parquet_columns_are_typed(tmp_path: Path) -> None:
    Parquet().write(tmp_path / "t.parquet", rows(), record_of(NAMES))
    schema = pyarrow.parquet.read_schema(tmp_path / "t.parquet")

    assert [str(schema.field(name).type) for name in ("file", "face", "score", "happy")] == [
        "string", "int32", "double", "double",
    ]  # fmt: skip


def test_a_file_that_is_no_parquet_raises_value_error(tmp_path: Path) -> None:
    (tmp_path / "t.parquet").write_bytes(b"PAR1 or not")
    with pytest.raises(ValueError, match="Parquet"):
        Parquet().columns(tmp_path / "t.parquet")
