"""docs/export.md describes every format as it is, and its code runs."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import ROOT
from typer.testing import Result

from labeler.exports.formats import FORMATS

PAGE = (ROOT / "docs" / "export.md").read_text("utf-8")
ROWS = {name: cells.split(" | ") for name, cells in re.findall(r"^\| `([\w-]+)` \| (.*) \|$", PAGE, re.MULTILINE)}
SCRIPTS = re.findall(r"```python\n((?:import|from) (\w+).*?)```", PAGE, re.DOTALL)
FAST = {"datasets", "duckdb", *sys.stdlib_module_names}
BY_HAND = {"fiftyone": "fiftyone is installed by hand: it brings a database"}


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The table of the page's first command, of the shipped model."""
    path = tmp_path_factory.mktemp("page") / "labels.csv"
    command = [sys.executable, "-m", "labeler", "classify", "examples/photos", "--out", path, "--quiet"]
    assert subprocess.run(command, cwd=ROOT, check=False).returncode == 1
    return path


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
def test_its_code_runs(library: str, script: str, table: Path, tmp_path: Path, run: Callable[..., Result]) -> None:
    pytest.importorskip(library, reason=BY_HAND.get(library))
    (name,) = set(re.findall(r"([\w-]+)_export", script))
    assert run("export", table, "--to", name, "--out", tmp_path / f"{name}_export").exit_code == 0
    homes = dict.fromkeys(("HF_HOME", "CROISSANT_CACHE"), str(tmp_path / "cache"))
    environment = {**os.environ, **homes, "HF_HUB_OFFLINE": "1"}
    answer = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )

    assert answer.returncode == 0, answer.stderr
    assert "happy" in answer.stdout
