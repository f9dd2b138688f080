"""The order of an audit: the faces of the photos that `labeler audit` doubts, the worst first."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow

from labeler.errors import LabelerError
from labeler.review import views
from labeler.review.views import Rows
from labeler.tables import arrow
from labeler.tables.cells import alive, unescape
from labeler.tables.index import Index


def files(audit: Path) -> list[str]:
    """Return the photos that an audit doubts, each once, the worst first.

    Raises:
        LabelerError: there is no such table, or it is not that of an audit.
    """
    content = arrow.read(audit)
    if "issue" not in content.column_names or not pyarrow.types.is_string(content["file"].type):
        raise LabelerError(f"{audit} is no table of `labeler audit`; its columns are {', '.join(content.column_names)}")
    names = filter(None, content["file"].to_pylist())
    return list(dict.fromkeys(unescape(alive(name) if audit.suffix.lower() == ".csv" else name) for name in names))


def order(doubted: list[str], index: Index) -> Rows:
    """Return all rows of a table: those of the photos that an audit doubts, then the others, most likely wrong first.

    Raises:
        LabelerError: the table has none of these photos.
    """
    rows = index.rows_of(doubted)
    if doubted and not rows:
        raise LabelerError(
            f"the table has none of the {len(doubted):,} photos of the audit, such as {doubted[0]}: audit the folder "
            "that was labelled, so that both name its photos in the same way"
        )
    worst = np.array([row for file in doubted for row in rows.get(file, ())], np.int32)
    rest = views.by(index, "wrong")
    is_left = np.ones(len(index), np.bool_)
    is_left[worst] = False
    return np.concatenate((worst, rest[is_left[rest]]))
