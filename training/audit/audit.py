"""Probably wrong labels, contradictions and copies in a labelled data set, worst first. `audit` is the whole story."""

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
from labeler.inference.embeddings import Features
from labeler.records import Progress
from labeler.tables import arrow
from labeler.tables.cells import escape
from labeler.tables.labels import Labelled, tied
from labeler.tables.reader import check
from training.audit import copies
from training.audit.copies import Issue, Kin
from training.data import dataset
from training.data.decode import Read, Reader

Labels = NDArray[np.int64]
Probabilities = NDArray[np.float64]

_STRENGTH = 0.003
"""How far the weights of the features may go, as scikit-learn's `C`: of 0.0003 to 1 the one that makes the labels of
held-out pictures the most likely (FER-2013's public test pictures, 256 features of a network of `--arch default`)."""

_STEPS = 1000
"""At most so many steps of the fit; about 50 are taken."""

_ORDER = {Issue.LABEL: 0, Issue.CONFLICT: 0, Issue.DUPLICATE: 1, Issue.NEAR_DUPLICATE: 2}

_SHOWN = 10
"""How many skipped pictures, and kinds of change, are told."""

_SCHEMA = pyarrow.schema(
    {
        "file": pyarrow.string(),
        "label": pyarrow.string(),
        "suggested": pyarrow.string(),
        "confidence": pyarrow.float64(),
        "suggested_probability": pyarrow.float64(),
        "issue": pyarrow.string(),
        "group": pyarrow.int32(),
        "other": pyarrow.string(),
    }
)


@dataclass(frozen=True, slots=True)
class AuditSettings:
    """What is to be audited, and how."""

    data: Path
    """The directory of class folders, or of the pictures that `labels` names."""
    out: Path
    """The table to write: new."""
    labels: Path | None = None
    """A table that says what the pictures show, instead of class folders."""
    classes: str = ""
    """The table's labels or columns to use, each with the name of its class: ``anger=angry,sad``; empty for all."""
    model: str = ""
    """What sees the pictures: a bundle's name, a run directory, or a model file; empty for the default bundle."""
    folds: int = 5
    workers: int = 0
    """Processes that read the pictures, and threads that run the network; 0 for one per core."""


