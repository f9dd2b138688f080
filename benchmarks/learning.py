"""Measure the speed of `labeler train` beside plain Keras with its image generator, in images per second.

Both train the documented network in batches of 32 on the same images and validate on the same few. The epochs from the
second one on count: labeler decodes every image once, before the first epoch, Keras in every epoch.
"""

from __future__ import annotations

import csv
import os
import shutil
import statistics
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import crops
from contenders import Contender, rounded, take_turns
from options import Options
from processes import LABELER, ROOT, warm
from report import DOCUMENTED, Goal, at_least, command_line, print_goals, print_section

GENERATOR_SCRIPT = (sys.executable, str(ROOT / "benchmarks" / "generator_script.py"))
EPOCHS = 3
JUDGED_PER_CLASS = 10

RATIO_GOAL = 5.0


@dataclass(slots=True)
class Learner(Contender):
    """A command that trains, and writes the seconds of every epoch to its table."""

    run_directory: Path | None = None
    """Removed before every run, because it has to be new."""
    first_epochs: list[float] = field(default_factory=list)
    later_epochs: list[float] = field(default_factory=list)

    def take_turn(self) -> None:
        """Train once."""
        if self.run_directory:
            shutil.rmtree(self.run_directory, ignore_errors=True)
        Contender.take_turn(self)
        with self.table.open(newline="", encoding="utf-8") as stream:
            first, *later = (float(row["seconds"]) for row in csv.DictReader(stream))
        self.first_epochs.append(first)
        self.later_epochs += later

    @property
    def rate_later(self) -> float:
        """Return training images per second from the second epoch on."""
        return self.count / statistics.median(self.later_epochs)


def measure(options: Options) -> list[Goal]:
    """Run labeler and Keras, with each of its ways to prefetch, in turn."""
    training, validation = options.scratch / "training", options.scratch / "validation"
    count, judged = split(crops.tree(options), training, validation)
    warm([*crops.files(training), *crops.files(validation)])
    keras = generators(training, validation, count, options)
    labeler = trainer(training, validation, count, options)

    pictures = f"{count:,} crops 48x48 ({crops.kind(options)}) for training, {judged} for validation"
    print_section("Training", f"{pictures}; batches of 32, {EPOCHS} epochs", DOCUMENTED)
    take_turns([*keras, labeler], options.repetitions)
    print_epochs([*keras, labeler], options.scratch)
    fastest = max(keras, key=lambda learner: learner.rate_later)
    ratio = labeler.rate_later / fastest.rate_later
    goals = [at_least("training, second epoch on", f"beside {fastest.name}, its fastest way", RATIO_GOAL, ratio)]
    print_goals(goals)
    return goals


def split(folder: Path, training: Path, validation: Path) -> tuple[int, int]:
    """Hard-link the first few crops of every class into ``validation``, the rest into ``training``; count both."""
    counts = [0, 0]
    for class_folder in sorted(folder.iterdir()):
        for number, file in enumerate(sorted(class_folder.iterdir())):
            judged = number < JUDGED_PER_CLASS
            target = (validation if judged else training) / class_folder.name
            target.mkdir(parents=True, exist_ok=True)
            os.link(file, target / file.name)
            counts[judged] += 1
    return counts[0], counts[1]


def generators(training: Path, validation: Path, count: int, options: Options) -> list[Learner]:
    """Return plain Keras: with its defaults, and with the two ways to prefetch that its documentation names."""
    table = options.scratch / "seconds.csv"
    command = [*GENERATOR_SCRIPT, str(training), str(validation), str(table)]
    workers = str(options.workers)
    ways = {
        "as it comes": ["1"],
        f"workers={workers}": [workers],
        f"workers={workers}, use_multiprocessing": [workers, "processes"],
    }
    return [Learner(f"plain Keras, {way}", [*command, *chosen], count, table=table) for way, chosen in ways.items()]


def trainer(training: Path, validation: Path, count: int, options: Options) -> Learner:
    """Return `labeler train`."""
    run = options.scratch / "learnt"
    folders = [str(training), "--val", str(validation), "--out", str(run)]
    choices = ["--arch", "documented", "--epochs", str(EPOCHS), "--workers", str(options.workers)]
    command = [*LABELER, "train", *folders, *choices]
    return Learner("labeler train", command, count, table=run / "history.csv", run_directory=run)


def print_epochs(learners: Sequence[Learner], scratch: Path) -> None:
    """Print the median times of the first and of the later epochs, and the commands."""
    print(
        "| contender | first epoch, s | later epochs, s | images/s, later | whole process, s | every later epoch, s |"
    )
    print("|---|---|---|---|---|---|")
    for learner in learners:
        first, later = statistics.median(learner.first_epochs), statistics.median(learner.later_epochs)
        times = f"{first:.2f} | {later:.2f} | {rounded(learner.rate_later)} | {learner.seconds:.1f}"
        print(f"| {learner.name} | {times} | {', '.join(f'{seconds:.2f}' for seconds in learner.later_epochs)} |")
    print()
    for learner in learners:
        print(f"- {learner.name}: {command_line(learner.command, scratch)}")
    print()
