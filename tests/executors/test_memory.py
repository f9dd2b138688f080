"""The memory that counts is what this machine and the container have left."""

from __future__ import annotations

import math
from pathlib import Path

from labeler.executors.memory import available, limit

GIB = 1 << 30


def group(folder: Path, most: str, anonymous: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "memory.max").write_text(f"{most}\n")
    (folder / "memory.stat").write_text(f"file 99999999999\nanon {anonymous}\ninactive_anon 5\n")


def test_a_machine_has_some_memory_left_and_not_any_amount() -> None:
    assert 1 << 20 < available() < 1 << 50


def test_what_a_container_has_in_use_is_taken_off_its_limit(tmp_path: Path) -> None:
    (tmp_path / "cgroup").write_text("0::/outer/inner\n")
    group(tmp_path / "outer", str(3 * GIB), GIB)
    group(tmp_path / "outer" / "inner", "max", 0)

    assert limit(tmp_path / "cgroup", tmp_path) == 2 * GIB


def test_a_container_over_its_limit_has_nothing_left(tmp_path: Path) -> None:
    (tmp_path / "cgroup").write_text("0::/\n")
    group(tmp_path, str(GIB), 2 * GIB)

    assert limit(tmp_path / "cgroup", tmp_path) == 0


def test_the_limit_of_version_1_counts_too(tmp_path: Path) -> None:
    (tmp_path / "memory").mkdir()
    (tmp_path / "memory" / "memory.limit_in_bytes").write_text(f"{GIB}\n")

    assert limit(tmp_path / "missing", tmp_path) == GIB


def test_without_groups_there_is_no_limit(tmp_path: Path) -> None:
    assert limit(tmp_path / "missing", tmp_path) == math.inf
