"""docs/review.md names the keys as the page has them, and its commands and its code run, one after the other."""

from __future__ import annotations

import csv
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import ROOT
from reviewing import event
from typer.testing import Result

from labeler.inference import bundle
from labeler.review.items import keys
from labeler.tables import reader
from labeler.tables.matching import box_of
from labeler.tables.review_log import Log
from labeler.tables.reviews import Event

PAGE = (ROOT / "docs" / "review.md").read_text("utf-8")
STATIC = ROOT / "labeler" / "review" / "static"
ELSEWHERE = {"review", "train", "calibrate", "adapt"}
"""Commands that other tests run: one serves a page, one loads TensorFlow, and two want more faces than there are."""


def table_below(header: str) -> list[tuple[str, ...]]:
    """Return the rows of the table of the page with this header."""
    rows = PAGE.partition(f"| {header} |\n")[2].partition("\n\n")[0].splitlines()[1:]
    return [tuple(row.strip("| ").split(" | ")) for row in rows]


def test_its_keys_of_commands_are_those_of_the_page() -> None:
    commands = re.search(r"COMMANDS = \[(.*?)\];", (STATIC / "keys.js").read_text("utf-8"), re.DOTALL)
    assert commands
    wanted = re.findall(r'\["\w+", "(.)", "(.+)"\]', commands[1])

    assert table_below("key | command") == [(f"`{key}`", text) for key, text in wanted]


def test_its_other_keys_are_those_that_the_page_explains() -> None:
    explained = re.findall(r"<div><dt>(.*?)</dd></div>", (STATIC / "index.html").read_text("utf-8"))
    there = {key for line in explained for key in re.findall(r"<kbd>(.+?)</kbd>", line)}
    rows = table_below("key | what it does")

    assert len(rows) == len(explained)
    assert {key for row in rows for key in re.findall(r"`(.+?)`", " ".join(row))} == there


def test_its_keys_of_labels_are_those_of_the_shipped_model() -> None:
    named = re.search(r"with the shipped models (.*?)\.", PAGE, re.DOTALL)
    assert named

    assert {label: key for key, label in re.findall(r"`(.)`\s(\w+)", named[1])} == keys(
        bundle.card(bundle.find("default")).class_names
    )


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the example photos, as the current one."""
    shutil.copytree(ROOT / "examples" / "photos", tmp_path / "examples" / "photos")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_its_commands_and_its_code_run(checkout: Path, run: Callable[..., Result]) -> None:
    steps = re.findall(r"^labeler (.*?)(?=  #|$)|```python\n(.*?)```", PAGE, re.M | re.S)
    ran = []
    for command, code in steps:
        if code:
            answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
            assert re.search(r"photographer.jpg +neutral +sad\n", answer.stdout)
            continue
        words = command.split()
        provide(words)
        if words[0] not in ELSEWHERE and not any(word.startswith("s3://") for word in words):
            result = run(*words)
            assert result.exit_code == (1 if words[0] == "classify" else 0), result.output
        ran.append(words[0])

    assert set(ran) == {"classify", "reviews", "export", "sort", "report", "forget", *ELSEWHERE}
    assert (checkout / "sorted" / "sad" / "portraits" / "photographer.jpg").exists()
    assert "faces/hopper.jpg" not in (checkout / "labels.csv.reviews.jsonl").read_text("utf-8")


def provide(words: list[str]) -> None:
    """Make what a person would have made before a command."""
    table = Path("labels.csv")
    if words[0] == "review":
        Log.of(table).append(said(table, "ann", "sad"))
    elif "bob.reviews.jsonl" in words:
        Log(Path("bob.reviews.jsonl")).append(said(table, "bob", "sad"))
    elif "corrected.csv" in words:
        with table.open(encoding="utf-8", newline="") as file:
            rows = [{"file": row["file"], "corrected": row["label"]} for row in csv.DictReader(file) if row["label"]]
        with Path("corrected.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, rows[0])
            writer.writeheader()
            writer.writerows(rows)
    elif "label-studio.json" in words:
        tasks = json.loads(Path("tasks/tasks-00001.json").read_text("utf-8"))
        for task in tasks:
            task["annotations"] = [{**one, "completed_by": 1} for one in task.pop("predictions")]
        Path("label-studio.json").write_text(json.dumps(tasks), "utf-8")
    elif "annotations.xml" in words:
        shutil.copy("boxes/annotations.xml", ".")


def said(table: Path, reviewer: str, photographer: str) -> list[Event]:
    """Return the events of one who accepts each face but the photographer's."""
    return [
        event(
            photographer if "photographer" in row.file else row.label,
            at,
            action=f"{reviewer} {at}",
            reviewer=reviewer,
            file=row.file,
            box=box_of(row),
            version=row.version,
            old=row.label,
        )
        for at, row in enumerate(reader.read(table))
        if row.label
    ]
