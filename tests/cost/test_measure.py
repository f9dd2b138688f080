"""The measured sample: its time is that of a core that nobody else wants."""

from __future__ import annotations

import os
import time
from contextlib import closing
from pathlib import Path

import pytest

from labeler.cost import clock
from labeler.cost.clock import Clock
from labeler.cost.measure import Measured


def measured(*seconds: float, wall_s: float = 10.0, cpu_s: float = 1.0) -> Measured:
    return Measured(seconds=seconds, wall_s=wall_s, cpu_s=cpu_s, size=8, rows=())


def test_the_interval_holds_the_mean_and_is_always_the_same() -> None:
    found = measured(*(0.1 * one for one in range(1, 51)))
    low, high = found.interval_s

    assert low < found.mean_s < high
    assert found.interval_s == (low, high)


def test_photos_that_are_alike_have_a_narrow_interval() -> None:
    assert measured(2.0, 2.0, 2.0).interval_s == (2.0, 2.0)


def test_waiting_for_files_and_for_a_core_are_told_apart() -> None:
    found = measured(2.0, 2.0, wall_s=16.0, cpu_s=1.0)

    assert (found.waited, found.crowded, found.bytes_per_s) == (0.75, 0.75, 2.0)


def test_waiting_for_a_file_counts() -> None:
    with closing(Clock()) as read:
        before = read()
        time.sleep(0.05)

        assert read() - before > 0.01


@pytest.mark.skipif(not Path("/proc/thread-self/schedstat").exists(), reason="Linux tells it")
def test_the_clock_is_behind_the_wall_clock_by_the_delay() -> None:
    with closing(Clock()) as read:
        assert read.delayed() > 0
        assert read() < time.perf_counter()


def test_where_nothing_is_told_it_is_the_wall_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "_STATISTICS", os.devnull + "/none")
    with closing(Clock()) as read:
        before = time.perf_counter()

        assert read.delayed() == 0
        assert before <= read() <= time.perf_counter()
