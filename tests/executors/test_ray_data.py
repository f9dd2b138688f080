"""Units in Ray actors, on real clusters: each is done once, whatever is killed, and nothing is left behind."""

from __future__ import annotations

import atexit
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT
from kills import gone
from ray_cluster_of_nodes import LIMIT_S, Nodes

pytest.importorskip("ray")


class Driver:
    """A run of `ray_driver`; its home folder and its folder for temporary files are empty before."""

    def __init__(self, folder: Path, address: str, units: int, seconds: float, *ending: int) -> None:
        self.out, self.home = folder / "out", folder / "home"
        self.home.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="r") as self.temporary:  # Short: sockets lie there.
            pass
        os.mkdir(self.temporary)
        atexit.register(shutil.rmtree, self.temporary, ignore_errors=True)  # Tests look into it behind the run.
        program = [sys.executable, ROOT / "tests" / "ray_driver.py", address, self.out, str(units), str(seconds)]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
        self._errors = folder / "errors"
        with self._errors.open("w") as errors:
            self.process = subprocess.Popen(
                [*program, *map(str, ending)],
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                env=environment | {"HOME": str(self.home), "TMPDIR": self.temporary, "PYTHONPATH": str(ROOT)},
                start_new_session=True,
            )

    def answers(self, count: int) -> list[dict[str, Any]]:
        """Return the next answers, as they come."""
        assert self.process.stdout
        lines = [self.process.stdout.readline() for _ in range(count)]
        return [json.loads(line) for line in lines if line]

    def end(self) -> tuple[list[dict[str, Any]], str]:
        """Wait for the end; return the answers that are left and what it wrote to stderr."""
        assert self.process.stdout
        with self.process.stdout as stdout:
            answers = stdout.read()  # Not communicate(): it passes over what `answers` has read ahead.
        self.process.wait(timeout=LIMIT_S)
        return [json.loads(line) for line in answers.splitlines()], self._errors.read_text()

    def files(self) -> dict[str, str]:
        """Return the content of each file that a unit put."""
        return {path.name: path.read_text() for path in self.out.iterdir()}


def whole(units: int) -> dict[str, str]:
    """Return what `Driver.files` is to be."""
    return {f"{unit:08}": str(unit) for unit in range(units)}


@pytest.fixture
def nodes() -> Iterator[Nodes]:
    """A cluster with a head and two nodes of a core each."""
    with tempfile.TemporaryDirectory(prefix="r", ignore_cleanup_errors=True) as folder:
        cluster = Nodes(folder, 2)
        yield cluster
        cluster.end()


@pytest.fixture(scope="module")
def private(tmp_path_factory: pytest.TempPathFactory) -> tuple[Driver, list[dict[str, Any]], str]:
    """A finished run on a private cluster: 6 units, the third of which ends the process below its actor."""
    driver = Driver(tmp_path_factory.mktemp("private"), "private", 6, 0, 2)
    return driver, *driver.end()


@pytest.mark.heavy
def test_each_unit_is_answered_once(private: tuple[Driver, list[dict[str, Any]], str]) -> None:
    driver, answers, errors = private

    assert (sorted(answer["unit"] for answer in answers), errors) == ([*range(6)], errors)
    assert driver.files() == whole(6)


@pytest.mark.heavy
def test_a_crash_below_an_actor_costs_neither_actor_nor_unit(
    private: tuple[Driver, list[dict[str, Any]], str],
) -> None:
    _, answers, _ = private

    assert [answer["unit"] for answer in answers if answer["below"] == -1] == [2]


@pytest.mark.heavy
def test_a_private_cluster_leaves_nothing_behind(private: tuple[Driver, list[dict[str, Any]], str]) -> None:
    driver, answers, _ = private

    assert list(driver.home.iterdir()) == []
    assert os.listdir(driver.temporary) == []
    assert all(gone(answer[name]) for answer in answers for name in ("actor", "below") if answer[name] > 0)


@pytest.mark.slow
def test_an_interrupt_keeps_what_is_done_and_ends_everything(tmp_path: Path) -> None:
    driver = Driver(tmp_path, "private", 100, 0.5)
    (first,) = driver.answers(1)
    os.killpg(driver.process.pid, signal.SIGINT)  # As Ctrl-C, which reaches Ray's processes, too.
    _, errors = driver.end()
    assert gone(first["actor"])
    assert gone(first["below"])

    assert "KeyboardInterrupt" in errors
    assert 0 < len(driver.files()) < 100
    assert os.listdir(driver.temporary) == []


@pytest.mark.slow
def test_a_killed_driver_of_a_private_cluster_takes_it_along_and_the_same_command_continues(tmp_path: Path) -> None:
    killed = Driver(tmp_path, "private", 20, 0.2)
    (first,) = killed.answers(1)
    killed.process.kill()
    killed.end()

    assert gone(first["actor"])
    assert gone(first["below"])
    again = Driver(tmp_path, "private", 20, 0.2)
    answers, errors = again.end()
    assert (len(answers) < 20, again.process.returncode) == (True, 0), errors
    assert again.files() == whole(20)


@pytest.mark.slow
def test_a_killed_actor_costs_the_repetition_of_its_units(nodes: Nodes, tmp_path: Path) -> None:
    driver = Driver(tmp_path, nodes.address, 30, 0.3)
    some = driver.answers(4)
    os.kill(some[-1]["actor"], signal.SIGKILL)
    answers, errors = driver.end()

    assert gone(some[-1]["below"])
    assert sorted(answer["unit"] for answer in some + answers) == [*range(30)], errors
    assert driver.files() == whole(30)


@pytest.mark.slow
def test_a_killed_node_costs_the_repetition_of_its_units(nodes: Nodes, tmp_path: Path) -> None:
    driver = Driver(tmp_path, nodes.address, 30, 0.3)
    some = driver.answers(4)
    nodes.tell("kill")
    answers, errors = driver.end()

    assert sorted(answer["unit"] for answer in some + answers) == [*range(30)], errors
    assert driver.files() == whole(30)


@pytest.mark.slow
def test_a_killed_driver_of_a_cluster_loses_nothing(nodes: Nodes, tmp_path: Path) -> None:
    killed = Driver(tmp_path, nodes.address, 30, 0.2)
    killed.answers(3)
    killed.process.kill()
    killed.end()
    again = Driver(tmp_path, nodes.address, 30, 0.2)
    answers, errors = again.end()

    assert (len(answers) < 30, again.process.returncode) == (True, 0), errors
    assert again.files() == whole(30)


@pytest.mark.slow
def test_a_node_that_joins_is_used(nodes: Nodes, tmp_path: Path) -> None:
    driver = Driver(tmp_path, nodes.address, 250, 0.2)
    some = driver.answers(4)
    nodes.tell("add")
    answers, errors = driver.end()

    assert len({answer["actor"] for answer in some + answers}) == 3, errors
    assert driver.files() == whole(250)


@pytest.mark.heavy
@pytest.mark.parametrize(
    ("address", "told"),
    [("127.0.0.1:1", "no Ray cluster answers at 127.0.0.1:1"), ("ray://127.0.0.1:10001", "ray job submit")],
)
def test_an_address_that_cannot_be_joined_is_an_error_that_says_so(tmp_path: Path, address: str, told: str) -> None:
    driver = Driver(tmp_path, address, 1, 0)
    _, errors = driver.end()

    assert driver.process.returncode == 2
    assert told in errors
