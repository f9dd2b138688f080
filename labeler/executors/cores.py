"""Count the cores that this process may use."""

from __future__ import annotations

import contextlib
import math
import os
from pathlib import Path


def cores() -> int:
    """Return how many cores this process may use: by its affinity, and by the quota of its container."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return math.ceil(min(count, quota(Path("/proc/self/cgroup"), Path("/sys/fs/cgroup")))) or 1


def quota(membership: Path, mounted: Path) -> float:
    """Return how many cores' time control groups grant this process; infinity without a limit.

    See "CPU Interface Files" in the Linux kernel's documentation of control groups, version 2; of version 1 only the
    group that a container sees as its own is known.
    """
    granted = [math.inf]
    for group in own_groups(membership, mounted):
        granted += _granted(group / "cpu.max")
    with contextlib.suppress(OSError, ValueError):
        limit, period = (int((mounted / "cpu" / f"cpu.cfs_{name}_us").read_text()) for name in ("quota", "period"))
        granted += [limit / period] if limit > 0 else []
    return min(granted)


def own_groups(membership: Path, mounted: Path) -> list[Path]:
    """Return the folders of the control group, of version 2, that this process is a member of, and of those around it.

    There is none where it is in no such group.
    """
    with contextlib.suppress(OSError, ValueError):
        for line in membership.read_text().splitlines():
            if line.startswith("0::"):
                own = mounted / line[3:].strip("/")
                return [group for group in (own, *own.parents) if group.is_relative_to(mounted)]
    return []


def _granted(file: Path) -> list[float]:
    with contextlib.suppress(OSError, ValueError, ZeroDivisionError):
        limit, period = file.read_text().split()
        return [int(limit) / int(period)] if limit != "max" else []
    return []
