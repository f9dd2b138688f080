"""Measure `labeler classify` on photographs: beside the sum of its parts, and beside the package `fer`.

    python benchmarks/photos.py [--photographs 450] [--fer PYTHON] [--data DIR] [--repetitions 3] [--workers 2]

First on JPEGs of 12 megapixels, made of the photographs in faces/ and large/: the whole process, and in turn with it
the parts (scaled decode, face finder, crops and network), each timed alone in one thread. Then on large/ as it is,
as whole processes in turn: labeler and, where PYTHON is an interpreter that has it, fer with its default detector
(fer_script.py says what to install). Starting is a part of a whole process; what one photograph takes is printed,
too, and what is left without it. It prints Markdown that can be pasted.
"""

from __future__ import annotations

import argparse
import csv
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import photographs
from parts import Bench, Parts
from processes import ROOT, Run, classify, finish, median, warm
from report import print_setup, verdict

from labeler.records import Settings

PACKAGES = ("labeler", "numpy", "onnxruntime", "opencv-python-headless")
FER_PACKAGES = ("fer", "opencv-contrib-python", "tensorflow")
FER_SCRIPT = str(ROOT / "benchmarks" / "fer_script.py")
VERSIONS = (
    "import sys; from importlib.metadata import version; print(*(f'{p} {version(p)}' for p in sys.argv[1:]), sep=', ')"
)

RATE_GOAL = 35.0
SHARE_GOAL = 0.85
RATIO_GOAL = 15.0


@dataclass(slots=True)
class Contender:
    """A command that writes a table, ready to run on many photographs and on one."""

    name: str
    many: list[str]
    one: list[str]
    table: Path
    runs: list[Run] = field(default_factory=list)
    starts: list[Run] = field(default_factory=list)
    faces: int = 0

    def take_turn(self) -> None:
        """Run both once."""
        self.starts.append(finish(self.one))
        self.runs.append(finish(self.many))
        with self.table.open(newline="", encoding="utf-8") as stream:
            self.faces = sum(bool(row["label"]) for row in csv.DictReader(stream))

    def rate(self, count: int) -> float:
        """Return photographs per second of the whole process."""
        return count / median(self.runs)

    def rate_once_started(self, count: int) -> float:
        """Return photographs per second without what a process with one photograph takes."""
        return (count - 1) / (median(self.runs) - median(self.starts))


def main() -> None:
    """Measure what the arguments ask for and print it."""
    options = parse()
    sources = [file for kind in ("faces", "large") for file in photographs.files(options.data / kind)]
    if not sources:
        print(photographs.ABSENT.format(options.data))
        return
    print_setup(
        f"{options.workers} workers, the model and the detector that ship, {options.repetitions} runs", PACKAGES
    )
    with tempfile.TemporaryDirectory() as folder:
        compare_with_parts(options, sources, Path(folder))
    with tempfile.TemporaryDirectory() as folder:
        compare_with_fer(options, Path(folder))


def parse() -> argparse.Namespace:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photographs", type=int, default=450, help="how many of 12 megapixels to make")
    parser.add_argument("--fer", metavar="PYTHON", help="an interpreter that has the package fer")
    parser.add_argument("--data", type=Path, default=photographs.PHOTOS, help="folder with faces/ and large/")
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    options.data = options.data.resolve()
    return options


def compare_with_parts(options: argparse.Namespace, sources: Sequence[Path], scratch: Path) -> None:
    """Let the whole process and the parts take turns on photographs of 12 megapixels."""
    print(f"making {options.photographs} photographs of 12 megapixels ...", file=sys.stderr)
    made = photographs.enlarge(sources, options.photographs, subfolder(scratch, "photographs"))
    warm(made)
    megabytes = statistics.fmean(file.stat().st_size for file in made) / 1e6
    whole = labeler(made[0].parent, made[0], scratch, options.workers)
    bench = Bench(Settings(), made[0])
    timed = []
    for _ in range(options.repetitions):
        whole.take_turn()
        timed.append(bench.measure(made))
    print(f"## {len(made)} JPEGs of 12 megapixels, {megabytes:.1f} MB each, {whole.faces} faces\n")
    print_rates([whole], len(made))
    print_parts(timed, whole, len(made), options.workers)


