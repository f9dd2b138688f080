"""Find out how much memory processes may take."""

from __future__ import annotations

import contextlib
import math
import os
import re
from pathlib import Path

from labeler.executors.cores import own_groups


def available() -> float:
    """Return the bytes of memory that are left for processes: of this machine, and of its container's limit."""
    left = limit(Path("/proc/self/cgroup"), Path("/sys/fs/cgroup"))
    return min(left, _of_machine(Path("/proc/meminfo")))


def limit(membership: Path, mounted: Path) -> float:
    """Return the bytes that control groups leave this process; infinity without a limit.

    See "Memory Interface Files" in the Linux kernel's documentation of control groups, version 2. What a group has of
    files does not count, for it can be dropped; of version 1 only the limit of the group is known that a container sees
    as its own.
    """
    left = [math.inf]
    for group in own_groups(membership, mounted):
        with contextlib.suppress(OSError, ValueError):
            most = int((group / "memory.max").read_text())
            used = re.search(r"^anon (\d+)", (group / "memory.stat").read_text(), re.MULTILINE)
            left.append(max(most - int(used[1] if used else 0), 0))
    with contextlib.suppress(OSError, ValueError):
        left.append(int((mounted / "memory" / "memory.limit_in_bytes").read_text()))
    return min(left)


def _of_machine(told: Path) -> float:
    """Return the bytes that the kernel says are available; all there are, where it does not say, or infinity."""
    with contextlib.suppress(OSError, ValueError):
        if found := re.search(r"^MemAvailable:\s+(\d+) kB", told.read_text(), re.MULTILINE):
            return int(found[1]) * 1024
    with contextlib.suppress(OSError, ValueError, AttributeError):
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return math.inf
