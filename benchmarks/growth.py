"""Measure whether `labeler classify` takes more memory or slows down with the number of images."""

from __future__ import annotations

import shutil
from operator import attrgetter
from pathlib import Path

import crops
from contenders import Contender, print_times, take_turns
from options import Options
from processes import classify
from report import DOCUMENTED, MEGABYTES, SHARE, UNKNOWN_MEMORY, Goal, at_least, below, print_goals, print_section

COUNT, QUICK_COUNT = 100_000, 2_000
TIMES = 10

RATE_GOAL = 0.95
MEMORY_GOAL_MB = 30.0


def measure(options: Options) -> list[Goal]:
    """Run labeler in turn on some crops and on ten times as many."""
    count = options.size(COUNT, QUICK_COUNT)
    originals = crops.files(crops.tree(options))
    folder, one = options.scratch / "grown", options.scratch / "one_row"
    for number in range(TIMES):
        crops.link(originals, count, folder / str(number))
    crops.link(originals, 1, one)
    few = contender(folder / "0", count, one, options)
    many = contender(folder, count * TIMES, one, options)

    subject = f"{count:,} crops 48x48, and ten hard links to each in as many folders"
    print_section("Growth", subject, DOCUMENTED)
    take_turns([few, many], options.repetitions)
    print_times([few, many], options.scratch)
    shutil.rmtree(folder)  # A million names, which the system would keep cached.
    started = many.rate_once_started / few.rate_once_started
    goals = [
        at_least(many.name, f"rate beside {few.name}", RATE_GOAL, many.rate / few.rate, SHARE),
        at_least(many.name, f"rate beside {few.name}, both once started", RATE_GOAL, started, SHARE),
        *print_memory(few, many),
    ]
    print_goals(goals)
    return goals


def contender(folder: Path, count: int, one: Path, options: Options) -> Contender:
    """Return labeler on a folder, and on one with a single image."""
    choices = ("--faces", "whole", "--workers", str(options.workers), "--model", "documented")
    table = options.scratch / "grown.csv"
    return Contender(f"{count:,} rows", classify(folder, table, *choices), count, table, classify(one, table, *choices))


def print_memory(few: Contender, many: Contender) -> list[Goal]:
    """Print the largest peaks of both; return the goals for their difference, if it could be measured."""
    if not all(run.worker_peak_mb for run in (*few.runs, *many.runs)):
        print(UNKNOWN_MEMORY)
        return []
    print(f"| peak memory, MB | {few.name} | {many.name} |\n|---|---|---|")
    goals = []
    for what, peak in (("first process", attrgetter("own_peak_mb")), ("largest worker", attrgetter("worker_peak_mb"))):
        small, large = (max(map(peak, contender.runs)) for contender in (few, many))
        print(f"| {what} | {small:.0f} | {large:.0f} |")
        beside = f"more memory than {few.name}, {what}"
        goals.append(below(many.name, beside, MEMORY_GOAL_MB, large - small, MEGABYTES))
    print()
    return goals
