"""Ground truth from a table: a label for each image, or votes or probabilities for each class."""

from __future__ import annotations

import csv
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from labeler.errors import LabelerError
from labeler.records import RESERVED_NAMES, unusable_class_names
from labeler.storage.address import absolute, below, is_remote
from labeler.tables import arrow, reviewed_labels, run_record
from labeler.tables.cells import alive, unescape
from labeler.tables.reviews import path_of as reviews_of
from labeler.tables.votes import Votes, count_labels, count_votes, tied, unlabelled
from labeler.words import counted


@dataclass(frozen=True, eq=False, kw_only=True)
class Labelled:
    """Files of images, not opened yet, with their labels or votes.

    ``files`` are relative to ``root``. A row of ``votes`` (n, classes) is one-hot for a label; a row of votes or
    probabilities (``soft``) is not negative and not all 0. ``passed_over`` says which rows were not used, and why.
    """

    root: str
    class_names: tuple[str, ...]
    files: tuple[str, ...]
    votes: Votes
    soft: bool = False
    passed_over: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Truth:
    """The ground truth of a directory, taken from a table instead of class folders."""

    labels: Mapping[str, str]
    """The class of each file; file names are relative to the directory."""
    class_names: tuple[str, ...]
    against: str
    """Names the table, and says whether its labels or its votes decide."""
    ties: int = 0
    """Number of files without a label because several classes have the most votes."""
    passed_over: tuple[str, ...] = ()
    """Why rows of the table were not used, with their number."""
    missing: tuple[str, ...] = ()
    """Files that the table names and that do not exist."""


class Table:
    """A table of labels or votes, read once.

    The table has a column `file`, and either a column `label` or a numeric column for each class. ``wanted`` selects
    labels or columns and maps each to the name of its class; those with the same name are summed. Without ``wanted``,
    all labels, or all numeric columns without another meaning in a table of ours, are classes. Where persons reviewed a
    table of ours, their labels count, unless ``reviews`` is False.

    Attributes:
        class_names: In the order of ``wanted``; otherwise labels are sorted and columns keep their order.

    Raises:
        LabelerError: the table cannot be read, lacks these columns, or has fewer than two classes.
    """

    def __init__(self, path: Path, wanted: Mapping[str, str] | None = None, *, reviews: bool = True) -> None:
        is_reviewed = reviews and reviews_of(path).exists()
        content = reviewed_labels.corrected(path) if is_reviewed else arrow.read(path)
        cells = content["label"].to_pylist() if "label" in content.column_names else []
        labels = ["" if cell is None else str(cell) for cell in cells]
        self.path = path
        ours = path.suffix.lower() == ".csv" and not {"status", "issue"}.isdisjoint(content.column_names)
        files = map(str, content["file"].to_pylist())
        self._files = [unescape(alive(file) if ours else file) for file in files]
        self._soft = not labels or bool(wanted and wanted.keys().isdisjoint(labels))
        unusable = unlabelled(content)
        if self._soft:
            self.class_names, self._votes, useless = count_votes(path, content, wanted)
        else:
            self.class_names, self._votes, useless = count_labels(path, labels, wanted)
        conditions, reasons = zip(*unusable, *useless, strict=True)
        self._reasons = np.select(conditions, reasons, "")
        check_names(path, self.class_names)

    def below(self, directory: str | Path) -> Labelled:
        """Return the labelled files below a directory; other rows are counted as passed over.

        Files are relative to the table's folder, to the folder that `classify` recorded, or to ``directory``: the
        first of these under which a file exists. Below an address, they are relative to it, or addresses themselves.

        Raises:
            LabelerError: no row names a file that exists below ``directory``.
        """
        directory = os.fspath(directory)
        names = self._names_at(directory) if is_remote(directory) else self._names(directory)
        reasons = np.where([not name for name in names], f"not below {directory}", self._reasons)
        kept = np.flatnonzero(reasons == "")
        counts = Counter(reasons[reasons != ""].tolist())
        return Labelled(
            root=absolute(directory),
            class_names=self.class_names,
            files=tuple(names[row] for row in kept),
            votes=self._votes[kept],
            soft=self._soft,
            passed_over=tuple(f"{counted(count, 'row')} of {self.path.name}: {why}" for why, count in counts.items()),
        )

    def _names_at(self, address: str) -> list[str]:
        """Return each row's file relative to an address; an empty name when it does not lie below it."""
        return [
            "" if is_remote(name) or os.path.isabs(name) else name
            for name in (below(address, file) for file in self._files)
        ]

    def _names(self, directory: str) -> list[str]:
        """Return each row's file relative to ``directory``; an empty name when it does not lie below it."""
        record = run_record.read(self.path)
        folder = os.path.join(os.path.abspath(directory), "")
        for base in (os.path.dirname(os.path.abspath(self.path)), *([record.root] if record else []), folder):
            paths = (os.path.normpath(os.path.join(base, file)) for file in self._files)
            names = [path[len(folder) :].replace(os.sep, "/") if path.startswith(folder) else "" for path in paths]
            if any(name and os.path.isfile(folder + name) for name in names):
                return names
        example = f"; it names files like {self._files[0]}" if self._files else ""
        raise LabelerError(f"no row of {self.path} names a photo below {directory}{example}")


