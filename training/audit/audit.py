"""Audit a labelled data set: find probable label errors (confident learning), conflicts and copies."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import pyarrow
from cleanlab.filter import find_label_issues
from numpy.typing import NDArray
from rich.console import Console
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from labeler import progress
from labeler.errors import LabelerError, OutputError
from labeler.grouping import duplicates
from labeler.grouping.duplicates import Groups
from labeler.inference import bundle, embeddings
from labeler.inference.embeddings import Embeddings
from labeler.records import Faces, Progress, Resize
from labeler.tables import arrow
from labeler.tables.labels import Labelled
from labeler.tables.reader import check
from labeler.tables.votes import tied
from training.audit import copies, table
from training.audit.copies import Issue
from training.audit.table import Probabilities
from training.data import dataset
from training.data.decode import Read, Reader

Labels = NDArray[np.int64]

_STRENGTH = 0.003
"""Inverse regularization strength `C` of the logistic regression: of 0.0003 to 1 the one with the lowest log loss on
held-out images (FER-2013's public test images, 256 features of a network of `--arch large`)."""

_STEPS = 1000
"""Upper limit on the iterations of a fit; about 50 are needed."""

_SHOWN = 10
"""Upper limit on the skipped files, and on the label changes, that are printed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditSettings:
    """What to audit, and how."""

    data: Path
    """The directory of class folders, or of the files that `labels` names."""
    out: Path
    """The table to write; it must not exist."""
    labels: Path | None = None
    """A table of labels or votes, used instead of class folders."""
    classes: str = ""
    """The table's labels or columns to use, each with the name of its class: ``anger=angry,sad``; empty for all."""
    reviews: bool = True
    """Whether corrections of the table count."""
    model: str = ""
    """The model that computes the embeddings: a bundle's name, a run directory or a file; empty for the default."""
    faces: Faces = Faces.AUTO
    resize: Resize | None = None
    """How faces are found, and images that are taken whole become squares: see `labeler.records.Settings`."""
    folds: int = 5
    workers: int = 0
    """Processes that decode the files, and threads that run the network; 0 for one per core."""


@dataclass(frozen=True, kw_only=True)
class Audited:
    """The result of an audit.

    `agreement` is the share of images whose label is the most probable one out of fold; `majority_baseline` is the
    share of the most frequent label. `issues` counts the rows of the table by issue; `changes` counts those of
    `Issue.LABEL` by suggested change, the most frequent first. ``skipped`` says which files could not be used, and why;
    ``unreadable`` counts those among them that failed, are damaged or have no face.
    """

    n: int
    classes: tuple[str, ...]
    model: str
    folds: int
    agreement: float
    majority_baseline: float
    issues: dict[str, int]
    changes: dict[str, int]
    unreadable: int
    skipped: tuple[str, ...]

    @property
    def exit_code(self) -> int:
        """Return 1 when files could not be used."""
        return 1 if self.unreadable else 0

    def lines(self, out: Path) -> list[str]:
        """Describe the result for a person, line by line."""
        found = ", ".join(f"{count:,} {issue}" for issue, count in self.issues.items()) or "nothing"
        skipped = [f"skipped {line}" for line in self.skipped[:_SHOWN]]
        if len(self.skipped) > _SHOWN:
            skipped.append(f"... {len(self.skipped) - _SHOWN:,} more skipped; --json lists them all")
        frequent = [f"{count:,} {change}" for change, count in list(self.changes.items())[:_SHOWN]]
        told = (
            f"{self.n:,} photos, embedded by {self.model}; labels and predictions from the other folds agree on "
            f"{self.agreement:.1%} (always the most frequent label: {self.majority_baseline:.1%})"
        )
        return [*skipped, told, f"{out}: {found}", *([f"suggested: {', '.join(frequent)}"] if frequent else [])]

    def as_json(self) -> dict[str, Any]:
        """Return the summary as a JSON object."""
        return asdict(self)


def audit(settings: AuditSettings, console: Console, form: Progress = Progress.AUTO) -> Audited:
    """Audit a data set and write a table of the images with an issue, the worst first.

    Raises:
        LabelerError: a setting, the data or the model cannot be used.
        OutputError: the table cannot be written.
    """
    _check(settings)
    path = bundle.find(settings.model)
    labelled, _ = dataset.find(settings.data, None, settings.labels, settings.classes, reviews=settings.reviews)
    read, embedded, unreadable, skipped = _embed(labelled, bundle.float32(path), settings, console, form)
    labels, groups = read.votes.argmax(axis=1), duplicates.groups(read.hashes)
    _check_enough(labels, groups, labelled.class_names, settings.folds)
    with console.status("predicting each fold from the others"):
        probabilities = out_of_fold(embedded, labels, groups, settings.folds)
        doubtful = find_label_issues(labels, probabilities, n_jobs=1)
    rows = table.rows(
        read, labelled.class_names, probabilities, doubtful, copies.kin(read.fingerprints, labels, groups)
    )
    arrow.write(settings.out, pyarrow.Table.from_pylist(rows, table.SCHEMA))
    counts = Counter(row["issue"] for row in rows)
    changes = Counter(f"{row['label']} -> {row['suggested']}" for row in rows if row["issue"] == Issue.LABEL)
    return Audited(
        n=len(read),
        classes=labelled.class_names,
        model=path.parent.name if path.name == bundle.CLASSIFIER else path.name,
        folds=settings.folds,
        agreement=float((probabilities.argmax(axis=1) == labels).mean()),
        majority_baseline=float(np.bincount(labels).max() / len(labels)),
        issues={issue.value: counts[issue] for issue in Issue if counts[issue]},
        changes=dict(changes.most_common()),
        unreadable=unreadable,
        skipped=skipped,
    )


def out_of_fold(embedded: Embeddings, labels: Labels, groups: Groups, folds: int) -> Probabilities:
    """Return out-of-fold probabilities (n, classes): each image is predicted by a fit to the other folds.

    The fit is a multinomial logistic regression on ``embedded`` (n, features). A group is never in two folds. The folds
    are always the same.
    """
    probabilities = np.zeros((len(labels), labels.max() + 1))
    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=0)
    with threadpool_limits(1):  # The matrices are small: with another busy process, threads took 100 times as long.
        for others, fold in splitter.split(embedded, labels, groups):
            fitted = make_pipeline(StandardScaler(), LogisticRegression(C=_STRENGTH, max_iter=_STEPS))
            fitted.fit(embedded[others], labels[others])
            probabilities[np.ix_(fold, fitted.classes_)] = fitted.predict_proba(embedded[fold])
    return probabilities


