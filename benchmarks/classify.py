"""Measure `labeler classify` beside a plain Keras script, both as whole processes.

    python benchmarks/classify.py [--data DIR] [--run DIR] [--repetitions 3] [--workers 2]

It needs the `train` extra (the Keras script does) and prints Markdown that can be pasted. The pictures are
read once before anything is timed, so that both find them in the page cache; then the two take turns.
"""

from __future__ import annotations

import argparse
import csv
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from processes import LABELER, ROOT, Run, classify, finish, median, warm
from report import print_setup, verdict

FER2013 = ROOT.parent / "shared" / "data" / "fer2013" / "train"
KERAS_SCRIPT = (sys.executable, str(ROOT / "benchmarks" / "keras_script.py"))
PACKAGES = ("labeler", "numpy", "onnxruntime", "opencv-python-headless", "keras", "tensorflow")

RATIO_GOAL = 3.0
WORKER_GOAL_MB = 400.0
HELP_GOAL_S = 0.3
ONE_PICTURE_GOAL_S = 1.2


def main() -> None:
    """Measure what the arguments ask for and print it."""
    options = parse()
    files = sorted(file for file in options.data.rglob("*") if file.is_file())
    if not files:
        print(f"skipped: no pictures in {options.data}. Name a folder of class folders with --data DIR.")
        return
    warm(files)
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        run = options.run or trained(options.data, scratch / "run")
        print_setup(f"{len(files):,} pictures, {options.workers} workers, documented network", PACKAGES)
        compare(options, run, scratch, len(files))
        print_starts(files[0], run, scratch, options.repetitions)


def parse() -> argparse.Namespace:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=FER2013, help="folder of class folders of face crops")
    parser.add_argument("--run", type=Path, help="run directory of `labeler train`; by default one epoch is trained")
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    options.data = options.data.resolve()
    options.run = options.run and options.run.resolve()
    return options


def trained(data: Path, run: Path) -> Path:
    """Train the documented network for one epoch: its speed does not depend on how good it is."""
    print("training the documented network for one epoch ...", file=sys.stderr)
    finish([*LABELER, "train", str(data), "--out", str(run), "--arch", "documented", "--epochs", "1"])
    return run


def compare(options: argparse.Namespace, run: Path, scratch: Path, pictures: int) -> None:
    """Let the Keras script and labeler take turns; print times, memory and whether they agree."""
    keras_table, labeler_table = scratch / "keras.csv", scratch / "labeler.csv"
    keras_command = [*KERAS_SCRIPT, str(options.data), str(run / "best_model.keras"), str(keras_table)]
    model = ("--model", str(run / "model.onnx"))
    labeler_command = classify(options.data, labeler_table, *model, "--workers", str(options.workers))
    keras_runs, labeler_runs = [], []
    for _ in range(options.repetitions):
        keras_runs.append(finish(keras_command))
        labeler_runs.append(finish(labeler_command))
    print_times(keras_runs, labeler_runs, pictures)
    print_memory(keras_runs, labeler_runs, options.workers)
    print_agreement(labels(keras_table), labels(labeler_table))


def labels(table: Path) -> dict[str, str]:
    """Return the label of every file in a table."""
    with table.open(newline="", encoding="utf-8") as stream:
        return {row["file"].replace(os.sep, "/"): row["label"] for row in csv.DictReader(stream)}


def print_times(keras_runs: Sequence[Run], labeler_runs: Sequence[Run], pictures: int) -> None:
    """Print the medians of both and their ratio beside its goal."""
    print("| whole process | median s | pictures/s | every run, s |\n|---|---|---|---|")
    for name, runs in (("plain Keras script", keras_runs), ("labeler classify", labeler_runs)):
        every = ", ".join(f"{run.seconds:.2f}" for run in runs)
        print(f"| {name} | {median(runs):.2f} | {pictures / median(runs):,.0f} | {every} |")
    ratio = median(keras_runs) / median(labeler_runs)
    met = verdict(ratio >= RATIO_GOAL)
    print(f"\nlabeler is {ratio:.1f} times as fast (goal: at least {RATIO_GOAL:g}, {met}).\n")


def print_memory(keras_runs: Sequence[Run], labeler_runs: Sequence[Run], workers: int) -> None:
    """Print the largest peaks over all runs beside the goal for a worker."""
    peaks = [peak for run in labeler_runs for peak in run.descendant_peaks_mb[:workers]]
    if not peaks:
        print("Peak memory: not measured (it needs Linux's /proc and worker processes).\n")
        return
    print("| peak memory | MB |\n|---|---|")
    print(f"| plain Keras script | {max(run.own_peak_mb for run in keras_runs):.0f} |")
    print(f"| labeler, first process | {max(run.own_peak_mb for run in labeler_runs):.0f} |")
    met = verdict(max(peaks) < WORKER_GOAL_MB)
    print(f"| labeler, largest worker (goal: under {WORKER_GOAL_MB:.0f}, {met}) | {max(peaks):.0f} |\n")


def print_agreement(keras_labels: dict[str, str], labeler_labels: dict[str, str]) -> None:
    """Print how many files the two label differently; their pixels are not quite the same."""
    if keras_labels.keys() != labeler_labels.keys():
        raise SystemExit(f"other files: Keras has {len(keras_labels)}, labeler {len(labeler_labels)}")
    differing = sum(label != labeler_labels[file] for file, label in keras_labels.items())
    cause = "TensorFlow decodes JPEGs with a faster, inexact transform by default, OpenCV with the exact one"
    print(f"Labels that differ: {differing:,} of {len(keras_labels):,} ({cause}).\n", flush=True)


def print_starts(picture: Path, run: Path, scratch: Path, repetitions: int) -> None:
    """Print how long the shortest commands take, beside their goals."""
    one = classify(picture, scratch / "one.csv", "--model", str(run / "model.onnx"))
    print("| from process start to end | median s | goal |\n|---|---|---|")
    for name, command, goal_s in (
        ("`labeler --help`", [*LABELER, "--help"], HELP_GOAL_S),
        ("`labeler classify` of one picture", one, ONE_PICTURE_GOAL_S),
    ):
        seconds = median([finish(command) for _ in range(repetitions)])
        print(f"| {name} | {seconds:.2f} | under {goal_s:g}, {verdict(seconds < goal_s)} |")


if __name__ == "__main__":
    main()
