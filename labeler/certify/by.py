"""The accuracy of groups of a table's faces, by the one sample of the table: folders, or the values of a column."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from labeler.certify import groups
from labeler.certify.certificate import Certificate
from labeler.certify.draw import Draw
from labeler.certify.gathered import Gathered
from labeler.certify.groups import Gap
from labeler.errors import LabelerError, one_line
from labeler.tables import arrow, reader

FOLDER = "folder"

_MOST = 50
"""Upper limit on groups: more have too few cards each, and any two of them differ by chance."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """A group of faces, and its certificate."""

    name: str
    certificate: Certificate


def check(table: Path, by: str) -> None:
    """Check that a table can be divided so, before a person looks at it for hours.

    Raises:
        LabelerError: it has no such column.
    """
    known = reader.columns(table)
    if by != FOLDER and by not in known:
        raise LabelerError(f"{table} has no column {by!r}; --by takes {FOLDER}, or one of {one_line(', '.join(known))}")


def column(draw: Draw, table: Path, by: str) -> tuple[list[str], NDArray[np.int32]]:
    """Return the names of the groups, and the group of each face of a draw; -1 for a face without a value.

    ``by`` is `FOLDER`, or a column of the table. Of too many folders those at the top are taken.

    Raises:
        LabelerError: there is no such column, or it has too many values.
    """
    if by == FOLDER:
        values = np.array(draw.index.folder_names, object)[draw.index.folder[draw.rows]]
        if len(set(values)) > _MOST:
            values = np.array([value.partition("/")[0] for value in values], object)
    else:
        check(table, by)
        content = arrow.read(table)
        every = ["" if value is None else str(value) for value in content[by].to_pylist()]
        values = np.array(every, object)[draw.rows]
    names = sorted(set(values) - ({""} if by != FOLDER else set()))
    if len(names) > _MOST:
        raise LabelerError(f"--by {by} makes {len(names):,} groups; {_MOST} can be told apart at most")
    codes = {name: code for code, name in enumerate(names)}
    return names, np.array([codes.get(value, -1) for value in values], np.int32)


def certify(found: Gathered, table: Path, by: str) -> tuple[list[Group], Gap | None]:
    """Return the groups of a table with their certificates, and the largest gap between two accuracies.

    Raises:
        LabelerError: see `column`.
    """
    names, of_face = column(found.draw, table, by)
    each = groups.certify_each(found.review, of_face, found.checks)
    made = [Group(name=name or "(top)", certificate=one) for name, one in zip(names, each, strict=True)]
    return made, groups.largest_gap([one.model.accuracy for one in each])
