"""The code in docs/export-datasets.md runs."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT
from export_items import crop, export, plan_of

from labeler.exports import croissant
from labeler.exports.card import Counts, card
from labeler.exports.formats import FORMATS

PAGE = (ROOT / "docs" / "export-datasets.md").read_text("utf-8")
SCRIPTS = re.findall(r"```python\n(import|from) (\w+)(.*?)```", PAGE, re.DOTALL)
DEV = {"datasets", "duckdb", "polars"}


@pytest.mark.parametrize("name", ["imagefolder", "webdataset", "parquet", "croissant"])
def test_every_format_has_its_section(name: str) -> None:
    assert f"\n## {name}\n" in PAGE
    assert f"\n| `{name}` |" in PAGE


@pytest.mark.parametrize(
    ("library", "script"),
    [
        pytest.param(library, f"{word} {library}{rest}", marks=[] if library in DEV else pytest.mark.slow)
        for word, library, rest in SCRIPTS
    ],
)
def test_its_code_runs(library: str, script: str, tmp_path: Path) -> None:
    pytest.importorskip(library)
    items = [crop(number) for number in range(6)]
    counts = Counts()
    for item in items:
        counts.add(item)
    (name,) = set(re.findall(r"(\w+)_export", script))
    plan = plan_of(tmp_path / f"{name}_export", format=name)
    export(FORMATS[name], plan, items)
    (plan.out / "README.md").write_text(card(plan, counts), "utf-8")
    croissant.write(plan, counts)
    homes = dict.fromkeys(("HF_HOME", "CROISSANT_CACHE"), str(tmp_path / "cache"))
    environment = {**os.environ, **homes, "HF_HUB_OFFLINE": "1"}
    answer = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )

    assert answer.returncode == 0, answer.stderr
    assert "8" in answer.stdout or "happy" in answer.stdout
