"""What a model is worth: labels compared with the truth, by class name."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

from labeler import labeling, sources
from labeler.errors import LabelerError, NoPicturesError
from labeler.evaluation import calibration, intervals
from labeler.evaluation.calibration import Confidence, Probabilities
from labeler.evaluation.intervals import Interval
from labeler.images import decode as images
from labeler.records import UNCERTAIN, Row, Settings, Status
from labeler.tables.labels import Truth

COPY = "copy"
"""Why a picture is left out that is pixel-identical to one the model was trained on."""

TIE = "tie"
"""Why a picture is left out whose votes name no single class."""

MISSING = "missing"
"""Why a picture is left out that a table names and that is not there."""

FOLDERS = "class folders"
"""What labels are compared with unless a table says what is true."""

FURTHER_FACE = "further_face"
"""Why a face is left out that is not the largest of its picture."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassFigures:
    """How well one class is found; `support` is how many pictures truly are of it."""

    precision: float
    recall: float
    f1: float
    support: int


@dataclass(frozen=True, kw_only=True)
class Figures:
    """How well labels agree with the truth.

    `macro_f1` is the mean over the classes that the truth holds, `majority_baseline` the accuracy of always
    answering its most frequent class; the intervals are those of 95%, see `intervals`. `confusion` has a row per true
    and a column per predicted class, both in the order of `class_names`. `left_out` counts what is not in `n`, by
    reason: a status, or `COPY`, `TIE`, `MISSING` or `FURTHER_FACE`. `against` names the truth.
    """

    n: int
    accuracy: float
    accuracy_interval: Interval
    macro_f1: float
    macro_f1_interval: Interval
    majority_baseline: float
    class_names: tuple[str, ...]
    per_class: dict[str, ClassFigures]
    confusion: tuple[tuple[int, ...], ...]
    left_out: dict[str, int] = field(default_factory=dict)
    against: str = FOLDERS
    confidence: Confidence | None = None
    """None where only labels were compared."""

    def as_json(self) -> dict[str, Any]:
        """Return the figures as a JSON object."""
        return {**asdict(self), "confidence": self.confidence and self.confidence.as_json()}


def compare(
    truth: Sequence[str],
    predicted: Sequence[str],
    class_names: Sequence[str],
    probabilities: Probabilities | None = None,
) -> Figures:
    """Compare labels with the truth: class names both, in the same order of pictures.

    The ``probabilities`` (n, classes) they come from, if they are known, are judged as well.

    Raises:
        LabelerError: a name in either is not one of ``class_names``.
        NoPicturesError: there is nothing to compare.
    """
    check_names("the truth", truth, class_names)
    check_names("the labels", predicted, class_names)
    if not truth:
        raise NoPicturesError("there is no labelled picture left to compare with the truth")
    names = list(class_names)
    scores = precision_recall_fscore_support(truth, predicted, labels=names, zero_division=0)
    per_class = {
        name: ClassFigures(precision=float(precision), recall=float(recall), f1=float(f1), support=int(support))
        for name, precision, recall, f1, support in zip(names, *scores, strict=True)
    }
    confusion = confusion_matrix(truth, predicted, labels=names)
    cells = tuple(tuple(row) for row in confusion.tolist())
    right = int(np.trace(confusion))
    places = np.array([names.index(name) for name in truth])
    present = [one.f1 for one in per_class.values() if one.support]
    return Figures(
        n=len(truth),
        accuracy=right / len(truth),
        accuracy_interval=intervals.of_share(right, len(truth)),
        macro_f1=sum(present) / len(present),
        macro_f1_interval=intervals.of_macro_f1(cells),
        majority_baseline=max(one.support for one in per_class.values()) / len(truth),
        class_names=tuple(names),
        per_class=per_class,
        confusion=cells,
        confidence=None if probabilities is None else calibration.of(probabilities, places),
    )


def of_folders(rows: Iterable[Row], class_names: Sequence[str], copies: Collection[str] = frozenset()) -> Figures:
    """Compare the rows of a directory of class folders with the folders that the files stand in.

    The truth of a row is the first folder in its file's name; an `uncertain` row counts as its most probable
    class. Files that failed, are damaged, gave no face or are in ``copies``, and all faces of a file but its
    largest, are left out and counted.

    Raises:
        LabelerError: a folder is not named like a class, or a file stands in no folder.
        NoPicturesError: no row is left.
    """
    return _compared(rows, _class_folder, class_names, copies, "the class folders")


