"""Wherever the work runs, the results are the same and in order."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from labeler.errors import OutputError
from labeler.executors.executor import Executor, InProcess
from labeler.executors.processes import Processes


def slow_first(batch: Iterable[str]) -> tuple[str, int]:
    (item,) = batch
    if item == "0":
        time.sleep(0.3)
    return item, os.getpid()


def refuse(batch: Iterable[str]) -> str:
    (item,) = batch
    if item == "3":
        raise ValueError("batch 3 is refused")
    return item


def die(batch: Iterable[str]) -> str:
    (item,) = batch
    if item == "3":
        os.kill(os.getpid(), signal.SIGKILL)
    return item


def processes(workers: int, lost: Callable[[str, str], Any] | None = None) -> Processes[Any]:
    return Processes(workers, lost, preload=("cv2", __name__))


def stand_in(item: str, reason: str) -> list[str]:
    return [f"{item}: {reason}"]


def make(task: Callable[[Iterable[str]], Any]) -> Callable[[Iterable[str]], Any]:
    return task


def not_made() -> Callable[[Iterable[str]], Any]:
    raise ValueError("there is no model")


def batches(count: int) -> list[list[str]]:
    return [[str(index)] for index in range(count)]


EXECUTORS: list[Executor[Any]] = [InProcess(), processes(1), processes(2), processes(3)]


@pytest.mark.parametrize("executor", EXECUTORS, ids=str)
def test_results_come_in_the_order_of_the_batches(executor: Executor[tuple[str, int]]) -> None:
    results = executor.map(partial(make, slow_first), batches(20))

    assert [name for name, _ in results] == [str(index) for index in range(20)]


def test_the_executor_in_this_process_starts_no_other() -> None:
    executor: InProcess[tuple[str, int]] = InProcess()

    assert {pid for _, pid in executor.map(partial(make, slow_first), batches(3))} == {os.getpid()}


@pytest.mark.parametrize(("workers", "count"), [(1, 20), (2, 20), (4, 1)], ids=["one worker", "two", "one batch"])
def test_workers_are_processes_of_their_own_and_no_more_than_there_are_batches(workers: int, count: int) -> None:
    pids = {pid for _, pid in processes(workers).map(partial(make, slow_first), batches(count))}

    assert os.getpid() not in pids
    assert 1 <= len(pids) <= min(workers, count)


@pytest.mark.parametrize("workers", [1, 2])
def test_batches_are_taken_only_as_they_are_needed(workers: int) -> None:
    taken = 0

    def counted() -> Iterator[list[str]]:
        nonlocal taken
        for batch in batches(1000):
            taken += 1
            yield batch

    next(processes(workers).map(partial(make, slow_first), counted()))

    assert taken <= 10


@pytest.mark.parametrize("executor", EXECUTORS, ids=str)
def test_what_a_task_raises_reaches_the_caller(executor: Executor[str]) -> None:
    with pytest.raises(ValueError, match="batch 3 is refused"):
        list(executor.map(partial(make, refuse), batches(6)))


@pytest.mark.parametrize("executor", [InProcess(), processes(2, stand_in)], ids=["in this process", "in others"])
def test_what_making_the_task_raises_reaches_the_caller(executor: Executor[Any]) -> None:
    with pytest.raises(ValueError, match="there is no model"):
        list(executor.map(not_made, batches(6)))


@pytest.mark.parametrize("workers", [1, 2])
def test_a_worker_that_dies_stops_the_run_with_a_clear_error_when_nothing_can_stand_for_its_item(workers: int) -> None:
    with pytest.raises(OutputError, match="a worker process died"):
        list(processes(workers).map(partial(make, die), batches(6)))


def die_at_three(batch: Iterable[str]) -> list[str]:
    names = list(batch)
    if "3" in names:
        os.kill(os.getpid(), signal.SIGSEGV)
    return names


def die_at_all(batch: Iterable[str]) -> list[str]:
    os.kill(os.getpid(), signal.SIGKILL)
    return list(batch)


@pytest.mark.parametrize("size", [1, 4, 20, 60])
@pytest.mark.parametrize("workers", [1, 2])
def test_a_crash_costs_the_one_item_that_caused_it(workers: int, size: int) -> None:
    names = [str(number) for number in range(60)]
    given = [names[at : at + size] for at in range(0, 60, size)]
    results = processes(workers, stand_in).map(partial(make, die_at_three), given)

    assert [name for result in results for name in result] == [
        *names[:3], "3: reading it ended the process: SIGSEGV", *names[4:],
    ]  # fmt: skip


def die_and_tell(told: str, batch: Iterable[str]) -> list[str]:
    names = list(batch)
    if "3" in names:
        with open(told, "a") as file:
            file.write("died\n")
    return die_at_three(names)


@pytest.mark.parametrize("workers", [1, 2])
def test_finding_it_costs_three_processes_however_large_its_batch_is(tmp_path: Path, workers: int) -> None:
    told = tmp_path / "told"
    given = [[str(number) for number in range(64)], ["64"]]
    list(processes(workers, stand_in).map(partial(make, partial(die_and_tell, str(told))), given))

    assert told.read_text() == "died\n" * 3


@pytest.mark.heavy
@pytest.mark.parametrize("workers", [1, 2])
def test_when_processes_die_whatever_they_are_given_the_run_stops(workers: int) -> None:
    with pytest.raises(OutputError, match="worker processes keep dying"):
        list(processes(workers, stand_in).map(partial(make, die_at_all), batches(60)))


@pytest.mark.parametrize("workers", [1, 2])
def test_when_the_run_is_killed_its_processes_end_too(tmp_path: Path, workers: int) -> None:
    script = (
        "import itertools, sys; sys.path.insert(0, sys.argv[1]); import test_processes as t\n"
        "if __name__ == '__main__':\n"
        "    endless = ([str(n)] for n in itertools.count(1))\n"
        f"    for _ in t.processes({workers}).map(t.partial(t.make, t.slow_first), endless): print(flush=True)"
    )
    (tmp_path / "endless.py").write_text(script)
    command = [sys.executable, tmp_path / "endless.py", str(Path(__file__).parent)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True)
    assert process.stdout
    process.stdout.readline()
    assert len(members(process.pid)) >= 2 + workers  # The first, the fork server and the workers.
    process.kill()
    process.wait()
    process.stdout.close()
    deadline = time.monotonic() + 20
    while members(process.pid) and time.monotonic() < deadline:
        time.sleep(0.05)

    assert members(process.pid) == []


def members(session: int) -> list[str]:
    """Return the processes of a session that have not ended."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # It has ended since.
            state, _, _, of = path.read_text().rpartition(")")[2].split()[:4]
            if int(of) == session and state != "Z":
                found.append(path.parent.name)
    return found
