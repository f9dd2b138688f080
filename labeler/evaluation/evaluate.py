"""Evaluate a model on labelled images: as they are, and perturbed."""

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
from labeler.evaluation import charts, classes, perturbations
from labeler.evaluation import truth as compared
from labeler.evaluation.calibration import Kept
from labeler.evaluation.metrics import Figures
from labeler.evaluation.perturbations import Perturbation
from labeler.records import Faces, Resize, Row, Settings
from labeler.storage import atomic
from labeler.tables.labels import Truth

Follow = Callable[[Iterable[Row], int], Iterable[Row]]
"""Passes rows on and shows the progress; takes the rows and the number of files."""


@dataclass(frozen=True, kw_only=True)
class EvaluateSettings:
    """The model to evaluate, the images, and their ground truth."""

    data: Path
    """A directory of class folders, or of the files in ``truth``."""
    model: str
    class_names: tuple[str, ...]
    """The classes of the model."""
    faces: Faces = Faces.AUTO
    resize: Resize | None = None
    """How faces are found, and images that are taken whole become squares: see `Settings`."""
    prior: tuple[float, ...] = ()
    """The class shares that the probabilities are to assume: see `Settings`."""
    truth: Truth | None = None
    copies: Collection[str] = frozenset()
    """Files to leave out, such as those of `truth.copies_of`."""
    workers: int = 0
    wanted_accuracy: float | None = None
    robustness: bool = False
    """Whether to evaluate again with each of the `perturbations`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """The accuracy after one perturbation of all images, and the points (0.01) it lost."""

    variation: str
    accuracy: float
    drop: float


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """The result of an evaluation."""

    figures: Figures
    wanted_accuracy: float | None = None
    suggestion: Kept | None = None
    """The smallest threshold with the wanted accuracy, and what it keeps; None when there is none."""
    trials: tuple[Trial, ...] = ()
    passed_over: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    """Files that the table names and that do not exist."""

    def as_json(self) -> dict[str, Any]:
        """Return what `--json` prints: the figures, the suggested threshold and the robustness."""
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


def evaluate(wanted: EvaluateSettings, follow: Follow = lambda rows, _: rows) -> Evaluation:
    """Label the images, once as they are and once for each perturbation, and compare the labels with the truth.

    Raises:
        LabelerError: the truth has a class that the model does not have, or a file is in no class folder.
        NoPicturesError: no labelled image is left.
        ModelError: the model cannot be used.
    """
    _check_names(wanted)
    if wanted.truth:
        wanted = replace(wanted, truth=_of_what_is_there(wanted.truth, wanted.data))
    figures = _figures(wanted, follow, None)
    accuracy = wanted.wanted_accuracy
    return Evaluation(
        figures=figures,
        wanted_accuracy=accuracy,
        suggestion=figures.confidence.reaching(accuracy) if figures.confidence and accuracy is not None else None,
        trials=tuple(_trials(wanted, follow, figures)) if wanted.robustness else (),
        passed_over=wanted.truth.passed_over if wanted.truth else (),
        missing=wanted.truth.missing if wanted.truth else (),
    )


def write(evaluation: Evaluation, folder: Path) -> None:
    """Write metrics.json, confusion.png, reliability.png and coverage.png into a folder; create it when missing.

    Raises:
        LabelerError: one of them exists already.
        OutputError: they cannot be written.
    """
    drawn: dict[str, Callable[[Figures], Figure]] = {
        "confusion.png": charts.draw_confusion,
        "reliability.png": charts.draw_reliability,
        "coverage.png": partial(charts.draw_coverage, suggestion=evaluation.suggestion),
    }
    for name in ("metrics.json", *drawn):
        if (folder / name).exists():
            raise LabelerError(f"{folder / name} exists already; give another --out")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise OutputError(f"cannot write {folder / 'metrics.json'}: {exc.strerror or exc}") from exc
    atomic.write_json(folder / "metrics.json", evaluation.as_json())
    for name, draw in drawn.items():
        charts.save(draw(evaluation.figures), folder / name)


def _check_names(wanted: EvaluateSettings) -> None:
    """Compare the class names first: labeling may take an hour."""
    if wanted.truth:
        classes.check_names("the table's classes", wanted.truth.class_names, wanted.class_names)
    else:
        classes.check_names("the class folders", classes.class_folders(wanted.data), wanted.class_names)


def _of_what_is_there(truth: Truth, directory: Path) -> Truth:
    """Return the truth without files that do not exist: a file that is gone must not stop the evaluation."""
    labels = {file: label for file, label in truth.labels.items() if os.path.lexists(directory / file)}
    missing = tuple(file for file in truth.labels if file not in labels)
    if missing and not labels:
        raise NoPicturesError(f"none of the {len(missing):,} photos that the table names exists: {missing[0]}, ...")
    return replace(truth, labels=labels, missing=missing)


def _figures(wanted: EvaluateSettings, follow: Follow, vary: Perturbation | None) -> Figures:
    truth = wanted.truth
    inputs = [wanted.data / file for file in truth.labels] if truth else [wanted.data]
    total = len(inputs) if truth else sum(1 for _ in sources.find(wanted.data))
    settings = Settings(
        model=wanted.model, faces=wanted.faces, resize=wanted.resize, prior=wanted.prior, absolute=bool(truth)
    )
    rows = follow(pipeline.label(inputs, settings, wanted.workers, vary=vary), total)
    if not truth:
        return compared.of_folders(rows, wanted.class_names, wanted.copies)
    return compared.of_table(_relative(rows, wanted.data), truth, wanted.class_names, wanted.copies)


def _relative(rows: Iterable[Row], directory: Path) -> Iterator[Row]:
    root = os.path.join(os.path.abspath(directory), "")
    return (row._replace(file=row.file.removeprefix(root.replace(os.sep, "/"))) for row in rows)


def _trials(wanted: EvaluateSettings, follow: Follow, as_they_are: Figures) -> Iterator[Trial]:
    for name, vary in perturbations.PERTURBATIONS.items():
        accuracy = _figures(wanted, follow, vary).accuracy
        yield Trial(variation=name, accuracy=accuracy, drop=100 * (as_they_are.accuracy - accuracy))
