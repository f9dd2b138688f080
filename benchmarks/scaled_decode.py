"""Measure what decoding at a smaller scale saves: `labeler classify --faces whole` on JPEGs of 12 megapixels."""

from __future__ import annotations

import csv
import statistics
import sys
from pathlib import Path

import photographs
from contenders import Contender, print_times, take_turns, times_as_fast
from options import Options
from processes import LABELER, ROOT, classify, floor, warm
from report import DOCUMENTED, SHARE, Goal, at_least, print_goals, print_section

COUNT, QUICK_COUNT = 200, 6
FULL_DECODE_SCRIPT = (sys.executable, str(ROOT / "benchmarks" / "full_decode_script.py"))

FULL_DECODE_GOAL = 3.5
FLOOR_GOAL = 0.85


def measure(options: Options) -> list[Goal]:
    """Run labeler, labeler with every image decoded at full scale, and the floor in turn."""
    count = options.size(COUNT, QUICK_COUNT)
    folder = options.scratch / "photographs"
    files = photographs.large(options, count, folder)
    warm(files)
    megabytes = statistics.fmean(file.stat().st_size for file in files) / 1e6
    choices = ("--faces", "whole", "--workers", str(options.workers), "--model", "documented")
    table, full_table = options.scratch / "scaled.csv", options.scratch / "full.csv"
    lone = photographs.copied(files[:1], options.scratch / "photographs_one")[0].parent
    one = classify(lone, options.scratch / "scaled_one.csv", *choices)
    labeler = Contender("labeler classify", classify(folder, table, *choices), count, table, one)
    in_full = [*FULL_DECODE_SCRIPT, *classify(folder, full_table, *choices)[len(LABELER) :]]
    full = Contender("labeler classify, decoding in full", in_full, count, full_table)
    least = Contender("the floor", floor(folder, options.workers, "scaled"), count)

    work = f"{count} JPEGs of 12 megapixels"
    print_section("Photos, each taken whole", f"{work}, {megabytes:.1f} MB each", DOCUMENTED)
    take_turns([labeler, full, least], options.repetitions)
    check_decoded_in_full(table, full_table)
    print_times([labeler, full, least], options.scratch)
    goals = [
        at_least(work, "beside decoding in full", FULL_DECODE_GOAL, times_as_fast(labeler, full)),
        at_least(work, "beside the floor", FLOOR_GOAL, times_as_fast(labeler, least), SHARE),
    ]
    print_goals(goals)
    return goals


def check_decoded_in_full(scaled_table: Path, full_table: Path) -> None:
    """Stop when most scores are equal: other pixels give other scores, so no image was decoded at full scale."""
    scaled, full = scores(scaled_table), scores(full_table)
    if sum(score == full[file] for file, score in scaled.items()) > len(scaled) / 2:
        raise SystemExit("full_decode_script.py has no effect: adapt it to labeler.images.decode")


def scores(table: Path) -> dict[str, str]:
    """Return the score of every file in a table."""
    with table.open(newline="", encoding="utf-8") as stream:
        return {row["file"]: row["score"] for row in csv.DictReader(stream)}
