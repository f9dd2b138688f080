"""A model put to the test: pictures whose truth is known, as they are and as they may reach it."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from labeler import pipeline, sources
from labeler.errors import LabelerError, NoPicturesError, OutputError
from labeler.evaluation import charts, metrics, perturbations
from labeler.evaluation import truth as compared
from labeler.evaluation.calibration import Kept
from labeler.evaluation.metrics import Figures
from labeler.evaluation.perturbations import Variation
from labeler.records import Row, Settings
from labeler.storage import atomic
from labeler.tables.labels import Truth

Follow = Callable[[Iterable[Row], int], Iterable[Row]]
"""Passes rows on, and shows how far they are; is told how many files there are."""


@dataclass(frozen=True, kw_only=True)
class Exam:
    """What a model is asked, and what is right."""

    data: Path
    """A directory of class folders, or of the pictures that ``truth`` knows."""
    model: str
    class_names: tuple[str, ...]
    """The model's."""
    truth: Truth | None = None
    copies: Collection[str] = frozenset()
    """Files to leave out, such as `truth.copies_of` finds."""
    workers: int = 0
    wanted_accuracy: float | None = None
    robustness: bool = False
    """Whether to ask again, each picture varied in every way that `variations` knows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What the accuracy is after all pictures were varied in one way, and how many points (0.01) it lost."""

    variation: str
    accuracy: float
    drop: float


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What came out."""

    figures: Figures
    wanted_accuracy: float | None = None
    suggestion: Kept | None = None
    """The smallest threshold that gives the wanted accuracy, and what it keeps."""
    trials: tuple[Trial, ...] = ()
    passed_over: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    """Files that the table names and that are not there."""

    def as_json(self) -> dict[str, Any]:
        """Return what `--json` prints: the figures, and with them what was asked for besides."""
        found: dict[str, Any] = self.figures.as_json()
        if self.wanted_accuracy is not None:
            found["wanted_accuracy"] = self.wanted_accuracy
            found["suggestion"] = self.suggestion and {
                **asdict(self.suggestion),
                "coverage": self.suggestion.n / self.figures.n,
                "accuracy": self.suggestion.accuracy,
                "accuracy_interval": self.suggestion.interval,
            }
        if self.trials:
            found["robustness"] = [asdict(trial) for trial in self.trials]
        return {**found, "passed_over": self.passed_over, "missing": self.missing}


def take(exam: Exam, follow: Follow = lambda rows, _: rows) -> Verdict:
    """Let a model answer, once or once for each variation, and judge it.

    Raises:
        LabelerError: the truth has a class that the model does not know, or a file stands in no class folder.
        NoPicturesError: no picture is left to judge by.
        ModelError: the model cannot be used.
    """
    _check_names(exam)
    if exam.truth:
        exam = replace(exam, truth=_of_what_is_there(exam.truth, exam.data))
    figures = _figures(exam, follow, None)
    wanted = exam.wanted_accuracy
    return Verdict(
        figures=figures,
        wanted_accuracy=wanted,
        suggestion=figures.confidence.reaching(wanted) if figures.confidence and wanted is not None else None,
        trials=tuple(_trials(exam, follow, figures)) if exam.robustness else (),
        passed_over=exam.truth.passed_over if exam.truth else (),
        missing=exam.truth.missing if exam.truth else (),
    )


def write(verdict: Verdict, folder: Path) -> None:
    """Write metrics.json, confusion.png, reliability.png and coverage.png into a folder, made if it is missing.

    Raises:
        LabelerError: one of them is there already.
        OutputError: they cannot be written.
    """
    drawn: dict[str, Callable[[Figures], Figure]] = {
        "confusion.png": charts.draw_confusion,
        "reliability.png": charts.draw_reliability,
        "coverage.png": partial(charts.draw_coverage, suggestion=verdict.suggestion),
    }
    for name in ("metrics.json", *drawn):
        if (folder / name).exists():
            raise LabelerError(f"{folder / name} exists already; give another --out")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise OutputError(f"cannot write {folder / 'metrics.json'}: {exc.strerror or exc}") from exc
    atomic.write_json(folder / "metrics.json", verdict.as_json())
    for name, draw in drawn.items():
        charts.save(draw(verdict.figures), folder / name)


def _check_names(exam: Exam) -> None:
    """Compare class names before an hour is spent on labels."""
    if exam.truth:
        metrics.check_names("the table's classes", exam.truth.class_names, exam.class_names)
    else:
        metrics.check_names("the class folders", compared.class_folders(exam.data), exam.class_names)


def _of_what_is_there(truth: Truth, directory: Path) -> Truth:
    """Return the truth without the files that are missing: one that has gone since is no reason to judge nothing."""
    labels = {file: label for file, label in truth.labels.items() if os.path.lexists(directory / file)}
    missing = tuple(file for file in truth.labels if file not in labels)
    if missing and not labels:
        raise NoPicturesError(f"none of the {len(missing):,} pictures that the table names is there: {missing[0]}, ...")
    return replace(truth, labels=labels, missing=missing)


def _figures(exam: Exam, follow: Follow, vary: Variation | None) -> Figures:
    truth = exam.truth
    inputs = [exam.data / file for file in truth.labels] if truth else [exam.data]
    total = len(inputs) if truth else sum(1 for _ in sources.find(exam.data))
    settings = Settings(exam.model, absolute=bool(truth))
    rows = follow(pipeline.label(inputs, settings, exam.workers, vary=vary), total)
    if not truth:
        return compared.of_folders(rows, exam.class_names, exam.copies)
    return compared.of_table(_relative(rows, exam.data), truth, exam.class_names, exam.copies)


def _relative(rows: Iterable[Row], directory: Path) -> Iterator[Row]:
    root = os.path.join(os.path.abspath(directory), "")
    return (row._replace(file=row.file.removeprefix(root.replace(os.sep, "/"))) for row in rows)


def _trials(exam: Exam, follow: Follow, as_they_are: Figures) -> Iterator[Trial]:
    for name, vary in perturbations.VARIATIONS.items():
        accuracy = _figures(exam, follow, vary).accuracy
        yield Trial(variation=name, accuracy=accuracy, drop=100 * (as_they_are.accuracy - accuracy))
