"""The cores that count are those that this process may use."""

from __future__ import annotations

import math
import os
from pathlib import Path

from labeler.executors.cores import cores, quota


def test_the_cores_are_at_most_those_of_the_affinity() -> None:
    assert 1 <= cores() <= len(os.sched_getaffinity(0))


def groups(folder: Path, **limits: str) -> tuple[Path, Path]:
    """Lay out control groups of version 2 as the kernel does: /outer/inner, of which this process is a member."""
    (folder / "cgroup").write_text("0::/outer/inner\n")
    (folder / "outer" / "inner").mkdir(parents=True)
    for name, limit in limits.items():
        (folder / name.replace("_", "/") / "cpu.max").write_text(limit + "\n")
    return folder / "cgroup", folder


def test_the_smallest_quota_of_a_group_and_those_around_it_counts(tmp_path: Path) -> None:
    assert quota(*groups(tmp_path, outer="150000 100000", outer_inner="400000 100000")) == 1.5


def test_without_a_limit_the_quota_is_infinite(tmp_path: Path) -> None:
    assert quota(*groups(tmp_path, outer_inner="max 100000")) == math.inf


def test_the_quota_of_version_1_counts_too(tmp_path: Path) -> None:
    (tmp_path / "cpu").mkdir()
    (tmp_path / "cpu" / "cpu.cfs_quota_us").write_text("50000")
    (tmp_path / "cpu" / "cpu.cfs_period_us").write_text("100000")

    assert quota(tmp_path / "missing", tmp_path) == 0.5
