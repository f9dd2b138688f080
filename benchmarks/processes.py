"""Run commands as whole processes, with the time and the memory that they took."""

from __future__ import annotations

import os
import shlex
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
"""Where commands run: beside the packages, so that a checkout needs no installation."""

LABELER = (sys.executable, "-m", "labeler")
SAMPLE_EVERY_S = 0.2


@dataclass(frozen=True, slots=True)
class Run:
    """One finished process: how long it took and how much memory it and its descendants had at most."""

    seconds: float
    own_peak_mb: float
    worker_peak_mb: float
    """Of the largest descendant. Both are 0 where the system does not tell."""


def classify(pictures: Path, table: Path, *options: str) -> list[str]:
    """Return the command that labels pictures anew and prints nothing."""
    return [*LABELER, "classify", str(pictures), "--out", str(table), "--overwrite", "--quiet", *options]


def floor(pictures: Path, processes: int, *work: str) -> list[str]:
    """Return the command that does nothing but a part of the work; for the parts see the script."""
    return [sys.executable, str(ROOT / "benchmarks" / "floor_script.py"), str(pictures), str(processes), *work]


def warm(files: Iterable[Path]) -> None:
    """Read files once, so that whoever is timed finds them in the page cache."""
    for file in files:
        file.read_bytes()


def median(runs: Sequence[Run]) -> float:
    """Return the median time of some runs in seconds."""
    return statistics.median(run.seconds for run in runs)


def finish(command: Sequence[str]) -> Run:
    """Run a command to its end and return what it took; stop the benchmark when it fails."""
    peaks_kb: dict[int, int] = {}
    done = threading.Event()
    with tempfile.TemporaryFile("w+") as complaints:
        started = time.perf_counter()
        process = subprocess.Popen(command, cwd=ROOT, env=environment(), stdout=subprocess.DEVNULL, stderr=complaints)
        watcher = threading.Thread(target=watch, args=(process.pid, peaks_kb, done))
        watcher.start()
        process.wait()
        seconds = time.perf_counter() - started
        done.set()
        watcher.join()
        if process.returncode != 0:
            complaints.seek(0)
            raise SystemExit(f"{shlex.join(command)} ended with {process.returncode}:\n{complaints.read()}")
    own_mb = peaks_kb.pop(process.pid, 0) / 1024
    return Run(seconds, own_mb, max(peaks_kb.values(), default=0) / 1024)


def environment() -> dict[str, str]:
    """Return the environment, with leave to keep compiled modules, as those of installed packages are."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def watch(pid: int, peaks_kb: dict[int, int], done: threading.Event) -> None:
    """Note the peak memory of a process and its descendants until ``done``; only Linux tells."""
    while not done.wait(SAMPLE_EVERY_S):
        for member in family(pid):
            peaks_kb[member] = max(peaks_kb.get(member, 0), peak_kb(member))


def family(pid: int) -> Iterator[int]:
    """Yield a process and its descendants."""
    children: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        parent = status_field(stat.with_name("status"), "PPid")
        children.setdefault(parent, []).append(int(stat.parent.name))
    waiting = [pid]
    while waiting:
        member = waiting.pop()
        yield member
        waiting += children.get(member, [])


def peak_kb(pid: int) -> int:
    """Return the largest resident memory that a process has had so far; 0 when it is gone."""
    return status_field(Path(f"/proc/{pid}/status"), "VmHWM")


def status_field(status: Path, name: str) -> int:
    """Return a number from a process's status file; 0 when it is not there."""
    try:
        lines = status.read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith(f"{name}:")), 0)