def of_table(
    rows: Iterable[Row], truth: Truth, class_names: Sequence[str], copies: Collection[str] = frozenset()
) -> Figures:
    """Compare rows with what a table says of their files; left out are those of `of_folders`, ties and what is missing.

    Raises:
        LabelerError: the table has a class that is none.
        NoPicturesError: no row is left.
    """
    figures = _compared(rows, truth.labels.__getitem__, class_names, copies, "the table's classes")
    others = {TIE: truth.ties, MISSING: len(truth.missing)}
    left_out = {**figures.left_out, **{why: count for why, count in others.items() if count}}
    return replace(figures, against=truth.against, left_out=left_out)


def class_folders(directory: str | Path) -> tuple[str, ...]:
    """Return the names of the class folders of a directory, sorted; hidden folders are passed over.

    Raises:
        LabelerError: there is no such directory, or no folder in it.
    """
    try:
        with os.scandir(directory) as entries:
            names = sorted(entry.name for entry in entries if entry.is_dir() and not entry.name.startswith("."))
    except OSError as exc:
        raise LabelerError(f"the directory {directory} cannot be read: {exc.strerror}") from exc
    if not names:
        raise LabelerError(f"{directory} holds no class folders; it needs one folder of pictures for each class")
    return tuple(names)


def check_names(holder: str, names: Iterable[str], class_names: Sequence[str]) -> None:
    """Check that all ``names`` are classes.

    Raises:
        LabelerError: some are not; it lists both sets.
    """
    found = set(names)
    unknown = sorted(found.difference(class_names))
    if unknown:
        raise LabelerError(
            f"{holder}: {', '.join(unknown)} - not known to the model. It knows {', '.join(class_names)}; "
            f"{holder}: {', '.join(sorted(found))}. Give them the model's names (folders by renaming them, those of "
            "a table with --classes theirs=model's), or use a model trained on these classes"
        )


def copies_of(originals: str | Path, directory: str | Path) -> frozenset[str]:
    """Return the files of ``directory`` that show a model the very pixels of a file in ``originals``."""
    known = {fingerprint for _, fingerprint in _fingerprints(originals)}
    return frozenset(file for file, fingerprint in _fingerprints(directory) if fingerprint in known)


def _compared(
    rows: Iterable[Row],
    truth_of: Callable[[str], str],
    class_names: Sequence[str],
    copies: Collection[str],
    holder: str,
) -> Figures:
    left_out: Counter[str] = Counter()
    found: set[str] = set()
    truth: list[str] = []
    judged: list[Row] = []
    for row in rows:
        true = truth_of(row.file)
        found.add(true)
        reason = _why_left_out(row, copies)
        if reason:
            left_out[reason] += 1
        else:
            truth.append(true)
            judged.append(row)
    check_names(holder, found, class_names)
    predicted = [_most_probable(row, class_names) for row in judged]
    probabilities = np.array([row.probabilities for row in judged])
    return replace(compare(truth, predicted, class_names, probabilities), left_out=dict(left_out))


def _class_folder(file: str) -> str:
    folder, slash, _ = file.partition("/")
    if not slash:
        raise LabelerError(f"{file} stands in no class folder; move it into the folder of its class, or away")
    return folder


def _why_left_out(row: Row, copies: Collection[str]) -> str:
    if row.status is not Status.OK:
        return FURTHER_FACE if row.face else row.status.value
    if row.file in copies:
        return COPY
    return FURTHER_FACE if row.face else ""


def _most_probable(row: Row, class_names: Sequence[str]) -> str:
    if row.label != UNCERTAIN:
        return row.label
    return class_names[row.probabilities.index(max(row.probabilities))]


def _fingerprints(directory: str | Path) -> Iterator[tuple[str, bytes]]:
    source = sources.find(directory)
    look = labeling.Looker(Settings(root=source.root))
    for file in source:
        try:
            found = look(file).faces
        except images.ImageError:
            continue  # What cannot be read is no copy; whoever labels the directory reports it.
        for _, crop in found[:1]:
            yield file, images.fingerprint(crop)
