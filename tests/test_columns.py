"""Tables of whatever columns, written."""

from __future__ import annotations

import csv
from pathlib import Path

import pyarrow

from training import columns


def test_no_csv_cell_can_become_a_formula_and_numbers_stay_numbers(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    columns.write(path, pyarrow.table({"file": ["=1.jpg", "a.jpg"], "margin": [-0.5, 0.5]}))
    with path.open(newline="", encoding="utf-8") as file:
        found = list(csv.reader(file))

    assert found == [["file", "margin"], ["'=1.jpg", "-0.5"], ["a.jpg", "0.5"]]
