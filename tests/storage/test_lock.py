"""One at a time, whoever dies, however close together they come."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from labeler.storage.lock import Lock


def test_a_lock_that_is_held_is_refused_and_gone_when_it_is_let_go(tmp_path: Path) -> None:
    lock = Lock(tmp_path / "lock")
    with pytest.raises(BlockingIOError):
        Lock(tmp_path / "lock")
    lock.release()
    lock.release()

    assert os.listdir(tmp_path) == []
    Lock(tmp_path / "lock").release()


def test_a_process_that_was_killed_locks_nobody_out(tmp_path: Path) -> None:
    pid = os.fork()
    if not pid:
        Lock(tmp_path / "lock")
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(pid, 0)

    assert os.listdir(tmp_path) == ["lock"]
    Lock(tmp_path / "lock").release()
    assert os.listdir(tmp_path) == []


def count_up(folder: Path, times: int) -> None:
    """Add one to the number in a file so many times, which goes wrong wherever two do it at once."""
    number = folder / "number"
    for _ in range(times):
        while True:
            try:
                lock = Lock(folder / "lock")
                break
            except BlockingIOError:
                time.sleep(0.0005)
        number.write_text(str(int(number.read_text()) + 1))
        lock.release()


def test_processes_that_take_it_in_turn_never_hold_it_together(tmp_path: Path) -> None:
    (tmp_path / "number").write_text("0")
    pids = []
    for _ in range(4):
        pid = os.fork()
        if not pid:
            try:
                count_up(tmp_path, 50)
            finally:
                os._exit(0)
        pids.append(pid)
    for pid in pids:
        os.waitpid(pid, 0)

    assert (tmp_path / "number").read_text() == "200"