@dataclass(frozen=True)
class Audited:
    """What an audit has come to.

    `agreement` is the share of pictures whose label is the most probable one by all the others, `majority_baseline`
    that of the most frequent label. `issues` counts the table's rows by issue, `changes` those of `Issue.LABEL` by what
    they would become, the most frequent first. ``skipped`` says what could not be used, and why; ``unreadable``
    counts the pictures among it that failed, are damaged, or held no face.
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
        """Return 1 when files could not be looked at."""
        return 1 if self.unreadable else 0

    def lines(self, out: Path) -> list[str]:
        """Say what was found, for a person."""
        found = ", ".join(f"{count:,} {issue}" for issue, count in self.issues.items()) or "nothing"
        skipped = [f"skipped {line}" for line in self.skipped[:_SHOWN]]
        if len(self.skipped) > _SHOWN:
            skipped.append(f"... {len(self.skipped) - _SHOWN:,} more skipped; --json lists them all")
        frequent = [f"{count:,} {change}" for change, count in list(self.changes.items())[:_SHOWN]]
        told = (
            f"{self.n:,} pictures, seen by {self.model}; their labels and what the other folds say agree on "
            f"{self.agreement:.1%} (always the most frequent label: {self.majority_baseline:.1%})"
        )
        return [*skipped, told, f"{out}: {found}", *([f"suggested: {', '.join(frequent)}"] if frequent else [])]

    def as_json(self) -> dict[str, Any]:
        """Return the summary as a JSON object."""
        return asdict(self)


def audit(settings: AuditSettings, console: Console, form: Progress = Progress.AUTO) -> Audited:
    """Write the table of an audit: the pictures with an issue, the worst first.

    Raises:
        LabelerError: a setting, the data or the model cannot be used.
        OutputError: the table cannot be written.
    """
    _check(settings)
    path = bundle.find(settings.model)
    labelled, _ = dataset.find(settings.data, None, settings.labels, settings.classes)
    read, seen, unreadable, skipped = _look(labelled, path, settings, console, form)
    labels, groups = read.votes.argmax(axis=1), duplicates.groups(read.hashes)
    _check_enough(labels, groups, labelled.class_names, settings.folds)
    with console.status("judging each fold by the others"):
        probabilities = out_of_fold(seen, labels, groups, settings.folds)
        doubtful = find_label_issues(labels, probabilities, n_jobs=1)
    rows = _rows(read, labelled.class_names, probabilities, doubtful, copies.kin(read.fingerprints, labels, groups))
    arrow.write(settings.out, pyarrow.Table.from_pylist(rows, _SCHEMA))
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


def out_of_fold(seen: Features, labels: Labels, groups: Groups, folds: int) -> Probabilities:
    """Return how probable each class is for each picture (n, classes), judged by pictures of other folds alone.

    Multinomial logistic regression on ``seen`` (n, features). A group is never in two folds. The folds are always the
    same.
    """
    probabilities = np.zeros((len(labels), labels.max() + 1))
    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=0)
    with threadpool_limits(1):  # The matrices are small: beside another busy process, threads took 100 times as long.
        for others, fold in splitter.split(seen, labels, groups):
            fitted = make_pipeline(StandardScaler(), LogisticRegression(C=_STRENGTH, max_iter=_STEPS))
            fitted.fit(seen[others], labels[others])
            probabilities[np.ix_(fold, fitted.classes_)] = fitted.predict_proba(seen[fold])
    return probabilities


def _look(
    labelled: Labelled, model: Path, settings: AuditSettings, console: Console, form: Progress
) -> tuple[Read, Features, int, tuple[str, ...]]:
    """Return the pictures with one label, what the network sees in them, how many failed, and what was left out."""
    with _cache(settings.out) as file:
        with progress.shown("reading pictures", console, form, quiet=console.quiet) as meter:
            reader = Reader(file, len(labelled.files), meter.set)
            read = reader.read(labelled, settings.workers)
        with progress.shown("looking at them", console, form, quiet=console.quiet) as meter:
            seen = embeddings.seen(model, reader.pixels(), settings.workers, meter.set)
    tie = tied(read.votes)
    ties = [f"{labelled.root}/{file}: its votes are tied" for file in read.at(tie).files]
    return read.at(~tie), seen[~tie], len(labelled.files) - len(read), (*reader.skipped, *ties)


def _rows(
    read: Read,
    class_names: Sequence[str],
    probabilities: Probabilities,
    doubtful: NDArray[np.bool_],
    kin: Sequence[Kin],
) -> list[dict[str, Any]]:
    """Return the table's rows: first labels and conflicts, by how much more probable another label is; then copies."""
    labels, suggested = read.votes.argmax(axis=1), probabilities.argmax(axis=1)
    every = np.arange(len(labels))
    confidence, suggestion = probabilities[every, labels].round(6), probabilities[every, suggested].round(6)
    names = [escape(file) for file in read.files]
    found: list[tuple[tuple[Any, ...], dict[str, Any]]] = []
    for row, one in enumerate(kin):
        issue = one.issue if one.issue is Issue.CONFLICT or not doubtful[row] else Issue.LABEL
        if not issue:
            continue
        worth = confidence[row] - suggestion[row] if issue in (Issue.LABEL, Issue.CONFLICT) else one.group
        cells = {
            "file": names[row],
            "label": class_names[labels[row]],
            "suggested": class_names[suggested[row]],
            "confidence": float(confidence[row]),
            "suggested_probability": float(suggestion[row]),
            "issue": issue,
            "group": one.group,
            "other": "" if one.other is None else names[one.other],
        }
        found.append(((_ORDER[issue], worth, row), cells))
    return [cells for _, cells in sorted(found, key=lambda pair: pair[0])]


@contextmanager
def _cache(out: Path) -> Iterator[IO[bytes]]:
    """Give a nameless file beside ``out`` for the pixels."""
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
        raise LabelerError("--folds is at least 2")


def _check_enough(labels: Labels, groups: Groups, class_names: Sequence[str], folds: int) -> None:
    """Refuse a class that could be missing from what a fold is judged by."""
    sizes = [len(set(groups[labels == label])) for label in range(len(class_names))]
    if min(sizes) < folds:
        name = class_names[sizes.index(min(sizes))]
        raise LabelerError(
            f"{name} has {min(sizes)} pictures that are no copies of each other, too few for {folds} folds; "
            "leave the class out, or give fewer --folds"
        )
