"""The table of an audit: its columns, and its rows from the worst issue down."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow
from numpy.typing import NDArray

from labeler.tables.cells import escape
from training.audit.copies import Issue, Kin
from training.data.decode import Read

Probabilities = NDArray[np.float64]

_ORDER = {Issue.LABEL: 0, Issue.CONFLICT: 0, Issue.DUPLICATE: 1, Issue.NEAR_DUPLICATE: 2}

SCHEMA = pyarrow.schema(
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


def rows(
    read: Read,
    class_names: Sequence[str],
    probabilities: Probabilities,
    doubtful: NDArray[np.bool_],
    kin: Sequence[Kin],
) -> list[dict[str, Any]]:
    """Return the rows: labels and conflicts by how much more probable another label is, then copies."""
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
