"""Photos and the true class of each: that of the class folder it stands in, or of a table."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from labeler.errors import LabelerError, NoPicturesError
from labeler.evaluation.classes import check_names, class_folders, class_of
from labeler.images.picture import ImageError, Pixels
from labeler.labeling import Looker
from labeler.sources import Source
from labeler.tables.labels import Truth

FOLDERS = "class folders"
"""What the truth is called where no table gives it."""


@dataclass(frozen=True, kw_only=True)
class Photos:
    """Photos below a directory."""

    source: Source
    names: tuple[str, ...]
    """Relative to the root of ``source``."""
    classes: dict[str, str]
    """The true class of each; empty where it is not known."""
    against: str
    """Names the truth for a person, or says why there is none."""
    missing: tuple[str, ...] = ()
    """Files that the table names and that are not there."""


def labelled(data: Path, truth: Truth | None, class_names: Sequence[str]) -> Photos:
    """Return the photos of a directory that have a true class.

    Raises:
        LabelerError: the truth has a class that is not among ``class_names``, or a file is in no class folder.
        NoPicturesError: there is no photo with a class.
    """
    if truth is None:
        check_names("the class folders", class_folders(data), class_names)
        source = Source([data])
        classes = {name: class_of(name) for name in source}
        return _some(Photos(source=source, names=tuple(classes), classes=classes, against=FOLDERS))
    check_names("the table's classes", truth.class_names, class_names)
    source = Source([data], all_files=True)
    classes = {name: truth.labels[name] for name in source if name in truth.labels}
    missing = tuple(name for name in truth.labels if name not in classes)
    return _some(Photos(source=source, names=tuple(classes), classes=classes, against=truth.against, missing=missing))


def perhaps_labelled(data: Path, truth: Truth | None, class_names: Sequence[str]) -> Photos:
    """Return the photos of a directory, with their classes where its folders, or a table, name those of the model.

    Raises:
        LabelerError: a table has a class that is not among ``class_names``.
        NoPicturesError: there is no photo.
    """
    try:
        return labelled(data, truth, class_names)
    except NoPicturesError:
        raise
    except LabelerError:
        if truth:
            raise
    source = Source([data])
    return _some(Photos(source=source, names=tuple(source), classes={}, against="no folders of the model's classes"))


def largest_faces(looker: Looker, names: Iterable[str]) -> Iterator[tuple[str, Pixels]]:
    """Yield the crop of the largest face of each photo that has one, with the photo's name."""
    for name in names:
        seen = looker.seen(name)
        if not isinstance(seen, ImageError) and seen.faces:
            yield name, seen.faces[0][1]


def _some(found: Photos) -> Photos:
    if not found.names:
        raise NoPicturesError(f"no photo with a class is left in {found.source.root}")
    return found
