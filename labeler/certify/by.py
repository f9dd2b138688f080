"""The accuracy of groups of a table's faces, by the one sample: folders, or what another table says of the files."""

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
from labeler.tables import arrow
from labeler.tables.cells import alive, unescape

FOLDER = "folder"

_MOST = 50
"""Upper limit on groups: more have too few cards each, and any two of them differ by chance."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """A group of faces, and its certificate."""

    name: str
    certificate: Certificate


def check(by: str) -> None:
    """Check that a table can be divided so, before a person looks at it for hours.

    Raises:
        LabelerError: there is no such file or column.
    """
    if by != FOLDER:
        _values(by)


def groups_of(draw: Draw, by: str) -> tuple[list[str], NDArray[np.int32]]:
    """Return the names of the groups, and the group of each face of a draw; -1 for a face without a value.

    ``by`` is `FOLDER`, or a table with a column `file`, a colon and the name of the column that holds the values. Of
    too many folders those at the top are taken.

    Raises:
        LabelerError: there is no such column, it names none of the files, or it has too many values.
    """
    values = _folders(draw) if by == FOLDER else _joined(draw, by)
    names = sorted({value for value in values if value is not None})
    if len(names) > _MOST:
        raise LabelerError(f"--by {by} makes {len(names):,} groups; {_MOST} can be told apart at most")
    codes = {name: code for code, name in enumerate(names)}
    return names, np.array([-1 if value is None else codes[value] for value in values], np.int32)


def _folders(draw: Draw) -> list[str | None]:
    names = draw.index.folder_names
    found = draw.index.folder[draw.rows]
    if len(np.unique(found)) > _MOST:
        names = tuple(name.partition("/")[0] for name in names)
    return [names[code] for code in found.tolist()]


def _joined(draw: Draw, by: str) -> list[str | None]:
    values = _values(by)
    rows = draw.index.rows_of(values)
    if not rows:
        raise LabelerError(
            f"{by.rpartition(':')[0]} names none of the files of the table, such as {draw.index.name(0)}"
        )
    found: list[str | None] = [None] * len(draw)
    for file, numbers in rows.items():
        for place in draw.places[numbers].tolist():
            if place >= 0:
                found[place] = values[file]
    return found


def _values(by: str) -> dict[str, str]:
    """Return the value of each file that has one."""
    name, colon, column = by.rpartition(":")
    if not colon:
        raise LabelerError(f"--by takes {FOLDER}, or a table with a column `file`: --by FILE.csv:COLUMN")
    content = arrow.read(Path(name))
    if column not in content.column_names:
        raise LabelerError(f"{name} has no column {column!r}; it has {one_line(', '.join(content.column_names))}")
    is_csv = Path(name).suffix.lower() == ".csv"  # Its files are mostly copied from a table of ours, see `cells.inert`.
    pairs = zip(content["file"].to_pylist(), content[column].to_pylist(), strict=True)
    return {
        unescape(alive(file) if is_csv else file): str(value)
        for file, value in pairs
        if file and value is not None and value != ""
    }


def certify(found: Gathered, by: str) -> tuple[list[Group], Gap | None]:
    """Return the groups of a table with their certificates, and the largest gap between two accuracies.

    Raises:
        LabelerError: see `groups_of`.
    """
    names, of_face = groups_of(found.draw, by)
    each = groups.certify_each(found.review, of_face, found.checks)
    made = [Group(name=name or "(top)", certificate=one) for name, one in zip(names, each, strict=True)]
    return made, groups.largest_gap([one.model.accuracy for one in each])
