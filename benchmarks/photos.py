"""Measure `labeler classify` on photos: beside the sum of its parts, and beside the package `fer`.

First on JPEGs of 12 megapixels: the whole process, and in turn with it the parts (scaled decode, face detector, crops
and network), each timed alone in one thread. Then on the large photos as they are, as whole processes in turn: labeler
and, with an interpreter that has it, fer with its default detector (fer_script.py says what to install). A whole
process includes its start; the time for one photo, and the rate without it, are printed, too. The goals are for the
network that ships; the documented one beside it, which is nearly free, shows what the network costs.
"""

from __future__ import annotations

import csv
import statistics
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import photographs
from contenders import Contender, print_times, take_turns, times_as_fast
from options import Options
from parts import Bench, Parts
from processes import ROOT, classify, warm
from report import DOCUMENTED, SHARE, SHIPPED, Goal, at_least, print_goals, print_not_measured, print_section

from labeler.inference.bundle import DEFAULT_MODEL
from labeler.records import Settings

NETWORKS = f"{SHIPPED}, and {DOCUMENTED}"
FER_PACKAGES = ("fer", "opencv-contrib-python", "tensorflow")
FER_SCRIPT = str(ROOT / "benchmarks" / "fer_script.py")
VERSIONS = (
    "import sys; from importlib.metadata import version; print(*(f'{p} {version(p)}' for p in sys.argv[1:]), sep=', ')"
)

COUNT, QUICK_COUNT = 450, 6

RATE_GOAL = 40.0
SHARE_GOAL = 0.85
RATIO_GOAL = 20.0


def measure(options: Options) -> list[Goal]:
    """Measure both; without photos there are no faces to detect."""
    originals = photographs.files(options.data / "photos" / "large")[: options.size(sys.maxsize, QUICK_COUNT)]
    if not originals:
        print_not_measured("Photos: end to end", photographs.ABSENT.format(options.data / "photos"))
        return []
    large = photographs.copied(originals, options.scratch / "large")
    return [*beside_parts(options), *beside_fer(large, options)]


def beside_parts(options: Options) -> list[Goal]:
    """Run the whole process with either network, and the parts, in turn on photos of 12 megapixels."""
    made = photographs.large(options, options.size(COUNT, QUICK_COUNT), options.scratch / "portraits")
    warm(made)
    megabytes = statistics.fmean(file.stat().st_size for file in made) / 1e6
    work = f"{len(made)} JPEGs of 12 megapixels, faces detected"
    print_section("Photos: end to end, beside the sum of the parts", f"{work}, {megabytes:.1f} MB each", NETWORKS)
    whole, documented = both(made, options)
    bench = Bench(Settings(), made[0])
    timed = []
    for _ in range(options.repetitions):
        take_turns([whole, documented], 1)
        timed.append(bench.measure(made))
    print_times([whole, documented], options.scratch)
    parts = sorted(timed, key=lambda parts: parts.sum_s)[len(timed) // 2]
    print_parts(parts, whole, faces(whole), options.workers)
    possible = options.workers / parts.sum_s
    goals = [
        at_least(work, "photos/s", RATE_GOAL, whole.rate, "{:.1f}"),
        at_least(work, "beside the sum of the parts", SHARE_GOAL, whole.rate / possible, SHARE),
    ]
    print_goals(goals)
    return goals


def print_parts(parts: Parts, whole: Contender, faces: int, workers: int) -> None:
    """Print the times of the parts, and the rate that they alone would allow."""
    print("| part, alone in one thread, the network that ships | ms per photo |\n|---|---|")
    print(f"| scaled decode | {parts.decode_s * 1000:.1f} |\n| face detector | {parts.find_s * 1000:.1f} |")
    print(f"| crops and network | {parts.predict_s * 1000:.1f} |\n| sum | {parts.sum_s * 1000:.1f} |\n")
    possible = workers / parts.sum_s
    print(f"{faces} faces. The parts alone would allow {workers} / sum = {possible:.1f} photos/s;", end=" ")
    print(f"once started, {whole.rate_once_started / possible:.0%} of that is reached.\n")


def beside_fer(large: Sequence[Path], options: Options) -> list[Goal]:
    """Run labeler with either network, and fer, in turn on large photos."""
    warm(large)
    work = f"{len(large)} photos of 2 megapixels and more"
    print_section("Photos: end to end, beside the package fer", work, NETWORKS)
    ours, documented = both(large, options)
    versions = fer_versions(options.fer)
    contenders = [ours, documented, *([fer(large, options)] if versions else [])]
    take_turns(contenders, options.repetitions)
    print_times(contenders, options.scratch)
    found = (f"{faces(contender)} by {contender.name}" for contender in contenders)
    print(f"Faces found: {', '.join(found)}.\n")
    if not versions:
        return []
    theirs = contenders[2]
    started = ours.rate_once_started / theirs.rate_once_started
    print(f"Beside it: {versions}. Once started, labeler with the network that ships is {started:.1f} times as fast.\n")
    goals = [at_least(work, f"beside {theirs.name}", RATIO_GOAL, times_as_fast(ours, theirs))]
    print_goals(goals)
    return goals


def both(pictures: Sequence[Path], options: Options) -> tuple[Contender, Contender]:
    """Return labeler with the network that ships, which no option names, and with the documented one."""
    return labeler(pictures, options, DEFAULT_MODEL), labeler(pictures, options, "documented", "--model", "documented")


def labeler(pictures: Sequence[Path], options: Options, network: str, *choices: str) -> Contender:
    """Return labeler on the folder of some photos, and on the first alone."""
    folder = pictures[0].parent
    one = photographs.copied(pictures[:1], options.scratch / f"{folder.name}_one_{network}")[0].parent
    table = options.scratch / f"{folder.name}_{network}.csv"
    choices = ("--workers", str(options.workers), *choices)
    start = classify(one, options.scratch / "one.csv", *choices)
    return Contender(f"labeler classify, {network}", classify(folder, table, *choices), len(pictures), table, start)


def fer(pictures: Sequence[Path], options: Options) -> Contender:
    """Return fer on the folder of some photos, and on the first alone."""
    folder = pictures[0].parent
    one = photographs.copied(pictures[:1], options.scratch / f"{folder.name}_one_fer")[0].parent
    table = options.scratch / "fer.csv"
    command = [options.fer, FER_SCRIPT, str(folder), str(table)]
    start = [options.fer, FER_SCRIPT, str(one), str(options.scratch / "fer_one.csv")]
    return Contender("fer, default detector", command, len(pictures), table, start)


def faces(contender: Contender) -> int:
    """Count the faces in the table that a contender wrote."""
    with contender.table.open(newline="", encoding="utf-8") as stream:
        return sum(bool(row["label"]) for row in csv.DictReader(stream))


def fer_versions(python: str) -> str:
    """Return the versions of fer's packages in an interpreter; empty, with a message, when fer cannot be measured."""
    if not python:
        print("fer: skipped. Name an interpreter that has it with --fer PYTHON; fer_script.py says what to install.\n")
        return ""
    asked = subprocess.run([python, "-c", VERSIONS, *FER_PACKAGES], capture_output=True, text=True, check=False)
    if asked.returncode:
        print(f"fer: skipped. {python} does not have all of {', '.join(FER_PACKAGES)}.\n")
    return asked.stdout.strip()
