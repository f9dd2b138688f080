"""Kill processes (SIGKILL) in the middle of their work, at a step that the test chooses, and see them end."""

from __future__ import annotations

import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from conftest import content_of

from labeler.errors import LabelerError

DEEDS = {
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
"""The audit events of calls that change a folder."""

STEPS = {"write", "truncate", "replace", "unlink", "open", "fsync", "flock", "close"}
"""The system calls by which a run changes files: it can be killed before each of them."""


def killed(step: int, deed: Callable[[], object]) -> bool:
    """Run a deed in a forked process, killed before its ``step``-th change to files; False if it ends first."""
    child = os.fork()
    if child == 0:
        _die_before(step)
        try:
            deed()
        except BaseException:  # noqa: BLE001 - the child must not continue as a second pytest
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
        if event in DEEDS:
            left -= 1
            if left < 0:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(count)


def forked(action: Callable[[], object]) -> int:
    """Run an action in a forked process; return its exit status, or minus the signal that ended it."""
    pid = os.fork()
    if not pid:
        status = 1
        try:
            action()
            status = 0
        except LabelerError as exc:
            status = exc.exit_code
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def gone(process: int, within_s: int = 10) -> bool:
    """Wait until a process has ended; say whether it has."""
    for _ in range(10 * within_s):
        state = content_of(Path(f"/proc/{process}/stat"))
        if not state or state.rpartition(b")")[2].split()[0] == b"Z":
            return True
        time.sleep(0.1)
    return False


def killed_before(step: int, action: Callable[[], object]) -> int:
    """Run an action in a forked process that is killed before its ``step``-th change; return how it ended."""
    left = step

    def note(_: Any, event: str, called: Any) -> None:
        nonlocal left
        if event == "c_call" and called.__name__ in STEPS and not isinstance(called.__self__, str):
            left -= 1
            if left < 0:
                os.kill(os.getpid(), signal.SIGKILL)

    def counted() -> None:
        sys.setprofile(note)
        action()

    return forked(counted)