def compare_with_fer(options: argparse.Namespace, scratch: Path) -> None:
    """Let labeler and fer take turns on large photographs."""
    large = photographs.files(options.data / "large")
    if not large:
        print(photographs.ABSENT.format(options.data))
        return
    warm(large)
    contenders = [labeler(large[0].parent, large[0], scratch, options.workers)]
    versions = fer_versions(options.fer)
    if versions:
        contenders.append(fer(options.fer, large[0], scratch))
    for _ in range(options.repetitions):
        for contender in contenders:
            contender.take_turn()
    print(f"## {len(large)} photographs of 2 megapixels and more\n")
    print_rates(contenders, len(large))
    if versions:
        print_ratio(*contenders, count=len(large), versions=versions)


def labeler(folder: Path, example: Path, scratch: Path, workers: int) -> Contender:
    """Return labeler on a folder of photographs and on one of them."""
    table = scratch / "labeler.csv"
    options = ("--workers", str(workers))
    one = classify(lone(example, scratch), scratch / "labeler_one.csv", *options)
    return Contender("labeler classify", classify(folder, table, *options), one, table)


def fer(python: str, example: Path, scratch: Path) -> Contender:
    """Return fer on the folder of a photograph and on it alone."""
    table = scratch / "fer.csv"
    one = [python, FER_SCRIPT, str(lone(example, scratch)), str(scratch / "fer_one.csv")]
    return Contender("fer, default detector", [python, FER_SCRIPT, str(example.parent), str(table)], one, table)


def lone(example: Path, scratch: Path) -> Path:
    """Return a folder with one photograph."""
    folder = subfolder(scratch, "one")
    shutil.copy(example, folder)
    return folder


def subfolder(scratch: Path, name: str) -> Path:
    """Return a folder below another, made when it is not there."""
    folder = scratch / name
    folder.mkdir(exist_ok=True)
    return folder


def fer_versions(python: str | None) -> str:
    """Return what an interpreter has of fer; empty, with a message, when it cannot be measured."""
    if not python:
        print("fer: skipped. Name an interpreter that has it with --fer PYTHON; fer_script.py says what to install.\n")
        return ""
    asked = subprocess.run([python, "-c", VERSIONS, *FER_PACKAGES], capture_output=True, text=True, check=False)
    if asked.returncode:
        print(f"fer: skipped. {python} does not have all of {', '.join(FER_PACKAGES)}.\n")
    return asked.stdout.strip()


def print_rates(contenders: Sequence[Contender], count: int) -> None:
    """Print the medians of whole processes, with and without what one photograph takes."""
    print(
        "| whole process | median s | photographs/s | with one, s | photographs/s once started | faces | every run, s |"
    )
    print("|---|---|---|---|---|---|---|")
    for contender in contenders:
        times = f"{median(contender.runs):.2f} | {contender.rate(count):.1f} | {median(contender.starts):.2f}"
        every = ", ".join(f"{run.seconds:.2f}" for run in contender.runs)
        started = f"{contender.rate_once_started(count):.1f}"
        print(f"| {contender.name} | {times} | {started} | {contender.faces} | {every} |")
    print(flush=True)


def print_parts(timed: Sequence[Parts], whole: Contender, count: int, workers: int) -> None:
    """Print the parts and how much of the rate that they would allow the whole process reaches."""
    parts = sorted(timed, key=lambda parts: parts.sum_s)[len(timed) // 2]
    print("| part, alone in one thread | ms per photograph |\n|---|---|")
    print(f"| scaled decode | {parts.decode_s * 1000:.1f} |\n| face finder | {parts.find_s * 1000:.1f} |")
    print(f"| crops and network | {parts.predict_s * 1000:.1f} |\n| sum | {parts.sum_s * 1000:.1f} |\n")
    possible, rate = workers / parts.sum_s, whole.rate(count)
    print(f"- {rate:.1f} photographs/s (goal: at least {RATE_GOAL:g}, {verdict(rate >= RATE_GOAL)}).")
    print(f"- The parts alone would allow {workers} / sum = {possible:.1f}.")
    share, started = rate / possible, whole.rate_once_started(count) / possible
    met = verdict(share >= SHARE_GOAL)
    print(f"- {share:.0%} of that is reached (goal: at least {SHARE_GOAL:.0%}, {met}), {started:.0%} once started.\n")


def print_ratio(labeler: Contender, fer: Contender, *, count: int, versions: str) -> None:
    """Print how many times as fast labeler is, beside its goal."""
    ratio = labeler.rate(count) / fer.rate(count)
    started = labeler.rate_once_started(count) / fer.rate_once_started(count)
    goal = f"goal: at least {RATIO_GOAL:g}, {verdict(ratio >= RATIO_GOAL)}"
    print(f"labeler is {ratio:.1f} times as fast ({goal}), {started:.1f} times once started.")
    print(f"Beside it: {versions}.")


if __name__ == "__main__":
    main()
