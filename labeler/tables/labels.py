"""What pictures are said to show. A table says it with a label, or with votes or probabilities for each class."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow
from numpy.typing import NDArray

from labeler.errors import LabelerError
from labeler.evaluation.metrics import Truth
from labeler.records import RESERVED_NAMES, UNCERTAIN, Status, unusable_class_names
from labeler.tables import arrow, run_record
from labeler.tables.cells import alive, unescape

Votes = NDArray[np.float32]

_NO_VOTES = RESERVED_NAMES | {"fold", "split"}
"""Columns whose numbers are no votes."""

Unusable = list[tuple[NDArray[np.bool_], str]]
"""Rows that cannot be used, and why; of several reasons the first counts."""


@dataclass(frozen=True, eq=False)
class Labelled:
    """Pictures, not yet opened, and what they are said to show.

    ``files`` are relative to ``root``. A row of ``votes`` (n, classes) is a single 1 for a label; votes and
    probabilities, which are ``soft``, are not negative and not all 0. ``passed_over`` says what could not be used.
    """

    root: str
    class_names: tuple[str, ...]
    files: tuple[str, ...]
    votes: Votes
    soft: bool = False
    passed_over: tuple[str, ...] = ()


class Table:
    """A table of labels or votes, read once.

    It has a column `file`, and a column `label` or else a column of numbers for each class. ``wanted`` chooses among
    the labels or columns and gives each the name of its class; those of one name are added up. Without it, all labels,
    or all columns of numbers that mean nothing else in a table of ours, are classes.

    Attributes:
        class_names: In the order of ``wanted``, else labels sorted, columns as they stand.

    Raises:
        LabelerError: the table cannot be read, has other columns, or gives fewer than two classes.
    """

    def __init__(self, path: Path, wanted: Mapping[str, str] | None = None) -> None:
        content = arrow.read(path)
        cells = content["label"].to_pylist() if "label" in content.column_names else []
        labels = ["" if cell is None else str(cell) for cell in cells]
        self.path = path
        ours = path.suffix.lower() == ".csv" and not {"status", "issue"}.isdisjoint(content.column_names)
        files = map(str, content["file"].to_pylist())
        self._files = [unescape(alive(file) if ours else file) for file in files]
        self._soft = not labels or bool(wanted and wanted.keys().isdisjoint(labels))
        unusable = _not_labelled(content)
        if self._soft:
            self.class_names, self._votes, useless = _count_votes(path, content, wanted)
        else:
            self.class_names, self._votes, useless = _count_labels(path, labels, wanted)
        conditions, reasons = zip(*unusable, *useless, strict=True)
        self._reasons = np.select(conditions, reasons, "")
        check_names(path, self.class_names)

    def below(self, directory: Path) -> Labelled:
        """Return what the table says of the pictures below a directory; all other rows are passed over and counted.

        Files are relative to the table's folder, else to the folder that `classify` recorded, else to ``directory``:
        the first that leads to a picture.

        Raises:
            LabelerError: no row leads to a picture below ``directory``.
        """
        names = self._names(directory)
        reasons = np.where([not name for name in names], f"not below {directory}", self._reasons)
        kept = np.flatnonzero(reasons == "")
        counts = Counter(reasons[reasons != ""].tolist())
        return Labelled(
            root=os.path.abspath(directory),
            class_names=self.class_names,
            files=tuple(names[row] for row in kept),
            votes=self._votes[kept],
            soft=self._soft,
            passed_over=tuple(f"{_rows(count)} of {self.path.name}: {why}" for why, count in counts.items()),
        )

    def _names(self, directory: Path) -> list[str]:
        """Return each row's file relative to ``directory``, empty for one that is not below it."""
        record = run_record.read(self.path)
        folder = os.path.join(os.path.abspath(directory), "")
        for base in (os.path.dirname(os.path.abspath(self.path)), *([record.root] if record else []), folder):
            paths = (os.path.normpath(os.path.join(base, file)) for file in self._files)
            names = [path[len(folder) :].replace(os.sep, "/") if path.startswith(folder) else "" for path in paths]
            if any(name and os.path.isfile(folder + name) for name in names):
                return names
        example = f"; it names files like {self._files[0]}" if self._files else ""
        raise LabelerError(f"no row of {self.path} names a picture below {directory}{example}")


def opened(table: Path | None, classes: str) -> Table | None:
    """Return the table that labels pictures, or None where the folders do. For ``classes`` see `parse_classes`.

    Raises:
        LabelerError: the table cannot be used, or there are ``classes`` and no table to choose them from.
    """
    if table:
        return Table(table, parse_classes(classes))
    if classes:
        raise LabelerError("--classes chooses from a table: name it with --labels, or leave --classes away")
    return None


