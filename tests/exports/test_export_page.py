"""docs/export.md describes every format as it is, and its code runs."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import ROOT
from export_items import crop, export, face, photo, plan_of

from labeler.exports import croissant
from labeler.exports.card import Counts, card
from labeler.exports.formats import FORMATS

PAGE = (ROOT / "docs" / "export.md").read_text("utf-8")
ROWS = {name: cells.split(" | ") for name, cells in re.findall(r"^\| `([\w-]+)` \| (.*) \|$", PAGE, re.MULTILINE)}
SCRIPTS = re.findall(r"```python\n((?:import|from) (\w+).*?)```", PAGE, re.DOTALL)
FAST = {"datasets", "duckdb", *sys.stdlib_module_names}
BY_HAND = {"fiftyone": "fiftyone is installed by hand: it brings a database"}


def test_every_format_has_its_section_and_its_row() -> None:
    assert re.findall(r"^## ([a-z].*)$", PAGE, re.MULTILINE) == list(FORMATS)
    assert list(ROWS) == list(FORMATS)


@pytest.mark.parametrize("name", sorted(FORMATS.keys() - {"croissant"}))
def test_a_row_says_what_the_format_does_by_itself(name: str) -> None:
    form = FORMATS[name]
    _, pictures, default, split = ROWS[name]

    assert pictures.split()[0].strip(",") == ("packed" if form.packs else "files")
    assert default == ("crops" if form.crops else "photos")
    assert split == (",".join(map(str, form.split)) or "1")


@pytest.mark.parametrize(
    ("library", "script"),
    [
        pytest.param(library, script, marks=[] if library in FAST else pytest.mark.slow, id=f"{library}{at}")
        for at, (script, library) in enumerate(SCRIPTS)
    ],
)
def test_its_code_runs(library: str, script: str, tmp_path: Path) -> None:
    pytest.importorskip(library, reason=BY_HAND.get(library))
    (name,) = set(re.findall(r"([\w-]+)_export", script))
    make(name, tmp_path / f"{name}_export")
    homes = dict.fromkeys(("HF_HOME", "CROISSANT_CACHE"), str(tmp_path / "cache"))
    environment = {**os.environ, **homes, "HF_HUB_OFFLINE": "1"}
    answer = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )

    assert answer.returncode == 0, answer.stderr
    assert "happy" in answer.stdout


def make(name: str, out: Path) -> None:
    """Export six pictures in a format as it is by itself, and describe them."""
    form = FORMATS[name]
    subsets = ("train", "val")[: len(form.split)]
    plan = plan_of(out, format=name, crops=form.crops, subsets=subsets, suffix=".png" if form.crops else ".jpg")
    counts = Counts()
    items = [crop(at) if form.crops else photo(at, face(0), face(1, "sad", x=3.0)) for at in range(6)]
    items = [replace(item, subset=subsets[item.number // 3] if subsets else "") for item in items]
    for item in items:
        counts.add(item)
    export(form, plan, items)
    (out / "README.md").write_text(card(plan, counts), "utf-8")
    croissant.write(plan, counts)
