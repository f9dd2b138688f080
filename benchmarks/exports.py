"""Measure `labeler export` without copying pictures, on tables of 100,000 and 1,000,000 faces."""

from __future__ import annotations

from pathlib import Path

import crops
import pages
from contenders import Contender, print_times, take_turns
from options import Options
from processes import LABELER, ROOT
from report import NO_NETWORK, SECONDS, Goal, below, print_goals, print_section

FORMATS = {
    "coco": ("--mode", "none"),
    "label-studio": ("--mode", "none"),
    "parquet": ("--mode", "none"),
    "croissant": (),
    "imagefolder": ("--mode", "symlink"),
}

SIZES = (100_000, 1_000_000)
LONGEST_S, MEMORY_GOAL_MB = 60.0, 300.0
"""What an export of the larger table may take, whatever the format."""


def measure(options: Options) -> list[Goal]:
    """Export both tables in each format that needs no picture's bytes."""
    goals = []
    photos = crops.tree(options)
    names = [file.relative_to(photos).as_posix() for file in crops.files(photos)]
    subject = "The tables of the part pages, exported without copying a picture and without a split"
    print_section("Exports", subject, NO_NETWORK)
    for size in SIZES:
        count = size // options.size(1, pages.QUICK_PART)
        table = options.scratch / f"{count}.csv"
        pages.write(table, photos, pages.random_rows(names, count))
        every = [contender(options, table, count, to, *more) for to, more in FORMATS.items()]
        others = importers(options, table, count) if size == min(SIZES) else []
        take_turns([*every, *others], options.repetitions)
        print_times([*every, *others], options.scratch)
        memory = pages.print_memory([*every, *others], MEMORY_GOAL_MB)
        if size == max(SIZES):
            goals += [below(one.name, "whole process", LONGEST_S, one.seconds, SECONDS) for one in every]
            goals += memory
        table.unlink()
    print_goals(goals)
    return goals


def importers(options: Options, table: Path, count: int) -> list[Contender]:
    """Return FiftyOne's import of its format, if its interpreter is given, and the export that it reads."""
    if not options.fiftyone:
        return []
    out = options.scratch / f"{count}-fiftyone"
    ours = contender(options, table, count, "fiftyone", "--mode", "none")
    script = str(ROOT / "benchmarks" / "fiftyone_script.py")
    return [ours, Contender(f"FiftyOne reads it, {count:,} rows", [options.fiftyone, script, str(out)])]


def contender(options: Options, table: Path, count: int, to: str, *more: str) -> Contender:
    """Return an export into a folder that is removed before each run."""
    out = options.scratch / f"{count}-{to}"
    command = [*LABELER, "export", str(table), "--to", to, "--out", str(out), *more, "--quiet"]
    return Contender(f"export --to {to}, {count:,} rows", ["sh", "-c", 'rm -rf "$0"; exec "$@"', str(out), *command])
