"""The labels or votes in the rows of a table, as numbers: a row for each image, a column for each class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow
from numpy.typing import NDArray

from labeler.errors import LabelerError
from labeler.records import RESERVED_NAMES, UNCERTAIN, Status
from labeler.tables import arrow

Votes = NDArray[np.float32]

_NO_VOTES = RESERVED_NAMES | {"fold", "split"}
"""Columns whose numbers are no votes."""

Unusable = list[tuple[NDArray[np.bool_], str]]
"""Rows that cannot be used, and why; of several reasons the first counts."""


def unlabelled(content: pyarrow.Table) -> Unusable:
    """Find rows that give no label: of files that failed, and of all faces but the largest, which is the one seen."""
    found: Unusable = []
    if "status" in content.column_names:
        cells = np.array(content["status"].to_pylist(), object)
        found += [(cells == status, status.value) for status in Status if status is not Status.OK]
    if "face" in arrow.numeric(content):
        found.append((arrow.numbers(content, "face") > 0, "not the largest face of its file"))
    return found


def count_labels(
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


def count_votes(
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


def one_hot(labels: Sequence[str], class_names: Sequence[str]) -> Votes:
    """Return a row for each label, with a 1 in the place of its class; no 1 where it is no class."""
    places = {name: place for place, name in enumerate(class_names)}
    rows = np.eye(len(class_names) + 1, len(class_names), dtype=np.float32)
    return rows[[places.get(label, len(class_names)) for label in labels]]


def tied(votes: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Say of each row (n, classes) whether several classes have the most votes."""
    return np.asarray((votes == votes.max(axis=1, keepdims=True)).sum(axis=1) > 1)
