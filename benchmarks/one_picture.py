"""Measure the time of the shortest commands, from process start to finished file."""

from __future__ import annotations

import shutil
from pathlib import Path

import crops
import trained
from classify import KERAS_SCRIPT
from contenders import Contender, print_times, take_turns, times_as_fast
from options import Options
from processes import LABELER, classify
from report import DOCUMENTED, SHIPPED, Goal, at_least, below, print_goals, print_section

KERAS_GOAL = 4.0
ONE_PICTURE_GOAL_S = 1.2
HELP_GOAL_S = 0.3


def measure(options: Options) -> list[Goal]:
    """Run the Keras script and labeler, with either network, in turn on a folder with one crop, and on that file."""
    run = trained.run_directory(options)
    folder = options.scratch / "one_crop"
    picture = lone(crops.tree(options), folder)
    keras_command = [*KERAS_SCRIPT, str(folder), str(run / "best_model.keras"), str(options.scratch / "keras_one.csv")]
    by_default = ("--faces", "whole")
    choices = (*by_default, "--model", str(run / "model.onnx"))
    keras = Contender("plain Keras script", keras_command)
    whole = Contender("labeler classify", classify(folder, options.scratch / "folder.csv", *choices))
    file = Contender("labeler classify, the file named", classify(picture, options.scratch / "file.csv", *choices))
    shipped = Contender("labeler classify, default", classify(folder, options.scratch / "shipped.csv", *by_default))
    advice = Contender("labeler --help", [*LABELER, "--help"])

    networks = f"{DOCUMENTED}, and where named {SHIPPED}"
    print_section("One image", "A folder of class folders with one crop 48x48", networks)
    contenders = [keras, whole, file, shipped, advice]
    take_turns(contenders, options.repetitions)
    print_times(contenders, options.scratch)
    goals = [
        at_least("1 image", "beside the plain Keras script", KERAS_GOAL, times_as_fast(whole, keras)),
        below("1 image", "from process start to finished file", ONE_PICTURE_GOAL_S, whole.seconds),
        below("1 image, default", "from process start to finished file", ONE_PICTURE_GOAL_S, shipped.seconds),
        below("`labeler --help`", "from process start to end", HELP_GOAL_S, advice.seconds),
    ]
    print_goals(goals)
    return goals


def lone(crops_folder: Path, folder: Path) -> Path:
    """Make a folder with the same class folders, which Keras counts, and one crop; return the crop's path."""
    for class_folder in crops_folder.iterdir():
        (folder / class_folder.name).mkdir(parents=True)
    original = crops.files(crops_folder)[0]
    return Path(shutil.copy(original, folder / original.parent.name))
