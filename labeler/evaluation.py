"""What a model is worth: labels compared with the truth, by class name, and drawn."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from numpy.typing import NDArray
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

from labeler import files, images, labeling, sources
from labeler.errors import LabelerError, NoPicturesError, OutputError
from labeler.records import UNCERTAIN, Row, Settings, Status

COPY = "copy"
"""Why a picture is left out that is pixel-identical to one the model was trained on."""

FURTHER_FACE = "further_face"
"""Why a face is left out that is not the largest of its picture."""

INK, PALE_INK = "#1c2430", "#5d6875"
"""The two text colours of everything that is drawn."""


@dataclass(frozen=True, slots=True)
class ClassFigures:
    """How well one class is found; `support` is how many pictures truly are of it."""

    precision: float
    recall: float
    f1: float
    support: int


@dataclass(frozen=True)
class Figures:
    """How well labels agree with the truth.

    `macro_f1` is the mean over the classes that the truth holds, `majority_baseline` the accuracy of always
    answering its most frequent class. `confusion` has a row per true and a column per predicted class, both
    in the order of `class_names`. `left_out` counts what is not in `n`, by reason: a status, or `COPY`, or
    `FURTHER_FACE`.
    """

    n: int
    accuracy: float
    macro_f1: float
    majority_baseline: float
    class_names: tuple[str, ...]
    per_class: dict[str, ClassFigures]
    confusion: tuple[tuple[int, ...], ...]
    left_out: dict[str, int] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Return the figures as a JSON object."""
        return asdict(self)


def compare(truth: Sequence[str], predicted: Sequence[str], class_names: Sequence[str]) -> Figures:
    """Compare labels with the truth: class names both, in the same order of pictures.

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
        name: ClassFigures(float(precision), float(recall), float(f1), int(support))
        for name, precision, recall, f1, support in zip(names, *scores, strict=True)
    }
    confusion = confusion_matrix(truth, predicted, labels=names)
    present = [one.f1 for one in per_class.values() if one.support]
    return Figures(
        n=len(truth),
        accuracy=int(np.trace(confusion)) / len(truth),
        macro_f1=sum(present) / len(present),
        majority_baseline=max(one.support for one in per_class.values()) / len(truth),
        class_names=tuple(names),
        per_class=per_class,
        confusion=tuple(tuple(row) for row in confusion.tolist()),
    )


def of_folders(rows: Iterable[Row], class_names: Sequence[str], copies: Collection[str] = frozenset()) -> Figures:
    """Compare the rows of a directory of class folders with the folders that the files stand in.

    The truth of a row is the first folder in its file's name; an `uncertain` row counts as its most probable
    class. Files that failed, that gave no face or that are in ``copies``, and all faces of a file but its
    largest, are left out and counted.

    Raises:
        LabelerError: a folder is not named like a class, or a file stands in no folder.
        NoPicturesError: no row is left.
    """
    left_out: Counter[str] = Counter()
    folders: set[str] = set()
    truth: list[str] = []
    predicted: list[str] = []
    for row in rows:
        folder = _class_folder(row.file)
        folders.add(folder)
        reason = _why_left_out(row, copies)
        if reason:
            left_out[reason] += 1
        else:
            truth.append(folder)
            predicted.append(_most_probable(row, class_names))
    check_names("the class folders", folders, class_names)
    return replace(compare(truth, predicted, class_names), left_out=dict(left_out))


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
            f"{holder}: {', '.join(sorted(found))}. Rename the folders to the model's names, or use a model "
            "trained on these classes"
        )


def copies_of(originals: str | Path, directory: str | Path) -> frozenset[str]:
    """Return the files of ``directory`` that show a model the very pixels of a file in ``originals``."""
    known = {fingerprint for _, fingerprint in _fingerprints(originals)}
    return frozenset(file for file, fingerprint in _fingerprints(directory) if fingerprint in known)


def draw_confusion(figures: Figures, path: str | Path) -> None:
    """Draw the confusion matrix as a PNG or, by the file's suffix, whatever else Matplotlib writes.

    Raises:
        OutputError: the file cannot be written.
    """
    side = max(4.2, 1.6 + 0.82 * len(figures.class_names))
    figure = Figure(figsize=(side, side + 0.3), facecolor="white", layout=ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.1))
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    counts = np.array(figures.confusion)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    _write_cells(axes, counts, shares)
    _name_classes(axes, figures)
    accuracies = f"accuracy {figures.accuracy:.1%}   baseline {figures.majority_baseline:.1%}"
    title = f"{accuracies}\nmacro-F1 {figures.macro_f1:.3f}   n = {figures.n:,}"
    axes.set_title(title, fontsize=11.5, color=INK, pad=12, weight="bold")
    save(figure, path)


def report(figures: Figures, folder: Path) -> None:
    """Write metrics.json and confusion.png into a folder, which is made if it is missing.

    Raises:
        LabelerError: one of them is there already.
        OutputError: they cannot be written.
    """
    metrics, confusion = folder / "metrics.json", folder / "confusion.png"
    for path in (metrics, confusion):
        if path.exists():
            raise LabelerError(f"{path} exists already; give another --out")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise OutputError(f"cannot write {metrics}: {exc.strerror or exc}") from exc
    files.write_json(metrics, figures.as_json())
    draw_confusion(figures, confusion)


def save(figure: Figure, path: str | Path) -> None:
    """Write a drawn figure beside ``path``, then put it in its place.

    Raises:
        OutputError: the file cannot be written.
    """
    with files.replacing(Path(path)) as beside:
        figure.savefig(beside, dpi=160)


def _class_folder(file: str) -> str:
    folder, slash, _ = file.partition("/")
    if not slash:
        raise LabelerError(f"{file} stands in no class folder; move it into the folder of its class, or away")
    return folder


def _why_left_out(row: Row, copies: Collection[str]) -> str:
    if row.status is not Status.OK:
        return row.status.value
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
            found = look(file)
        except images.ImageError:
            continue  # What cannot be read is no copy; whoever labels the directory reports it.
        for _, crop in found[:1]:
            yield file, images.fingerprint(crop)


def _write_cells(axes: Axes, counts: NDArray[np.int64], shares: NDArray[np.float64]) -> None:
    for (row, column), count in np.ndenumerate(counts):
        share = shares[row, column]
        color = "white" if share > 0.55 else INK if count else "#b4bcc6"
        weight = "bold" if row == column else "normal"
        style: dict[str, Any] = {"ha": "center", "va": "center", "color": color, "in_layout": False}
        axes.text(column, row - 0.1, f"{share:.0%}", size=11, weight=weight, **style)
        axes.text(column, row + 0.21, f"{count:,}", size=8, **style)


def _name_classes(axes: Axes, figures: Figures) -> None:
    places = range(len(figures.class_names))
    rows = [f"{name}\n{one.support:,}" for name, one in figures.per_class.items()]
    axes.set_xticks(places, figures.class_names, rotation=35, ha="right", rotation_mode="anchor")
    axes.set_yticks(places, rows)
    axes.set_xlabel("predicted", color=PALE_INK, labelpad=8)
    axes.set_ylabel("true class and its pictures; each row is 100%", color=PALE_INK, labelpad=8)
    axes.tick_params(length=0, labelcolor=INK)
    axes.spines[:].set_visible(False)
    axes.set_xticks(np.arange(len(places) - 1) + 0.5, minor=True)
    axes.set_yticks(np.arange(len(places) - 1) + 0.5, minor=True)
    axes.grid(which="minor", color="white", linewidth=2)
    axes.tick_params(which="minor", length=0)
