"""Columns in memory: the same as pyarrow makes of them, and pandas is not imported meanwhile."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pytest
from conftest import ROOT, Folder
from review_server import write_table

from labeler.tables import arrays

STRUCT = pyarrow.struct([("bytes", pyarrow.binary()), ("path", pyarrow.string())])
VALUES: list[tuple[list[Any], pyarrow.DataType]] = [
    ([1, None, -3], pyarrow.int32()),
    ([1, 2**62], pyarrow.int64()),
    ([1.5, None, float("inf")], pyarrow.float32()),
    ([0.1, 7], pyarrow.float64()),
    (["a", None, "", "é\U0001f600"], pyarrow.string()),
    (["a", None], pyarrow.large_string()),
    (["sad", None, "sad", "happy"], pyarrow.dictionary(pyarrow.int32(), pyarrow.string())),
    ([b"\x00\xff", None, b""], pyarrow.binary()),
    ([True, None, False] * 5, pyarrow.bool_()),
    ([[1.0, 2.0], [], [3.0]], pyarrow.list_(pyarrow.float64())),
    ([["a", None], []], pyarrow.list_(pyarrow.string())),
    ([{"bytes": b"x", "path": None}, {"bytes": None, "path": "p"}], STRUCT),
    ([None, None], pyarrow.string()),
]


@pytest.mark.parametrize(("values", "kind"), VALUES, ids=[str(kind) for _, kind in VALUES])
@pytest.mark.parametrize("count", [0, 1, 20])
def test_an_array_is_that_of_pyarrow(values: list[Any], kind: pyarrow.DataType, count: int) -> None:
    some = (values * count)[:count]
    found = arrays.array(some, kind)
    found.validate(full=True)

    assert found.equals(pyarrow.array(some, kind))


@pytest.mark.parametrize(("value", "kind"), [("x", pyarrow.int32()), (2**40, pyarrow.int32()), (1, pyarrow.string())])
def test_a_value_of_another_kind_is_refused(value: object, kind: pyarrow.DataType) -> None:
    with pytest.raises((ValueError, OverflowError, AttributeError)):
        arrays.array([value], kind)


@pytest.mark.parametrize("kind", [pyarrow.int32(), pyarrow.int64(), pyarrow.float32(), pyarrow.float64()])
@pytest.mark.parametrize("place", [slice(0, 0), slice(0, 1), slice(1, 9), slice(3, 20)])
def test_numbers_come_back_with_something_for_nulls(kind: pyarrow.DataType, place: slice) -> None:
    values = [None if at % 3 == 1 else at for at in range(20)]
    expected = [-1 if value is None else value for value in values[place]]
    found = pyarrow.array(values, kind)[place.start : place.stop]

    assert arrays.numbers(found, -1).tolist() == expected
    assert arrays.numbers(found, -1).dtype == np.dtype(kind.to_pandas_dtype())


def pandas_in(script: str) -> str:
    """Run statements one after another; return which of them imported pandas."""
    told = "".join(f"{line}\nif 'pandas' in sys.modules: sys.exit({line!r})\n" for line in script.splitlines())
    begun = f"import sys; from pathlib import Path\nfrom typer.testing import CliRunner\n{told}"
    return subprocess.run([sys.executable, "-c", begun], capture_output=True, text=True, cwd=ROOT).stderr


@pytest.mark.parametrize("suffix", [".jsonl", ".parquet"])
def test_no_command_that_reads_or_writes_a_table_imports_pandas(folder: Folder, tmp_path: Path, suffix: str) -> None:
    table = tmp_path / f"t{suffix}"
    write_table(folder, table)
    commands: list[list[object]] = [
        ["report", table, "--out", tmp_path / "r.html"],
        ["diff", table, table],
        ["sort", table, "--into", tmp_path / "sorted", "--dry-run"],
        ["export", table, "--to", "parquet", "--out", tmp_path / "parquet"],
        ["export", table, "--to", "coco", "--out", tmp_path / "coco"],
        ["reviews", "show", table],
        ["forget", "0/0000.png", "--table", table],
    ]
    calls = (
        f"done = CliRunner().invoke(app, {list(map(str, one))!r}); assert done.exit_code == 0, done" for one in commands
    )
    reading = f"from labeler.tables import arrow; arrow.numbers(arrow.read(Path({str(table)!r})), 'score')"

    assert pandas_in("\n".join(["from labeler.cli.app import app", *calls, reading])) == ""


def test_rows_become_columns() -> None:
    schema = pyarrow.schema([("file", pyarrow.string()), ("face", pyarrow.int32())])
    rows = [{"face": 1, "file": "a", "other": 5}, {"file": "b", "face": None}]

    assert arrays.batch(rows, schema).to_pylist() == [{"file": "a", "face": 1}, {"file": "b", "face": None}]
