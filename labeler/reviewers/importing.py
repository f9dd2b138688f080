"""Import what persons said in other tools: a copy of the table, Label Studio, CVAT."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from itertools import groupby
from pathlib import Path
from typing import Any

from labeler import storage
from labeler.errors import LabelerError
from labeler.records import Row
from labeler.reviewers import cvat, export_names, label_studio, spreadsheet
from labeler.reviewers.faces import Faces
from labeler.reviewers.said import LeftOut, Said, action_of_file
from labeler.storage.store import FileError
from labeler.tables import formats, reader, run_record
from labeler.tables.corrections import MOST_BYTES, HashOf, Reviews, hashes
from labeler.tables.review_log import Log
from labeler.tables.reviews import Event, now, picture_hash
from labeler.watched import Watched, unwatched


class Source(StrEnum):
    """Where corrections were made."""

    CSV = "csv"
    """A copy of the table, in any of its formats."""
    LABEL_STUDIO = "label-studio"
    CVAT = "cvat"


@dataclass(frozen=True, kw_only=True)
class ImportSettings:
    """What to import."""

    table: Path
    file: Path
    source: Source
    reviewer: str = ""
    """Who said it; empty for those whom a file from Label Studio names."""
    export: Path | None = None
    """The folder of the export that was corrected in CVAT: what it shows and the file lacks was taken out."""
    accept: bool = False
    """Whether labels that were left as they were count as looked at and right."""
    root: str = ""
    """Where the table's files are; empty for where they were."""


@dataclass(kw_only=True)
class Imported:
    """What an import came to."""

    path: Path
    """Where the events are."""
    new: int
    """How many events were appended."""
    reviewers: list[str]
    counts: dict[str, int]
    """See `faces.Faces.counts`."""
    left: LeftOut
    """What could not be used, and why."""

    @property
    def exit_code(self) -> int:
        """Return 0, or 1 if something could not be used."""
        return 1 if self.left.counts else 0

    def as_json(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {
            "reviews": str(self.path),
            "new": self.new,
            "reviewers": self.reviewers,
            **self.counts,
            "left_out": dict(self.left.counts),
            "examples": self.left.examples,
        }


def import_reviews(wanted: ImportSettings, watched: Watched = unwatched) -> Imported:
    """Append what a file says to the reviews of a table. The same file, imported again, adds nothing.

    Each photo that something is said of is read once: by its hash, what was said is found again in another table.

    Raises:
        LabelerError: the table, its reviews or the file cannot be read.
        OutputError: the reviews cannot be written.
    """
    class_names = reader.class_names(wanted.table)
    if wanted.export and wanted.source is not Source.CVAT:
        raise LabelerError("--export is for --from cvat: other files tell themselves what was shown. Leave it out")
    record = run_record.read(wanted.table)
    root = wanted.root or (record.root if record else "")
    left = LeftOut()
    said, unchanged = _read(wanted, root, left)
    log = Log.of(wanted.table)
    with log.held():
        reviews = Reviews(log.read())
        faces = Faces(frozenset(class_names), now(reviews.last_time), _hashes(root), wanted.accept, left)
        rows = watched(reader.read(wanted.table), "finding the faces")
        events = list(_events(rows, said, reviews, hashes(root), faces))
        new = log.append(events)
    faces.counts["unchanged"] += unchanged
    kinds = ("accepted", "changed", "not_a_face", "added", "said_before", "unchanged", "missing")
    return Imported(
        path=log.path,
        new=new,
        reviewers=sorted({one.reviewer for one in said}),
        counts={kind: faces.counts[kind] for kind in kinds},
        left=left,
    )


def _read(wanted: ImportSettings, root: str, left: LeftOut) -> tuple[list[Said], int]:
    """Return what a file says, and how many of its rows say what the table does."""
    if wanted.source is Source.LABEL_STUDIO:
        return label_studio.read(wanted.file, left, wanted.reviewer), 0
    if wanted.source is Source.CVAT:
        return list(_of_cvat(wanted, root, left)), 0
    same = set() if wanted.accept else {hash((row.file, row.face, row.label)) for row in reader.read(wanted.table)}
    return spreadsheet.read(wanted.file, wanted.reviewer, same)


def _of_cvat(wanted: ImportSettings, root: str, left: LeftOut) -> Iterator[Said]:
    pictures = cvat.read(wanted.file, left)
    files: Iterable[str] = formats.of(wanted.table).files(wanted.table)
    shown: dict[str, cvat.Picture] = {}
    if wanted.export:
        exported = cvat.read(wanted.export / "annotations.xml", LeftOut())
        shown = {file: exported[name] for name, file in export_names.files_of(exported, files, root, LeftOut()).items()}
        files = shown
    action = action_of_file(wanted.file, wanted.reviewer)
    for name, file in export_names.files_of(pictures, files, root, left).items():
        yield Said(
            file=file,
            reviewer=wanted.reviewer,
            action=action,
            regions=pictures[name].regions,
            shown=shown[file].regions if wanted.export else None,
            size=pictures[name].size,
        )


def _events(
    rows: Iterable[Row], said: Sequence[Said], reviews: Reviews, hash_of: HashOf, faces: Faces
) -> Iterator[Event]:
    """Yield the events of what was said, in the order of the table; what names none of its files is left out."""
    by_file: dict[str, list[Said]] = {}
    for one in sorted(said, key=lambda one: one.time):
        by_file.setdefault(one.file, []).append(one)
    unseen = dict(by_file)
    for file, group in groupby((row for row in rows if row.file in by_file), lambda row: row.file):
        of_file = list(group)
        verdicts = reviews.decide(of_file, hash_of)
        for one in unseen.pop(file, ()):
            yield from faces.events(one, of_file, verdicts)
    for file, several in unseen.items():
        for _ in several:
            faces.left.add("a photo that is not in the table", file)


def _hashes(root: str) -> Callable[[Row], str | None]:
    """Return what hashes the photo of a row, if it is still the one that was labelled."""
    store = storage.at(root)

    @lru_cache(1)
    def hashed(file: str, version: str) -> str | None:
        try:
            content = store.read(file, MOST_BYTES)
        except FileError:
            return None
        return picture_hash(content.data) if content.version == version else None

    return lambda row: hashed(row.file, row.version) if row.version else None
