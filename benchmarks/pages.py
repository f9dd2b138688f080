"""Measure `labeler report` on tables of 100,000 and 1,000,000 faces, and a general profiler on the same tables."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from pathlib import Path

import crops
from contenders import Contender, print_times, take_turns
from options import Options
from processes import LABELER, ROOT
from report import MEGABYTES, NO_NETWORK, SECONDS, UNKNOWN_MEMORY, Goal, below, print_goals, print_section

from labeler.records import SCHEMA_VERSION, Row
from labeler.tables import formats, run_record
from labeler.tables.run_record import RunRecord

SIZES = (100_000, 10.0), (1_000_000, 30.0)
"""Rows, and the seconds that a report of them may take."""

QUICK_PART = 50
"""With `--quick`, tables have this part of the rows."""

PAGE_GOAL_MB, MEMORY_GOAL_MB = 6.0, 500.0
MEGABYTES_OF_PAGE = "{:.2f} MB"


def measure(options: Options) -> list[Goal]:
    """Report on both tables, and profile them where a profiler is given."""
    goals = []
    photos = crops.tree(options)
    names = [file.relative_to(photos).as_posix() for file in crops.files(photos)]
    subject = "Tables (CSV) of random scores of face crops, and the pages of them with some 300 faces each"
    print_section("Pages", subject, NO_NETWORK)
    for count, seconds in SIZES:
        count //= options.size(1, QUICK_PART)
        table, page = options.scratch / f"{count}.csv", options.scratch / f"{count}.html"
        write(table, photos, random_rows(names, count))
        ours = Contender(f"report, {count:,} rows", [*LABELER, "report", str(table), "--out", str(page), "--quiet"])
        others = profilers(options, table, count)
        take_turns([ours, *others], options.repetitions)
        print_times([ours, *others], options.scratch)
        goals += [
            below(ours.name, "whole process", seconds, ours.seconds, SECONDS),
            below(ours.name, "the page", PAGE_GOAL_MB, page.stat().st_size / 1e6, MEGABYTES_OF_PAGE),
            *print_memory([ours, *others], MEMORY_GOAL_MB)[:1],
        ]
        table.unlink()
    print_goals(goals)
    return goals


def profilers(options: Options, table: Path, count: int) -> list[Contender]:
    """Return the profiler to compare with, if its interpreter is given."""
    if not options.profiler:
        return []
    script = str(ROOT / "benchmarks" / "profiling_script.py")
    command = [options.profiler, script, str(table), str(table.with_suffix(".profile.html"))]
    return [Contender(f"ydata-profiling, {count:,} rows", command)]


def print_memory(contenders: list[Contender], goal_mb: float) -> list[Goal]:
    """Print the largest peak of each; return the goals, if it could be measured."""
    peaks = [max(max(run.own_peak_mb, run.worker_peak_mb) for run in one.runs) for one in contenders]
    if not all(peaks):
        print(UNKNOWN_MEMORY)
        return []
    for one, peak in zip(contenders, peaks, strict=True):
        print(f"- {one.name}: peak memory {peak:.0f} MB")
    print()
    return [
        below(one.name, "peak memory", goal_mb, peak, MEGABYTES) for one, peak in zip(contenders, peaks, strict=True)
    ]


def write(table: Path, root: Path, rows: Iterable[Row]) -> Path:
    """Write a table and its run record, which names no model that could be asked again."""
    record = RunRecord(
        version="benchmark",
        schema_version=SCHEMA_VERSION,
        model="default",
        model_sha256="",
        class_names=crops.CLASSES,
        root=str(root),
        inputs=(str(root),),
        settings={},
        finished=True,
    )
    formats.of(table).write(table, rows, record)
    run_record.write(table, record, "")
    return table


def random_rows(names: list[str], count: int) -> Iterator[Row]:
    """Yield rows with random probabilities, the same ones every time."""
    draw = random.Random(1)
    side = float(crops.SIDE)
    for number in range(count):
        shares = [draw.random() ** 3 for _ in crops.CLASSES]
        row = Row(names[number % len(names)], 0, 0.0, 0.0, side, side, draw.random(), image_width=48, image_height=48)
        yield row.labelled(tuple(share / sum(shares) for share in shares), crops.CLASSES, 0.0)