def _embed(
    labelled: Labelled, model: Path, settings: AuditSettings, console: Console, form: Progress
) -> tuple[Read, Embeddings, int, tuple[str, ...]]:
    """Return the images with a single label, their embeddings, the number of failed files, and what was skipped."""
    view = embeddings.view(model)  # Raises before all photos are read.
    with _cache(settings.out) as file:
        with progress.shown("reading photos", console, form, quiet=console.quiet) as meter:
            reader = Reader(file, len(labelled.files), meter.set, view.of(settings.resize), settings.faces)
            read = reader.read(labelled, settings.workers)
        with progress.shown("computing embeddings", console, form, quiet=console.quiet) as meter:
            embedded = embeddings.embed(model, reader.pixels(), settings.workers, meter.set)
    tie = tied(read.votes)
    ties = [f"{labelled.root}/{file}: its votes are tied" for file in read.at(tie).files]
    return read.at(~tie), embedded[~tie], len(labelled.files) - len(read), (*reader.skipped, *ties)


@contextmanager
def _cache(out: Path) -> Iterator[IO[bytes]]:
    """Open an unnamed file beside ``out`` for the pixels."""
    try:
        file = tempfile.TemporaryFile(dir=out.parent)  # noqa: SIM115 - closed below
    except OSError as exc:
        raise OutputError(f"cannot write in {out.parent}: {exc.strerror or exc}") from exc
    with file:
        yield file


def _check(settings: AuditSettings) -> None:
    check(settings.out)
    if settings.out.exists():
        raise LabelerError(f"{settings.out} exists already; give another --out")
    if settings.folds < 2:
        raise LabelerError("--folds must be at least 2")


def _check_enough(labels: Labels, groups: Groups, class_names: Sequence[str], folds: int) -> None:
    """Refuse a class with so few groups that the fit for a fold could lack it."""
    sizes = [len(set(groups[labels == label])) for label in range(len(class_names))]
    if min(sizes) < folds:
        name = class_names[sizes.index(min(sizes))]
        raise LabelerError(
            f"{name} has {min(sizes)} photos that are no copies of each other, too few for {folds} folds; "
            "leave the class out, or give fewer --folds"
        )
