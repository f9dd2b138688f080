"""Wherever the work runs, the results are the same and in order."""

from __future__ import annotations

import contextlib
import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from labeler.errors import OutputError
from labeler.executors import processes


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


def make(task: Callable[[Sequence[str]], Any]) -> Callable[[Sequence[str]], Any]:
    return task


def batches(count: int) -> list[list[str]]:
    return [[str(index)] for index in range(count)]


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_results_come_in_the_order_of_the_batches(workers: int) -> None:
    results = processes.in_order(partial(make, slow_first), batches(20), workers)

    assert [name for name, _ in results] == [str(index) for index in range(20)]


def test_one_worker_and_one_batch_run_in_this_process() -> None:
    here = {pid for _, pid in processes.in_order(partial(make, slow_first), batches(3), 1)}
    single = {pid for _, pid in processes.in_order(partial(make, slow_first), batches(1), 4)}

    assert here == single == {os.getpid()}


def test_several_workers_are_processes_of_their_own() -> None:
    pids = {pid for _, pid in processes.in_order(partial(make, slow_first), batches(20), 2)}

    assert os.getpid() not in pids


def test_batches_are_taken_only_as_they_are_needed() -> None:
    taken = 0

    def counted() -> Iterator[list[str]]:
        nonlocal taken
        for batch in batches(1000):
            taken += 1
            yield batch

    results = processes.in_order(partial(make, slow_first), counted(), 2)
    next(results)

    assert taken <= 10


@pytest.mark.parametrize("workers", [1, 2])
def test_what_a_task_raises_reaches_the_caller(workers: int) -> None:
    with pytest.raises(ValueError, match="batch 3 is refused"):
        list(processes.in_order(partial(make, refuse), batches(6), workers))


def test_a_worker_that_dies_stops_the_run_with_a_clear_error_when_nothing_can_stand_for_its_item() -> None:
    with pytest.raises(OutputError, match="a worker process died"):
        list(processes.in_order(partial(make, die), batches(6), 2))


def die_at_three(batch: Sequence[str]) -> list[str]:
    if "3" in batch:
        os.kill(os.getpid(), signal.SIGSEGV)
    return list(batch)


def die_at_all(batch: Sequence[str]) -> list[str]:
    os.kill(os.getpid(), signal.SIGKILL)
    return list(batch)


def stand_in(item: str, reason: str) -> list[str]:
    return [f"{item}: {reason}"]


@pytest.mark.parametrize("size", [1, 4, 20])
def test_a_crash_costs_the_one_item_that_caused_it(size: int) -> None:
    names = [str(number) for number in range(60)]
    given = [names[at : at + size] for at in range(0, 60, size)]
    results = processes.in_order(partial(make, die_at_three), given, 2, stand_in)

    assert [name for result in results for name in result] == [
        *names[:3], "3: SIGSEGV", *names[4:],
    ]  # fmt: skip


def die_and_tell(told: str, batch: Sequence[str]) -> list[str]:
    if "3" in batch:
        with open(told, "a") as file:
            file.write("died\n")
    return die_at_three(batch)


def test_finding_it_costs_three_processes_however_large_its_batch_is(tmp_path: Path) -> None:
    told = tmp_path / "told"
    given = [[str(number) for number in range(64)], ["64"]]
    list(processes.in_order(partial(make, partial(die_and_tell, str(told))), given, 2, stand_in))

    assert told.read_text() == "died\n" * 3


def test_when_processes_die_whatever_they_are_given_the_run_stops() -> None:
    with pytest.raises(OutputError, match="worker processes keep dying"):
        list(processes.in_order(partial(make, die_at_all), batches(60), 2, stand_in))


def test_when_the_run_is_killed_its_processes_end_too(tmp_path: Path) -> None:
    script = (
        "import itertools, sys; sys.path.insert(0, sys.argv[1]); import test_processes as t\n"
        "if __name__ == '__main__':\n"
        "    endless = ([str(n)] for n in itertools.count(1))\n"
        "    for _ in t.processes.in_order(t.partial(t.make, t.slow_first), endless, 2): print(flush=True)"
    )
    (tmp_path / "endless.py").write_text(script)
    command = [sys.executable, tmp_path / "endless.py", str(Path(__file__).parent)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True)
    assert process.stdout
    process.stdout.readline()
    assert len(members(process.pid)) >= 3
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


def test_the_cores_are_at_most_those_of_the_affinity() -> None:
    assert 1 <= processes.cores() <= len(os.sched_getaffinity(0))


def groups(folder: Path, **limits: str) -> tuple[Path, Path]:
    """Lay out control groups of version 2 as the kernel does: /outer/inner, of which this process is a member."""
    (folder / "cgroup").write_text("0::/outer/inner\n")
    (folder / "outer" / "inner").mkdir(parents=True)
    for name, limit in limits.items():
        (folder / name.replace("_", "/") / "cpu.max").write_text(limit + "\n")
    return folder / "cgroup", folder


def test_the_smallest_quota_of_a_group_and_those_around_it_counts(tmp_path: Path) -> None:
    assert processes.quota(*groups(tmp_path, outer="150000 100000", outer_inner="400000 100000")) == 1.5


def test_without_a_limit_the_quota_is_infinite(tmp_path: Path) -> None:
    assert processes.quota(*groups(tmp_path, outer_inner="max 100000")) == math.inf


def test_the_quota_of_version_1_counts_too(tmp_path: Path) -> None:
    (tmp_path / "cpu").mkdir()
    (tmp_path / "cpu" / "cpu.cfs_quota_us").write_text("50000")
    (tmp_path / "cpu" / "cpu.cfs_period_us").write_text("100000")

    assert processes.quota(tmp_path / "missing", tmp_path) == 0.5
