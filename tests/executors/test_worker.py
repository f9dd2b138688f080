"""Workers are set up as we need them; a process that somebody else started stays as it is."""

from __future__ import annotations

import io
import multiprocessing
import os
import shutil
import signal
import struct
import subprocess
import sys
from multiprocessing.connection import Connection
from pathlib import Path

import pytest
from conftest import ROOT, Folder
from PIL import Image

import labeler
from labeler.records import Settings
from labeler.tables import reader


def slow_picture(folder: Folder) -> Path:
    """A JPEG whose 500 scans take about a second of processor time."""
    stream = io.BytesIO()
    Image.new("L", (5000, 5000)).save(stream, "JPEG", progressive=True)
    scan = b"\xff\xda" + struct.pack(">HBBBBBB", 8, 1, 1, 0, 1, 63, 0x10)
    return folder.file("slow.jpg", stream.getvalue()[:-2] + scan * 500 + b"\xff\xd9")


def own_state() -> list[object]:
    """Return what a worker of ours would have changed."""
    handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGPROF)]
    timer = signal.getitimer(signal.ITIMER_PROF)[0] > 100
    return [handlers, timer, signal.pthread_sigmask(signal.SIG_BLOCK, ()), *os.fstat(2)[1:3], sys.stderr]


def as_a_guest(folder: Path, model: Path, answers: Connection) -> None:
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_PROF, 500)  # A profiler's.
    before = own_state()
    rows = list(labeler.label(folder, Settings(model=str(model))))
    answers.send(([str(row.status) for row in rows], own_state() == before))


def test_a_child_process_of_somebody_else_is_not_changed_and_may_take_its_time(folder: Folder, model: Path) -> None:
    slow_picture(folder)
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=as_a_guest, args=(folder.path, model, sender))
    process.start()
    sender.close()
    answer = receiver.recv() if receiver.poll(120) else None
    process.join(60)

    assert (process.exitcode, answer) == (0, (["no_face"], True))


@pytest.fixture
def photos(folder: Folder) -> Folder:
    """Eight pictures; two workers have something to do."""
    for number in range(8):
        folder.noise(f"{number}.jpg", seed=number)
    return folder


def classify(photos: Folder, model: Path, *before: str, workers: int = 2, **environment: str) -> tuple[int, str, int]:
    """Run the command, perhaps by another; return its exit code, what it said, and how many rows there are."""
    out = photos.path.parent / "t.csv"
    given = ["-m", "labeler", "classify", photos.path, "-o", out, "--model", model, "--workers", workers]
    command = [*before, sys.executable, *map(str, given), "--batch-size", "2", "--quiet"]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=ROOT, env={**os.environ, **environment}, timeout=120
    )
    return done.returncode, done.stderr, len(list(reader.read(out))) if out.exists() else 0


@pytest.mark.parametrize("length", [60, 75, 90, 200])
def test_the_folder_for_temporary_files_may_have_a_long_path(photos: Folder, model: Path, length: int) -> None:
    place = photos.path.parent / "x"
    place = place.with_name("x" * max(length - len(os.fsencode(place.parent)) - 1, 1))
    place.mkdir()

    assert classify(photos, model, TMPDIR=str(place)) == (0, "", 8)
    assert list(place.iterdir()) == []


def without_shared_memory(how: str) -> list[str]:
    """Return what runs a command where /dev/shm is as it is on some hosts and in some containers."""
    started = ["unshare", "-m", "sh", "-c", f'{how} && exec "$@"', "sh"]
    if not shutil.which("unshare") or subprocess.run([*started, "true"], capture_output=True, check=False).returncode:
        pytest.skip("this user may not mount anything in a namespace of its own")
    return started


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize(
    ("how", "why"),
    [
        ("mount -t tmpfs -o ro none /dev/shm", "[Errno 30] Read-only file system"),
        ("mount -t tmpfs -o size=4k none /dev && mknod -m 666 /dev/null c 1 3", "[Errno 2] No such file or directory"),
    ],
    ids=["read-only", "missing"],
)
def test_without_semaphores_the_work_runs_in_this_process(
    photos: Folder, model: Path, how: str, why: str, workers: int
) -> None:
    expected = f"labeler: no worker processes, everything runs in this one: {why}\n"

    assert classify(photos, model, *without_shared_memory(how), workers=workers) == (0, expected, 8)


def hooked(photos: Folder, hook: str) -> str:
    """Return the PYTHONPATH with which every process of a command runs some code before anything else."""
    hooks = photos.path.parent / "hooks"
    hooks.mkdir()
    (hooks / "sitecustomize.py").write_text(hook)
    return f"{hooks}{os.pathsep}{ROOT}"


def test_where_python_has_no_semaphores_the_work_runs_in_this_process(photos: Folder, model: Path) -> None:
    path = hooked(photos, "import _multiprocessing; del _multiprocessing.SemLock")
    code, said, rows = classify(photos, model, workers=1, PYTHONPATH=path)

    assert (code, rows, said.count("\n")) == (0, 8, 1)
    assert said.startswith("labeler: no worker processes, everything runs in this one: ")


DIES = """
import os, sys

class Die:
    def find_spec(self, name, path=None, target=None):
        if name == "labeler.labeling":  # Which the command line's own process never loads.
            os._exit(1)

sys.meta_path.insert(0, Die())
"""


@pytest.mark.parametrize("workers", [1, 2])
def test_when_workers_die_while_they_start_one_line_says_so(photos: Folder, model: Path, workers: int) -> None:
    code, said, rows = classify(photos, model, workers=workers, PYTHONPATH=hooked(photos, DIES))

    assert (code, rows, said.count("\n")) == (5, 0, 1)
    assert said.startswith("labeler: worker processes die while they start. Perhaps memory is short")
