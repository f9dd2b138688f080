"""What the benchmarks print: the machine, what each one measures, and goals beside results."""

from __future__ import annotations

import io
import os
import platform
import shlex
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TextIO

from options import Options
from processes import ROOT

PACKAGES = (
    "labeler",
    "numpy",
    "onnxruntime",
    "opencv-python-headless",
    "pillow",
    "pyarrow",
    "keras",
    "tensorflow",
)

TIMES = "{:.2f}x"
SHARE = "{:.1%}"
SECONDS = "{:.2f} s"
MEGABYTES = "{:.0f} MB"

SHIPPED = "the network that ships (`default`)"
DOCUMENTED = "the documented network"
NO_NETWORK = "no network runs"
"""What a heading says of the network."""

UNKNOWN_MEMORY = "Peak memory: not measured (it needs Linux's /proc, worker processes, and more images).\n"


@dataclass(frozen=True, slots=True)
class Goal:
    """A goal and its result, in words."""

    work: str
    beside: str
    """The quantity, or what it is compared with."""
    wanted: str
    reached: str
    met: bool


def at_least(work: str, beside: str, wanted: float, reached: float, unit: str = TIMES) -> Goal:
    """Return the goal to reach at least ``wanted``."""
    return Goal(work, beside, f"at least {unit.format(wanted)}", unit.format(reached), reached >= wanted)


def below(work: str, beside: str, wanted: float, reached: float, unit: str = SECONDS) -> Goal:
    """Return the goal to stay below ``wanted``."""
    return Goal(work, beside, f"below {unit.format(wanted)}", unit.format(reached), reached < wanted)


def at_most(work: str, beside: str, wanted: float, reached: float, unit: str = MEGABYTES) -> Goal:
    """Return the goal to reach at most ``wanted``."""
    return Goal(work, beside, f"at most {unit.format(wanted)}", unit.format(reached), reached <= wanted)


class Kept(io.StringIO):
    """A stream that keeps what is written, and writes it to another stream, too."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__()
        self._stream = stream

    def write(self, text: str) -> int:
        """Write a text to both."""
        self._stream.write(text)
        self._stream.flush()
        return super().write(text)


def print_machine(options: Options) -> None:
    """Print the command, the machine, the versions and the options of all benchmarks."""
    versions = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    shown = [os.path.basename(word) if os.path.isabs(word) else word for word in sys.argv]
    print(f"Command: `python {shlex.join(shown)}`\n")
    print(f"- {cpu()}, {os.cpu_count()} cores, {platform.system()} {platform.machine()}")
    print(f"- Python {platform.python_version()}, {versions}")
    print(f"- runs of each contender, in turn: {options.repetitions}; workers: {options.workers}")
    if options.quick:
        print("- `--quick`: sizes that show that everything works, not how fast it is")
    print()


def print_section(title: str, subject: str, network: str) -> None:
    """Print the heading of a benchmark, and which network it runs.

    The machine's load stands beside it: figures taken beside other work are worth less.
    """
    load = f"; load {os.getloadavg()[0]:.1f} before" if hasattr(os, "getloadavg") else ""
    print(f"## {title}\n\n{subject}; {network}{load}.\n")


def print_not_measured(title: str, why: str) -> None:
    """Print the heading of a benchmark, and why it is skipped."""
    print(f"## {title}\n\nNot measured. Skipped: {why}.\n")


def print_goals(goals: Iterable[Goal]) -> None:
    """Print the goals and results of a benchmark."""
    for goal in goals:
        print(f"- {goal.work}, {goal.beside}: {goal.reached} (goal: {goal.wanted}, {verdict(goal)}).")
    print()


def print_summary(goals: Iterable[Goal]) -> None:
    """Print the goals and results of all benchmarks as a table."""
    print("| work | measured | goal | reached | |\n|---|---|---|---|---|")
    for goal in goals:
        print(f"| {goal.work} | {goal.beside} | {goal.wanted} | {goal.reached} | {verdict(goal)} |")
    print()


def command_line(command: Sequence[str], scratch: Path) -> str:
    """Return a command as a user would type it, without the folders of this run and of this machine."""
    words = [word.removeprefix(f"{scratch}/").removeprefix(f"{ROOT}/") for word in command]
    words = [os.path.basename(word) if os.path.isabs(word) else word for word in words]
    words[0] = Path(words[0]).name
    if words[1:3] == ["-m", "labeler"]:
        words[:3] = ["labeler"]
    return f"`{shlex.join(words)}`"


def version(package: str) -> str:
    """Return the installed version of a package."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "(not installed)"


def cpu() -> str:
    """Return the processor's name where the system reports it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or "unknown processor")


def verdict(goal: Goal) -> str:
    """Say in a word whether a goal is met."""
    return "met" if goal.met else "missed"
