"""Turn the labels or votes in a table into an array: a row for each image, a column for each class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow
from numpy.typing import NDArray

from labeler.errors import LabelerError
from labeler.records import RESERVED_NAMES, UNCERTAIN, Status
from labeler.tables import arrow
from labeler.tables.decided import NO_CLASS
from labeler.tables.reviewed_labels import ADDED

Votes = NDArray[np.float32]

_NO_VOTES = RESERVED_NAMES | {"fold", "split"}
"""Numeric columns that are never taken for votes."""

Unusable = list[tuple[NDArray[np.bool_], str]]
"""Masks of rows that cannot be used, each with the reason; the first matching reason counts."""


def unlabelled(content: pyarrow.Table) -> Unusable:
    """Find rows without a usable label: failed files, and all faces but the largest, the only one that is learnt."""
    found: Unusable = []
    if "status" in content.column_names:
        cells = np.array(content["status"].to_pylist(), object)
        found += [(cells == status, status.value) for status in Status if status is not Status.OK]
    if ADDED in content.column_names:
        found.append((np.array(content[ADDED].to_pylist(), bool), "a face that a person added"))
    if "face" in arrow.numeric(content):
        found.append((arrow.numbers(content, "face") > 0, "not the largest face of its file"))
    return found


def count_labels(
    path: Path, labels: Sequence[str], wanted: Mapping[str, str] | None
) -> tuple[tuple[str, ...], Votes, Unusable]:
    """Return the classes, a one-hot row for each label, and the rows whose label is no class.

    Raises:
        LabelerError: a label of ``wanted`` does not occur.
    """
    known = wanted or {label: label for label in sorted(set(labels) - NO_CLASS)}
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


def count_votes(
    path: Path, content: pyarrow.Table, wanted: Mapping[str, str] | None
) -> tuple[tuple[str, ...], Votes, Unusable]:
    """Return the classes, their votes summed from the columns, and the rows that vote for no class, or more for others.

    Raises:
        LabelerError: there is no such column, or a vote is negative or not finite.
    """
    numeric = [name for name in arrow.numeric(content) if name not in _NO_VOTES]
    known = wanted or {name: name for name in numeric}
    missing = [name for name in known if name not in numeric]
    if missing:
        raise LabelerError(f"{path} has no numeric column {', '.join(missing)}; it has {', '.join(numeric) or 'none'}")
    class_names = tuple(dict.fromkeys(known.values()))
    votes = np.zeros((len(content), len(class_names)), np.float32)
    for name, class_name in known.items():
        votes[:, class_names.index(class_name)] += arrow.numbers(content, name)
    if not ((votes >= 0) & np.isfinite(votes)).all():
        raise LabelerError(f"{path}: votes and probabilities must be finite and not negative")
    others = [name for name in numeric if name not in known]
    most = votes.max(axis=1, initial=0)
    outvoted = np.any([arrow.numbers(content, name) >= most for name in others], axis=0)
    useless: Unusable = [(most == 0, "no vote for any class")]
    if others:
        useless.append((outvoted, f"{', '.join(others)}: one of these has at least as many votes as any class"))
    return class_names, votes, useless


def one_hot(labels: Sequence[str], class_names: Sequence[str]) -> Votes:
    """Return the labels in one-hot encoding; the row of a label that is no class is all 0."""
    places = {name: place for place, name in enumerate(class_names)}
    rows = np.eye(len(class_names) + 1, len(class_names), dtype=np.float32)
    return rows[[places.get(label, len(class_names)) for label in labels]]


def tied(votes: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Return for each row (n, classes) whether several classes have the most votes."""
    return np.asarray((votes == votes.max(axis=1, keepdims=True)).sum(axis=1) > 1)
