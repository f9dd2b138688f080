"""Compare labels with the truth while they pass: a confusion matrix and the calibration, not a list of faces."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from itertools import chain
from typing import Any

from labeler.errors import NoPicturesError
from labeler.evaluation import confusion
from labeler.evaluation.calibration import BINS, Bin
from labeler.records import Row, Status
from labeler.report.choice import Best

FURTHER_FACE, UNLABELLED, UNKNOWN = "further face of a photo", "no true label", "a class that the model lacks"
"""Reasons to leave a face out of the comparison."""

UNTOLD = "uncertain, and the table does not name the most probable class"
"""Another reason, in a table made with `--top 1`."""

MISTAKES = 24
"""Upper limit on the wrong labels that are shown."""

MOST_CLASSES = 100
"""Upper limit on the classes that have figures though no photo is theirs: a matrix grows with their square."""

MOST_UNKNOWN = 100
"""Upper limit on the names of classes that the model lacks: every folder of a table may be one."""

TrueClass = Callable[[str], str]
"""Returns the true class of a file, empty where it has none."""


def of_folders(file: str) -> str:
    """Return the first folder of a name as its true class."""
    folder, slash, _ = file.partition("/")
    return folder if slash else ""


def of_labels(labels: Mapping[str, str]) -> TrueClass:
    """Return the function that looks the true class of a file up."""
    return lambda file: labels.get(file, "")


class Judged:
    """The largest face of each photo beside its true class.

    As in `evaluation.truth`, the answer of an `uncertain` face is its most probable class; failed and damaged photos
    and all faces but the largest are left out and counted. It is the model that is judged, and its score: where a
    person corrected a label, by what the model had said. ``against`` names the truth for a person.
    """

    def __init__(
        self, class_names: Sequence[str], true_class: TrueClass, against: str, unused: Sequence[str] = ()
    ) -> None:
        self.class_names = tuple(class_names)
        self.against = against
        self.unused = tuple(unused)
        """What of the truth could not be used, and why."""
        self.left_out: Counter[str] = Counter()
        self.unknown: Counter[str] = Counter()
        """True classes that the model lacks."""
        self.mistakes = Best(MISTAKES)
        """The wrong labels with the highest scores."""
        self.true_class = true_class
        self._places = {name: place for place, name in enumerate(class_names)}
        self._counts: Counter[tuple[int, int]] = Counter()
        self._bins = [[0, 0.0, 0] for _ in range(BINS)]

    def add(self, row: Row, name: str) -> None:
        """Compare a row; ``name`` is its file's, as the truth knows it."""
        true = self.true_class(name)
        reason = self._why_left_out(row, true)
        if reason:
            self.left_out[reason] += 1
            return
        score = max(row.probabilities, default=row.score or 0.0)
        answer = row.most_probable(self.class_names)
        if not answer:
            self.left_out[UNTOLD] += 1
            return
        if answer not in self._places:  # Written into the table by hand.
            self.left_out[UNKNOWN] += 1
            return
        self._counts[self._places[true], self._places[answer]] += 1
        found = self._bins[min(int(score * BINS), BINS - 1)]
        found[0] += 1
        found[1] += score
        found[2] += answer == true
        if answer != true:
            self.mistakes.offer(score, row)

    @property
    def bins(self) -> list[Bin]:
        """Return the bins of the reliability diagram."""
        return [Bin(n=int(n), score=total / max(n, 1), right=int(right)) for n, total, right in self._bins]

    def figures(self) -> confusion.Figures:
        """Return the figures.

        Raises:
            NoPicturesError: no face has a true class that the model knows.
        """
        if not self._counts:
            unknown = f"; the model does not know {', '.join(sorted(self.unknown)[:10])}" if self.unknown else ""
            raise NoPicturesError(
                f"no labelled photo is left to compare with {self.against}{unknown}. "
                f"The classes are {', '.join(self.class_names[:20])}"
            )
        occurring = set(chain.from_iterable(self._counts))
        places = [place for place in range(len(self.class_names)) if place < MOST_CLASSES or place in occurring]
        counts = [[self._counts[true, answer] for answer in places] for true in places]
        return confusion.of(counts, [self.class_names[place] for place in places])

    def as_json(self) -> dict[str, Any]:
        """Return what `--json` prints."""
        return {
            "against": self.against,
            **asdict(self.figures()),
            "left_out": dict(self.left_out),
            "reliability": [asdict(one) for one in self.bins],
        }

    def _why_left_out(self, row: Row, true: str) -> str:
        if row.face:
            return FURTHER_FACE
        if row.status is not Status.OK:
            return row.status.value
        if not true:
            return UNLABELLED
        if true not in self._places:
            if true in self.unknown or len(self.unknown) < MOST_UNKNOWN:
                self.unknown[true] += 1
            return UNKNOWN
        return "" if row.label and row.before != "" else "no label"
