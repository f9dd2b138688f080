"""What is promised to be on the disk is told to go there, in the order in which a power failure is survived."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT, Folder

RECORDER = """
import os
log = open(os.environ["STEPS"], "a")
fsync, replace = os.fsync, os.replace

def noted_fsync(descriptor):
    fsync(descriptor)
    path = os.readlink(f"/proc/self/fd/{descriptor}")
    print("synced", os.path.basename(path), os.stat(descriptor).st_size, file=log, flush=True)

def noted_replace(source, target, **options):
    size = os.stat(source).st_size
    replace(source, target, **options)
    print("placed", os.path.basename(source), size, os.path.basename(target), file=log, flush=True)

os.fsync, os.replace = noted_fsync, noted_replace
"""
"""Loaded by each process of a command: a call into the system that orders what is on the disk is made, and noted."""


def steps(tmp_path: Path, *arguments: object) -> list[list[str]]:
    log, hooks = tmp_path / "log", tmp_path / "hooks"
    hooks.mkdir()
    (hooks / "sitecustomize.py").write_text(RECORDER)
    environment = {**os.environ, "STEPS": str(log), "PYTHONPATH": f"{hooks}{os.pathsep}{ROOT}"}
    command = [sys.executable, "-m", "labeler", *arguments]
    subprocess.run(list(map(str, command)), check=True, capture_output=True, env=environment)
    return [line.split() for line in log.read_text().splitlines()]


def assert_durable(found: list[list[str]], target: str, folder: str) -> None:
    """Whatever takes the place is whole on the disk before, and its folder says so before anything else is placed."""
    places = [index for index, step in enumerate(found) if step[0] == "placed" and step[3] == target]
    assert places, found
    for index in places:
        source, size = found[index][1:3]
        names = {source}  # What it was called when it was synced.
        for step in reversed(found[:index]):
            if step[0] == "placed" and step[3] in names:
                names.add(step[1])
            if step[0] == "synced" and step[1] in names:
                break
        assert step[0] == "synced"
        assert step[2] == size
        assert found[index + 1][:2] == ["synced", folder]


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_a_table_and_its_record_are_on_the_disk_before_they_are_relied_on(
    folder: Folder, model: Path, tmp_path: Path, suffix: str
) -> None:
    folder.picture("a.jpg")
    (tmp_path / "out").mkdir()
    out = tmp_path / "out" / f"t{suffix}"
    found = steps(tmp_path, "classify", folder.path, "--out", out, "--model", model)
    assert_durable(found, out.name, "out")
    assert_durable(found, f"{out.name}.run.json", "out")
    assert_durable(found, f"{out.name}.part.run.json", "out")


def test_crops_are_not_waited_for(folder: Folder, model: Path, tmp_path: Path) -> None:
    for index in range(3):
        folder.picture(f"{index}.jpg")
    crops = tmp_path / "crops"
    command = ("classify", folder.path, "--out", tmp_path / "t.csv", "--model", model, "--workers", "1")
    found = steps(tmp_path, *command, "--save-crops", crops)

    assert len([step for step in found if step[0] == "placed" and "face0" in step[3]]) == 3
    assert not [step for step in found if step[0] == "synced" and ("face0" in step[1] or step[1] == "crops")]


def test_the_journal_of_a_sort_is_found_after_a_power_failure(folder: Folder, model: Path, tmp_path: Path) -> None:
    folder.picture("a.jpg")
    subprocess.run(
        [sys.executable, "-m", "labeler", "classify", folder.path, "--out", tmp_path / "t.csv", "--model", model],
        check=True,
        capture_output=True,
    )
    found = steps(tmp_path, "sort", tmp_path / "t.csv", "--into", tmp_path / "sorted")
    names = [step[1] for step in found if step[0] == "synced"]

    assert names.index("sorted") < names.index(".labeler-sort.jsonl")