def truth(table: Path | None, classes: str, directory: Path) -> Truth | None:
    """Return what a table says that the pictures below a directory show: of votes, the class that got most.

    Raises:
        LabelerError: see `opened` and `Table.below`.
    """
    opened_table = opened(table, classes)
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
    """Name what a table makes true."""
    return f"the {'most votes' if soft else 'labels'} in {table.name}"


def tied(votes: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Say of each row (n, classes) whether several classes have the most votes."""
    return np.asarray((votes == votes.max(axis=1, keepdims=True)).sum(axis=1) > 1)


def parse_classes(classes: str) -> dict[str, str]:
    """Return what ``anger=angry,sad`` asks for: each column or label with the name of its class, its own if none.

    Raises:
        LabelerError: a name is missing or stands there twice.
    """
    pairs = [part.partition("=") for part in classes.split(",")] if classes else []
    chosen = {name.strip(): (new if equals else name).strip() for name, equals, new in pairs}
    if len(chosen) < len(pairs) or not all(chosen) or not all(chosen.values()):
        raise LabelerError(f"--classes {classes}: give each column or label once: anger=angry,happiness=happy,sad")
    return chosen


def check_names(holder: str | Path, class_names: Sequence[str]) -> None:
    """Check that one can train on these classes.

    Raises:
        LabelerError: there are fewer than two, or the name of one is reserved.
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
        raise LabelerError(f"{holder}: no folder of sorted pictures can be called {unusable[0]!r:.120}; rename it")


def one_hot(labels: Sequence[str], class_names: Sequence[str]) -> Votes:
    """Return a row for each label, with a 1 in the place of its class; no 1 where it is no class."""
    places = {name: place for place, name in enumerate(class_names)}
    rows = np.eye(len(class_names) + 1, len(class_names), dtype=np.float32)
    return rows[[places.get(label, len(class_names)) for label in labels]]


def _rows(count: int) -> str:
    return f"{count:,} row" if count == 1 else f"{count:,} rows"


def _not_labelled(content: pyarrow.Table) -> Unusable:
    """Find rows that give no label: of files that failed, and of all faces but the largest, which is the one seen."""
    found: Unusable = []
    if "status" in content.column_names:
        cells = np.array(content["status"].to_pylist(), object)
        found += [(cells == status, status.value) for status in Status if status is not Status.OK]
    if "face" in arrow.numeric(content):
        found.append((arrow.numbers(content, "face") > 0, "not the largest face of its file"))
    return found


def _count_labels(
    path: Path, labels: Sequence[str], wanted: Mapping[str, str] | None
) -> tuple[tuple[str, ...], Votes, Unusable]:
    known = wanted or {label: label for label in sorted(set(labels) - {"", UNCERTAIN})}
    missing = known.keys() - set(labels)
    if missing:
        raise LabelerError(f"{path} has no label {', '.join(missing)}; its labels are {', '.join(sorted(set(labels)))}")
    class_names = tuple(dict.fromkeys(known.values()))
    cells = np.array(labels, object)
    others: Unusable = [
        (cells == "", "without a label"),
        (cells == UNCERTAIN, UNCERTAIN),
        (np.array([label not in known for label in labels]), "another label"),
    ]
    return class_names, one_hot([known.get(label, "") for label in labels], class_names), others


def _count_votes(
    path: Path, content: pyarrow.Table, wanted: Mapping[str, str] | None
) -> tuple[tuple[str, ...], Votes, Unusable]:
    numeric = [name for name in arrow.numeric(content) if name not in _NO_VOTES]
    known = wanted or {name: name for name in numeric}
    missing = [name for name in known if name not in numeric]
    if missing:
        raise LabelerError(
            f"{path} has no column of numbers {', '.join(missing)}; it has {', '.join(numeric) or 'none'}"
        )
    class_names = tuple(dict.fromkeys(known.values()))
    votes = np.zeros((len(content), len(class_names)), np.float32)
    for name, class_name in known.items():
        votes[:, class_names.index(class_name)] += arrow.numbers(content, name)
    if not ((votes >= 0) & np.isfinite(votes)).all():
        raise LabelerError(f"{path}: votes and probabilities are finite and not negative")
    others = [name for name in numeric if name not in known]
    most = votes.max(axis=1, initial=0)
    outvoted = np.any([arrow.numbers(content, name) >= most for name in others], axis=0)
    useless: Unusable = [(most == 0, "no vote for any class")]
    if others:
        useless.append((outvoted, f"{', '.join(others)}: one of these has at least as many votes as any class"))
    return class_names, votes, useless
