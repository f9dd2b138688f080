"""Find the columns of a list: the one with the names, and those that are kept."""

from __future__ import annotations

from collections.abc import Sequence

from labeler.errors import LabelerError, printable
from labeler.lists.entry import Wanted
from labeler.records import unusable_kept_names

NAMES = (
    *("file", "filename", "file_name", "filepath", "file_path", "path", "image", "image_path", "image_file", "img"),
    *("img_path", "photo", "picture", "address", "uri", "url", "image_url", "photo_url", "key"),
)
"""What the column with the names is called, in small letters; of several, the first one in this order is taken."""


def column_of(columns: Sequence[str], wanted: Wanted) -> str:
    """Return the column with the names, and make sure that those to keep are there, each once.

    Raises:
        LabelerError: there is no such column, or several.
    """
    own = wanted.column or _guessed(columns)
    if not own:
        raise LabelerError(
            f"{wanted.shown} does not tell which column has the files; say it with --column: {_listed(columns)}"
        )
    for option, name in (("--column", own), *(("--keep", name) for name in wanted.keep)):
        if columns.count(name) != 1:
            found = "has no column" if name not in columns else "has two columns"
            raise LabelerError(
                f"{wanted.shown} {found} {printable(name)!r} for {option}; its columns: {_listed(columns)}"
            )
    return own


def check_keep(keep: Sequence[str], class_names: Sequence[str]) -> None:
    """Make sure that a table of these classes can have columns with these names.

    Raises:
        LabelerError: it has one already, or the name means something else.
    """
    unusable = unusable_kept_names(keep, class_names)
    if unusable:
        raise LabelerError(
            f"--keep {printable(unusable[0])}: the table cannot have this column beside its own; rename it in the "
            f"list, for example to list_{printable(unusable[0]).strip()}"
        )


def _guessed(columns: Sequence[str]) -> str:
    known = {name.strip().lower(): name for name in reversed(columns)}
    return next((known[name] for name in NAMES if name in known), "")


def _listed(columns: Sequence[str]) -> str:
    shown = ", ".join(map(printable, columns[:50]))
    return shown + (", ..." if len(columns) > 50 else "")
