"""Whole processes that run in turn, and the table of their times."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from processes import Run, finish, median
from report import command_line


@dataclass(slots=True)
class Contender:
    """A command for ``count`` images, and perhaps the same command for one of them."""

    name: str
    command: list[str]
    count: int = 1
    table: Path = Path()
    """The table that it writes."""
    one: list[str] = field(default_factory=list)
    runs: list[Run] = field(default_factory=list)
    starts: list[Run] = field(default_factory=list)

    def take_turn(self) -> None:
        """Run once."""
        if self.one:
            self.starts.append(finish(self.one))
        self.runs.append(finish(self.command))

    @property
    def seconds(self) -> float:
        """Return the median time of the whole process in seconds."""
        return median(self.runs)

    @property
    def rate(self) -> float:
        """Return images per second of the whole process."""
        return self.count / self.seconds

    @property
    def rate_once_started(self) -> float:
        """Return images per second without the time that a process with one image takes."""
        working_s = self.seconds - median(self.starts)
        return (self.count - 1) / working_s if working_s > 0 else math.nan


def take_turns(contenders: Iterable[Contender], repetitions: int) -> None:
    """Run all contenders in turn, ``repetitions`` times."""
    every = list(contenders)
    for number in range(repetitions):
        for contender in every:
            print(f"  {number + 1} of {repetitions}: {contender.name}", file=sys.stderr)
            contender.take_turn()


def times_as_fast(contender: Contender, other: Contender) -> float:
    """Return the ratio of the rates of two contenders."""
    return contender.rate / other.rate


def print_times(contenders: Sequence[Contender], scratch: Path) -> None:
    """Print the medians, with and without the time for one image where it was measured, and the commands."""
    started = any(contender.starts for contender in contenders)
    columns = ["whole process", "median s", *(["images/s"] if contenders[0].count > 1 else [])]
    columns += ["with one, s", "images/s once started"] if started else []
    print(f"| {' | '.join([*columns, 'every run, s'])} |\n|{'---|' * (len(columns) + 1)}")
    for contender in contenders:
        cells = [contender.name, f"{contender.seconds:.2f}"]
        cells += [rounded(contender.rate)] if contender.count > 1 else []
        if contender.starts:
            cells += [f"{median(contender.starts):.2f}", rounded(contender.rate_once_started)]
        cells += [""] * (len(columns) - len(cells))
        print(f"| {' | '.join([*cells, ', '.join(f'{run.seconds:.2f}' for run in contender.runs)])} |")
    print()
    for contender in contenders:
        print(f"- {contender.name}: {command_line(contender.command, scratch)}")
    print()


def rounded(rate: float) -> str:
    """Return a rate, below 100 with one decimal."""
    return f"{rate:,.0f}" if rate >= 100 else f"{rate:.1f}"
