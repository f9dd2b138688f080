"""Run commands as whole processes, and measure their time and peak memory."""

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
"""Working directory of the commands: beside the packages, so that a checkout needs no installation."""

LABELER = (sys.executable, "-m", "labeler")
SAMPLE_EVERY_S = 0.2


@dataclass(frozen=True, slots=True)
class Run:
    """One finished process: its time, and the peak memory of it and of its descendants."""

    seconds: float
    own_peak_mb: float
    worker_peak_mb: float
    """Peak of the largest descendant. Both peaks are 0 where the system does not report them."""
    cpu_s: float
    """Processor time of it and of its descendants, as far as it was seen: the last 0.2 s of a process are not."""


def classify(pictures: Path, table: Path, *options: str) -> list[str]:
    """Return the command that labels photos anew and prints nothing."""
    return [*LABELER, "classify", str(pictures), "--out", str(table), "--overwrite", "--quiet", *options]


def floor(pictures: Path, processes: int, *work: str) -> list[str]:
    """Return the command of the floor, which does only a part of the work; for its arguments see the script."""
    return [sys.executable, str(ROOT / "benchmarks" / "floor_script.py"), str(pictures), str(processes), *work]


def warm(files: Iterable[Path]) -> None:
    """Read files once, so that every timed process finds them in the page cache."""
    for file in files:
        file.read_bytes()


def median(runs: Sequence[Run]) -> float:
    """Return the median time of some runs in seconds."""
    return statistics.median(run.seconds for run in runs)


def finish(command: Sequence[str]) -> Run:
    """Run a command to its end and measure it; stop the benchmark when it fails."""
    peaks_kb: dict[int, int] = {}
    spent_s: dict[int, float] = {}
    done = threading.Event()
    with tempfile.TemporaryFile("w+") as complaints:
        started = time.perf_counter()
        process = subprocess.Popen(command, cwd=ROOT, env=environment(), stdout=subprocess.DEVNULL, stderr=complaints)
        watcher = threading.Thread(target=watch, args=(process.pid, peaks_kb, spent_s, done))
        watcher.start()
        process.wait()
        seconds = time.perf_counter() - started
        done.set()
        watcher.join()
        if process.returncode != 0:
            complaints.seek(0)
            raise SystemExit(f"{shlex.join(command)} ended with {process.returncode}:\n{complaints.read()}")
    own_mb = peaks_kb.pop(process.pid, 0) / 1024
    return Run(seconds, own_mb, max(peaks_kb.values(), default=0) / 1024, sum(spent_s.values()))


def environment() -> dict[str, str]:
    """Return the environment in which Python keeps compiled modules, as it does for installed packages."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def watch(pid: int, peaks_kb: dict[int, int], spent_s: dict[int, float], done: threading.Event) -> None:
    """Record peak memory and processor time of a process and its descendants until ``done``; only Linux reports it."""
    while not done.wait(SAMPLE_EVERY_S):
        for member in family(pid):
            peaks_kb[member] = max(peaks_kb.get(member, 0), peak_kb(member))
            spent_s[member] = max(spent_s.get(member, 0.0), cpu_s(member))


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


def cpu_s(pid: int) -> float:
    """Return the processor time that a process has taken, in seconds; 0 when it is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def peak_kb(pid: int) -> int:
    """Return the peak resident memory of a process (VmHWM); 0 when it is gone."""
    return status_field(Path(f"/proc/{pid}/status"), "VmHWM")


def status_field(status: Path, name: str) -> int:
    """Return a number from a process's status file; 0 when it is missing."""
    try:
        lines = status.read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith(f"{name}:")), 0)
