"""`classify --engine ray`: the table is that of one machine, row for row."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from any_networks import quantised
from conftest import ROOT, Folder
from ray_cluster_of_nodes import LIMIT_S, Nodes

pytest.importorskip("ray")

PHOTOS = 60


class Runs:
    """Runs of `classify` on one folder of crops, one of them damaged, in units of a few files."""

    def __init__(self, folder: Folder, model: Path, tmp_path: Path) -> None:
        self.folder, self.model, self.path = folder, model, tmp_path
        self.home = tmp_path / "home"
        self.home.mkdir()
        for number in range(PHOTOS):
            folder.noise(f"{number % 3}/{number}.png", seed=number)
        folder.file("damaged.jpg")

    def start(self, out: str, *options: str, unit: int = 12) -> subprocess.Popen[str]:
        """Start a run into a directory; its home folder is empty."""
        program = [sys.executable, "-m", "labeler", "classify", self.folder.path, "--out", f"{self.path / out}/"]
        settings = ["--unit-size", str(unit), "--model", self.model, "--faces", "whole", "--quiet"]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
        return subprocess.Popen(
            [*program, *settings, *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment | {"HOME": str(self.home), "PYTHONPATH": str(ROOT)},
        )

    def done(self, out: str, *options: str, unit: int = 12) -> tuple[int, str, str]:
        """Do a run; return its exit code, and what it wrote to stdout and stderr."""
        run = self.start(out, *options, unit=unit)
        output, errors = run.communicate(timeout=LIMIT_S)
        return run.returncode, output, errors

    def table(self, out: str) -> str:
        """Return the table of a directory as CSV."""
        target = self.path / f"{out}.csv"
        program = [sys.executable, "-m", "labeler", "merge", f"{self.path / out}/", "--out", str(target), "--quiet"]
        subprocess.run(program, check=True, env=os.environ | {"PYTHONPATH": str(ROOT)})
        return target.read_text("utf-8")

    def wait_for_parts(self, out: str, count: int) -> None:
        """Wait until there are some parts."""
        parts = self.path / out / "parts"
        while not parts.exists() or sum(part.suffix == ".parquet" for part in parts.iterdir()) < count:
            time.sleep(0.1)


@pytest.fixture
def runs(folder: Folder, model: Path, tmp_path: Path) -> Runs:
    return Runs(folder, model, tmp_path)


@pytest.fixture
def nodes() -> Iterator[Nodes]:
    """A cluster with a head and two nodes of a core each."""
    with tempfile.TemporaryDirectory(prefix="r", ignore_cleanup_errors=True) as place:
        cluster = Nodes(place, 2)
        yield cluster
        cluster.end()


@pytest.mark.heavy
def test_the_table_is_that_of_this_machine_and_the_home_folder_stays_empty(runs: Runs) -> None:
    assert runs.done("local")[0] == 1

    assert runs.done("ray", "--engine", "ray") == (1, "", "")
    assert runs.table("ray") == runs.table("local")
    assert list(runs.home.iterdir()) == []


@pytest.mark.slow
def test_a_killed_node_changes_no_row(runs: Runs, nodes: Nodes) -> None:
    runs.done("local", unit=1)
    run = runs.start("ray", "--engine", "ray", "--address", nodes.address, unit=1)
    runs.wait_for_parts("ray", 3)
    nodes.tell("kill")
    output, errors = run.communicate(timeout=LIMIT_S)

    assert (run.returncode, output, errors) == (1, "", "")
    assert runs.table("ray") == runs.table("local")


@pytest.mark.slow
def test_a_killed_driver_changes_no_row(runs: Runs, nodes: Nodes) -> None:
    runs.done("local", unit=1)
    run = runs.start("ray", "--engine", "ray", "--address", nodes.address, unit=1)
    runs.wait_for_parts("ray", 3)
    run.kill()
    run.communicate()

    assert runs.done("ray", "--engine", "ray", "--address", nodes.address, unit=1) == (1, "", "")
    assert runs.table("ray") == runs.table("local")


def test_an_address_without_the_engine_is_refused(runs: Runs) -> None:
    code, _, errors = runs.done("out", "--address", "auto")

    assert code == 2
    assert "--engine ray" in errors


def test_the_engine_wants_a_directory(runs: Runs, tmp_path: Path) -> None:
    program = [sys.executable, "-m", "labeler", "classify", runs.folder.path, "--out", tmp_path / "labels.csv"]
    run = subprocess.run([*program, "--engine", "ray"], capture_output=True, text=True)

    assert run.returncode == 2
    assert "--out" in run.stderr


@pytest.mark.heavy
def test_a_network_that_mixes_the_images_of_a_run_gives_the_rows_of_one_machine(folder: Folder, tmp_path: Path) -> None:
    runs = Runs(folder, quantised(tmp_path / "mixes.onnx", dynamic=True), tmp_path)
    for out, unit, options in (("local", 7, ("--batch-size", "1")), ("ray", 30, ("--engine", "ray"))):
        assert runs.done(out, *options, unit=unit)[0] == 1

    assert runs.table("ray") == runs.table("local")