def opened(table: Path | None, classes: str, *, reviews: bool = True) -> Table | None:
    """Return the table of labels, or None when class folders decide.

    For ``classes`` see `parse_classes`, for ``reviews`` see `Table`.

    Raises:
        LabelerError: the table cannot be used, or ``classes`` are given without a table.
    """
    if table:
        return Table(table, parse_classes(classes), reviews=reviews)
    if classes:
        raise LabelerError("--classes selects from a table: name the table with --labels, or omit --classes")
    return None


def truth(table: Path | None, classes: str, directory: str | Path, *, reviews: bool = True) -> Truth | None:
    """Return the ground truth that a table gives for a directory: the label, or the class with the most votes.

    Raises:
        LabelerError: see `opened` and `Table.below`.
    """
    opened_table = opened(table, classes, reviews=reviews)
    if not opened_table:
        return None
    labelled = opened_table.below(directory)
    places: dict[str, int] = {}
    rows = [places.setdefault(file, len(places)) for file in labelled.files]
    votes = np.zeros((len(places), len(labelled.class_names)), np.float32)
    np.add.at(votes, rows, labelled.votes)
    ties = tied(votes)
    return Truth(
        labels={
            file: labelled.class_names[place]
            for file, place, tie in zip(places, votes.argmax(axis=1), ties, strict=True)
            if not tie
        },
        class_names=labelled.class_names,
        against=against(opened_table.path, soft=labelled.soft),
        ties=int(ties.sum()),
        passed_over=labelled.passed_over,
    )


def against(table: Path, *, soft: bool) -> str:
    """Describe the truth of a table for a person: its labels, or the most votes."""
    return f"the {'most votes' if soft else 'labels'} in {table.name}"


def parse_classes(classes: str) -> dict[str, str]:
    """Parse ``anger=angry,sad``: map each column or label to the name of its class, to its own name without ``=``.

    A part with a comma in it stands in quotes, as in CSV: ``"tench, Tinca tinca=fish",sad``.

    Raises:
        LabelerError: a name is empty or repeated.
    """
    parts = next(csv.reader([classes]), []) if classes else []
    pairs = [part.partition("=") for part in parts]
    chosen = {name.strip(): (new if equals else name).strip() for name, equals, new in pairs}
    if len(chosen) < len(pairs) or not all(chosen) or not all(chosen.values()):
        raise LabelerError(f"--classes {classes}: give each column or label once: anger=angry,happiness=happy,sad")
    return chosen


def check_names(holder: str | Path, class_names: Sequence[str]) -> None:
    """Check that a network can be trained on these classes.

    Raises:
        LabelerError: there are fewer than two, or a name is reserved, or cannot be that of a class.
    """
    if len(class_names) < 2:
        only = f"a single class, {class_names[0]}" if class_names else "no class"
        raise LabelerError(f"{holder} holds {only}; training needs at least two")
    reserved = RESERVED_NAMES.intersection(class_names)
    if reserved:
        raise LabelerError(
            f"{holder}: no class may be called {', '.join(sorted(reserved))}, which means something else "
            "in a table; rename it"
        )
    unusable = unusable_class_names(class_names)
    if unusable:
        raise LabelerError(
            f"{holder}: {unusable[0]!r:.120} cannot be the name of a class: blank, too long, or with a line break; "
            "rename it"
        )
