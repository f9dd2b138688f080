"""Measure `labeler classify` on face crops beside a plain Keras script, and beside a lower bound, the floor.

All are whole processes. The crops are read once before anything is timed, so that all find them in the page cache.
"""

from __future__ import annotations

import csv
import os
import sys
from pathlib import Path

import crops
import trained
from contenders import Contender, print_times, take_turns, times_as_fast
from options import Options
from processes import ROOT, classify, floor, warm
from report import DOCUMENTED, MEGABYTES, SHARE, UNKNOWN_MEMORY, Goal, at_least, below, print_goals, print_section

KERAS_SCRIPT = (sys.executable, str(ROOT / "benchmarks" / "keras_script.py"))

KERAS_GOAL = 4.0
FLOOR_GOAL = 0.75
WORKER_GOAL_MB = 400.0


def measure(options: Options) -> list[Goal]:
    """Run the Keras script, labeler and the floor in turn."""
    folder, run = crops.tree(options), trained.run_directory(options)
    files = crops.files(folder)
    warm(files)
    keras_table, labeler_table = options.scratch / "keras.csv", options.scratch / "labeler.csv"
    bundle = str(run / "model.onnx")
    keras_command = [*KERAS_SCRIPT, str(folder), str(run / "best_model.keras"), str(keras_table)]
    workers = ("--faces", "whole", "--workers", str(options.workers))
    labeler_command = classify(folder, labeler_table, *workers, "--model", bundle)
    keras = Contender("plain Keras script", keras_command, len(files))
    labeler = Contender("labeler classify", labeler_command, len(files))
    least = Contender("the floor", floor(folder, options.workers, "whole", bundle), len(files))

    work = f"{len(files):,} crops"
    print_section("Crops", f"{len(files):,} crops 48x48 ({crops.kind(options)})", DOCUMENTED)
    take_turns([keras, labeler, least], options.repetitions)
    print_times([keras, labeler, least], options.scratch)
    goals = [
        at_least(work, "beside the plain Keras script", KERAS_GOAL, times_as_fast(labeler, keras)),
        at_least(work, "beside the floor", FLOOR_GOAL, times_as_fast(labeler, least), SHARE),
        *print_memory(keras, labeler),
    ]
    print_goals(goals)
    print_agreement(labels(keras_table), labels(labeler_table))
    return goals


def print_memory(keras: Contender, labeler: Contender) -> list[Goal]:
    """Print the largest peaks of all runs; return the goal for a worker, if it could be measured."""
    worker_mb = max(run.worker_peak_mb for run in labeler.runs)
    if not worker_mb:
        print(UNKNOWN_MEMORY)
        return []
    print("| peak memory | MB |\n|---|---|")
    print(f"| plain Keras script | {max(run.own_peak_mb for run in keras.runs):.0f} |")
    print(f"| labeler, first process | {max(run.own_peak_mb for run in labeler.runs):.0f} |")
    print(f"| labeler, largest worker | {worker_mb:.0f} |\n")
    return [below(f"{labeler.count:,} crops", "memory of the largest worker", WORKER_GOAL_MB, worker_mb, MEGABYTES)]


def labels(table: Path) -> dict[str, str]:
    """Return the label of every file in a table."""
    with table.open(newline="", encoding="utf-8") as stream:
        return {row["file"].replace(os.sep, "/"): row["label"] for row in csv.DictReader(stream)}


def print_agreement(keras_labels: dict[str, str], labeler_labels: dict[str, str]) -> None:
    """Print how many files get different labels; the decoded pixels differ slightly."""
    if keras_labels.keys() != labeler_labels.keys():
        raise SystemExit(f"not the same files: Keras has {len(keras_labels)}, labeler {len(labeler_labels)}")
    differing = sum(label != labeler_labels[file] for file, label in keras_labels.items())
    cause = "TensorFlow decodes JPEGs with a faster, inexact transform by default, OpenCV with the exact one"
    print(f"Labels that differ: {differing:,} of {len(keras_labels):,} ({cause}).\n")
