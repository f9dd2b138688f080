"""Measure the face finder on annotated photographs: precision, recall, F1, false boxes, milliseconds.

    python benchmarks/faces.py [--detector FILE.onnx ...] [--exif] [--data DIR] [--repetitions 3]

It prints Markdown that can be pasted: a row for the detector that ships and one for each other, at the default
settings, through the code that `labeler classify` runs. With --exif the same photographs are stored in all eight
EXIF orientations, too, and must give the same boxes.
"""

from __future__ import annotations

import argparse
import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import boxes
import orientations
import photographs
from parts import Bench
from photographs import Annotated
from report import print_setup, verdict

from labeler.labeling import Looker
from labeler.records import Settings

PACKAGES = ("labeler", "numpy", "onnxruntime", "opencv-python-headless", "pillow")

F1_GOAL = 0.985
SHIFT_GOAL = 0.03


@dataclass(slots=True)
class Score:
    """What a detector made of the photographs."""

    right: int = 0
    false: Counter[str] = field(default_factory=Counter)
    missed: Counter[str] = field(default_factory=Counter)
    """Both by the file's name."""
    invented: Counter[str] = field(default_factory=Counter)
    """Boxes in photographs without a face."""

    @property
    def precision(self) -> float:
        """Return the share of the boxes found that are faces."""
        return self.right / max(self.right + self.false.total(), 1)

    @property
    def recall(self) -> float:
        """Return the share of the faces that were found."""
        return self.right / max(self.right + self.missed.total(), 1)

    @property
    def f1(self) -> float:
        """Return the harmonic mean of precision and recall."""
        return 2 * self.right / max(2 * self.right + self.false.total() + self.missed.total(), 1)


def main() -> None:
    """Measure what the arguments ask for and print it."""
    options = parse()
    if not (options.data / "faces.json").is_file():
        print(photographs.ABSENT.format(options.data))
        return
    annotated = photographs.annotated(options.data)
    faceless = photographs.files(options.data / "noface")
    faces = sum(len(photograph.faces) for photograph in annotated)
    subject = f"{len(annotated)} photographs with {faces} faces, {len(faceless)} without; boxes match at"
    print_setup(f"{subject} an intersection over union of {boxes.SAME_FACE:g}", PACKAGES)
    detectors = ["", *(str(file) for file in options.detector)]
    scores = [print_score(detector, annotated, faceless, options.repetitions) for detector in detectors]
    for detector, score in zip(detectors, scores, strict=True):
        print_verdict(detector, score)
    if options.exif:
        for detector in detectors:
            print_shifts(detector, [photograph.file for photograph in annotated])


def parse() -> argparse.Namespace:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--detector", type=Path, action="append", default=[], help="another one in YuNet's format")
    parser.add_argument("--exif", action="store_true", help="compare the eight EXIF orientations, too")
    parser.add_argument("--data", type=Path, default=photographs.PHOTOS, help="folder with faces/, noface/, faces.json")
    parser.add_argument("--repetitions", type=int, default=3, help="of the timing; the median counts")
    return parser.parse_args()


def print_score(detector: str, annotated: Sequence[Annotated], faceless: Sequence[Path], repetitions: int) -> Score:
    """Score one detector, time it, and print its row; the first row prints the head."""
    settings = Settings(detector=detector)
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
    """Look at every photograph and compare."""
    score = Score()
    for photograph in annotated:
        faces = [face for face, _ in look(str(photograph.file))]
        right, false, missed = boxes.match(faces, photograph.faces, photograph.doubtful)
        score.right += right
        score.false += Counter({photograph.file.name: false})
        score.missed += Counter({photograph.file.name: missed})
    for file in faceless:
        score.invented += Counter({file.name: len(look(str(file)))})
    return score


def print_verdict(detector: str, score: Score) -> None:
    """Print whether the goals are met, and where a detector is wrong."""
    met = verdict(score.f1 >= F1_GOAL and not score.invented)
    print(f"\n{name(detector)}: F1 at least {F1_GOAL:g} and no face in faceless photographs: {met}.", end=" ")
    for what, counts in (("Missed", score.missed), ("False", score.false), ("In faceless", score.invented)):
        where = ", ".join(f"{file} {count}" for file, count in counts.most_common())
        print(f"{what}: {where or 'none'}.", end=" ")
    print(flush=True)


def print_shifts(detector: str, files: Sequence[Path]) -> None:
    """Print how far the boxes move between the EXIF orientations."""
    shifts = orientations.compare(Looker(Settings(detector=detector)), files)
    met = verdict(not (shifts.lost or shifts.gained or shifts.over(SHIFT_GOAL)))
    print(
        f"\n{name(detector)}, EXIF orientations 2 to 8 beside 1 (shift of the worst edge, in shorter sides of the box)"
    )
    print(f"\n| pairs | lost | gained | mean shift | largest | over {SHIFT_GOAL:.0%} |\n|---|---|---|---|---|---|")
    mean, largest = statistics.fmean(shifts.pairs or [0]), max(shifts.pairs, default=0)
    counts = f"| {len(shifts.pairs)} | {shifts.lost} | {shifts.gained}"
    print(f"{counts} | {mean:.2%} | {largest:.2%} | {shifts.over(SHIFT_GOAL)} |")
    print(f"\nThe same boxes to within {SHIFT_GOAL:.0%}: {met}.", flush=True)


def name(detector: str) -> str:
    """Return what a detector is called in a table."""
    return Path(detector).stem if detector else "the one that ships"


if __name__ == "__main__":
    main()
