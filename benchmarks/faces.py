"""Measure the face detector on annotated photos: precision, recall, F1, false positives, milliseconds.

There is one row for the shipped detector and one for each other, at the default settings, through the code that
`labeler classify` runs. Then the same photos, stored in all eight EXIF orientations, must give the same boxes.
"""

from __future__ import annotations

import statistics
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import boxes
import orientations
import photographs
from options import Options
from orientations import Shifts
from parts import Bench
from photographs import Annotated
from report import Goal, at_least, print_goals, print_not_measured, print_section

from labeler.labeling import Looker
from labeler.records import Settings

QUICK_COUNT = 6

F1_GOAL = 0.985
SHIFT_GOAL = 0.03


@dataclass(slots=True)
class Score:
    """A detector's results on the photos."""

    right: int = 0
    false: Counter[str] = field(default_factory=Counter)
    missed: Counter[str] = field(default_factory=Counter)
    """False positives and missed faces, by file name."""
    invented: Counter[str] = field(default_factory=Counter)
    """False positives in photos without a face, by file name."""

    @property
    def precision(self) -> float:
        """Return the share of the detected boxes that are faces."""
        return self.right / max(self.right + self.false.total(), 1)

    @property
    def recall(self) -> float:
        """Return the share of the faces that were detected."""
        return self.right / max(self.right + self.missed.total(), 1)

    @property
    def f1(self) -> float:
        """Return the harmonic mean of precision and recall."""
        return 2 * self.right / max(2 * self.right + self.false.total() + self.missed.total(), 1)


def measure(options: Options) -> list[Goal]:
    """Score and time the detectors, and compare the EXIF orientations."""
    folder = options.data / "photos"
    if not (folder / "faces.json").is_file():
        print_not_measured("Photos: the face detector", photographs.ABSENT.format(folder))
        return []
    annotated = photographs.annotated(folder)[: options.size(sys.maxsize, QUICK_COUNT)]
    faceless = photographs.files(folder / "noface")
    counts = f"{len(annotated)} photos with {sum(len(photograph.faces) for photograph in annotated)} faces"
    print_section(
        "Photos: the face detector",
        f"{counts}, {len(faceless)} without; boxes match at an intersection over union of {boxes.SAME_FACE:g}",
        "the detector alone",
    )
    detectors = ["", *options.detectors]
    scores = [print_score(detector, annotated, faceless, options.repetitions) for detector in detectors]
    for detector, score in zip(detectors, scores, strict=True):
        print_mistakes(detector, score)
    shifts = [print_shifts(detector, [photograph.file for photograph in annotated]) for detector in detectors]
    shipped, moved = scores[0], shifts[0].lost + shifts[0].gained + shifts[0].over(SHIFT_GOAL)
    goals = [
        at_least(counts, "F1 of the face detector", F1_GOAL, shipped.f1, "{:.4f}"),
        none(f"{len(faceless)} photos without a face", "those with a false positive", len(shipped.invented)),
        none("8 EXIF orientations", f"boxes lost, gained or moved by more than {SHIFT_GOAL:.0%}", moved),
    ]
    print_goals(goals)
    return goals


def none(work: str, what: str, count: int) -> Goal:
    """Return the goal that a count is zero."""
    return Goal(work, what, "none", str(count), met=not count)


def print_score(detector: str, annotated: Sequence[Annotated], faceless: Sequence[Path], repetitions: int) -> Score:
    """Score one detector, time it, and print its row; the first one also prints the table's head."""
    settings = Settings(detector=detector, absolute=True)
    score = scored(Looker(settings), annotated, faceless)
    files = [*(photograph.file for photograph in annotated), *faceless]
    bench = Bench(settings, files[0])
    timed = [bench.measure(files) for _ in range(repetitions)]
    decode_ms = statistics.median(parts.decode_s for parts in timed) * 1000
    find_ms = statistics.median(parts.find_s for parts in timed) * 1000
    if not detector:
        print("| detector | found | false boxes | precision | recall | F1 | faceless hit | decode ms | find ms |")
        print("|---|---|---|---|---|---|---|---|---|")
    print(
        f"| {name(detector)} | {score.right} of {score.right + score.missed.total()} | {score.false.total()} "
        f"| {score.precision:.3f} | {score.recall:.3f} | {score.f1:.4f} | {len(score.invented)} of {len(faceless)} "
        f"| {decode_ms:.1f} | {find_ms:.1f} |",
        flush=True,
    )
    return score


def scored(look: Looker, annotated: Sequence[Annotated], faceless: Sequence[Path]) -> Score:
    """Detect the faces of every photo and compare them with the annotated ones."""
    score = Score()
    for photograph in annotated:
        faces = [face for face, _ in look(str(photograph.file)).faces]
        right, false, missed = boxes.match(faces, photograph.faces, photograph.doubtful)
        score.right += right
        score.false += Counter({photograph.file.name: false})
        score.missed += Counter({photograph.file.name: missed})
    for file in faceless:
        score.invented += Counter({file.name: len(look(str(file)).faces)})
    return score


def print_mistakes(detector: str, score: Score) -> None:
    """Print a detector's mistakes by file."""
    print(f"\nMistakes of {name(detector)}.", end=" ")
    for what, counts in (("Missed", score.missed), ("False", score.false), ("In faceless", score.invented)):
        where = ", ".join(f"{file} {count}" for file, count in counts.most_common())
        print(f"{what}: {where or 'none'}.", end="\n" if what == "In faceless" else " ")


def print_shifts(detector: str, files: Sequence[Path]) -> Shifts:
    """Print how far the boxes move between the EXIF orientations."""
    shifts = orientations.compare(Looker(Settings(detector=detector, absolute=True)), files)
    measure = "shift of the worst edge, in shorter sides of the box"
    print(f"\n{name(detector).capitalize()}, EXIF orientations 2 to 8 beside 1 ({measure}):\n")
    print(f"| pairs | lost | gained | mean shift | largest | over {SHIFT_GOAL:.0%} |\n|---|---|---|---|---|---|")
    mean, largest = statistics.fmean(shifts.pairs or [0]), max(shifts.pairs, default=0)
    counts = f"| {len(shifts.pairs)} | {shifts.lost} | {shifts.gained}"
    print(f"{counts} | {mean:.2%} | {largest:.2%} | {shifts.over(SHIFT_GOAL)} |\n")
    return shifts


def name(detector: str) -> str:
    """Return the name of a detector in a table."""
    return Path(detector).stem if detector else "the shipped one"
