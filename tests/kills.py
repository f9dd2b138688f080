"""Processes that are killed in the middle of what they do, at a step that the test chooses."""

from __future__ import annotations

import os
import signal
import sys
import traceback
from collections.abc import Callable

STEPS = {
    "open",
    "shutil.copyfile",
    "os.link",
    "os.symlink",
    "os.rename",
    "os.remove",
    "os.mkdir",
    "os.rmdir",
    "os.utime",
}


def killed(step: int, deed: Callable[[], object]) -> bool:
    """Run the deed in a process of its own, killed before its ``step``-th change to files; False if it ends first."""
    child = os.fork()
    if child == 0:
        _die_before(step)
        try:
            deed()
        except BaseException:  # noqa: BLE001 - the child must not run on as a second pytest
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    assert status in (0, signal.SIGKILL)
    return status != 0


def _die_before(step: int) -> None:
    left = step

    def count(event: str, _: object) -> None:
        nonlocal left
        if event in STEPS:
            left -= 1
            if left < 0:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(count)
