"""Wherever the work runs, the results are the same and in order."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from labeler import executors
from labeler.errors import OutputError


def slow_first(batch: Sequence[str]) -> tuple[str, int]:
    if batch[0] == "0":
        time.sleep(0.3)
    return batch[0], os.getpid()


def refuse(batch: Sequence[str]) -> str:
    if batch[0] == "3":
        raise ValueError("batch 3 is refused")
    return batch[0]


def die(batch: Sequence[str]) -> str:
    if batch[0] == "3":
        os.kill(os.getpid(), signal.SIGKILL)
    return batch[0]


def batches(count: int) -> list[list[str]]:
    return [[str(index)] for index in range(count)]


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_results_come_in_the_order_of_the_batches(workers: int) -> None:
    results = executors.in_order(slow_first, batches(20), workers)

    assert [name for name, _ in results] == [str(index) for index in range(20)]


def test_one_worker_and_one_batch_run_in_this_process() -> None:
    here = {pid for _, pid in executors.in_order(slow_first, batches(3), 1)}
    single = {pid for _, pid in executors.in_order(slow_first, batches(1), 4)}

    assert here == single == {os.getpid()}


def test_several_workers_are_processes_of_their_own() -> None:
    pids = {pid for _, pid in executors.in_order(slow_first, batches(20), 2)}

    assert os.getpid() not in pids


def test_batches_are_taken_only_as_they_are_needed() -> None:
    taken = 0

    def counted() -> Iterator[list[str]]:
        nonlocal taken
        for batch in batches(1000):
            taken += 1
            yield batch

    results = executors.in_order(slow_first, counted(), 2)
    next(results)

    assert taken <= 10


@pytest.mark.parametrize("workers", [1, 2])
def test_what_a_task_raises_reaches_the_caller(workers: int) -> None:
    with pytest.raises(ValueError, match="batch 3 is refused"):
        list(executors.in_order(refuse, batches(6), workers))


def test_a_worker_that_dies_stops_the_run_with_a_clear_error() -> None:
    with pytest.raises(OutputError, match="a worker process died"):
        list(executors.in_order(die, batches(6), 2))


def test_when_the_run_is_killed_its_processes_end_too(tmp_path: Path) -> None:
    script = (
        "import itertools, sys; sys.path.insert(0, sys.argv[1]); import test_executors as t\n"
        "if __name__ == '__main__':\n"
        "    for _ in t.executors.in_order(t.slow_first, ([str(n)] for n in itertools.count(1)), 2): print(flush=True)"
    )
    (tmp_path / "endless.py").write_text(script)
    command = [sys.executable, tmp_path / "endless.py", str(Path(__file__).parent)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True)
    assert process.stdout
    process.stdout.readline()
    assert len(members(process.pid)) >= 3
    process.kill()
    process.wait()
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


def test_the_cores_are_those_this_process_may_use() -> None:
    assert executors.cores() == len(os.sched_getaffinity(0))
