"""The report of a table: one pass over its rows, the chosen faces read, one page written."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from labeler.certify import certified, summary
from labeler.errors import LabelerError
from labeler.inference import bundle
from labeler.inference.bundle import Card
from labeler.records import Settings
from labeler.report import certificate, comparison, distributions, gallery, overview, page, sprites, truth
from labeler.report.aggregates import Aggregates, gather
from labeler.report.gallery import Group
from labeler.report.page import Html, joined, name, note, tag
from labeler.report.sprites import Album
from labeler.report.truth import Judged
from labeler.storage import atomic
from labeler.tables import corrections, decided, labels, reader, run_record
from labeler.tables.run_record import RunRecord
from labeler.watched import Watched, unwatched
from labeler.words import are_expressions, counted

SUFFIXES = (".html", ".htm")

_LEAD_LABELS = 3
_BEGINNING = 4096
"""Bytes of a file that tell whether it is a page of ours."""


@dataclass(frozen=True, kw_only=True)
class ReportSettings:
    """What to report, and where to write it."""

    table: Path
    out: Path
    root: str = ""
    """Where the files of the table are; empty for where they were."""
    samples: int = 12
    """Faces of each kind for each label."""
    seed: int = 0
    pictures: bool = True
    labels: Path | None = None
    """A table of true labels or votes."""
    classes: str = ""
    class_folders: bool = False
    """Whether the first folder of a name is the true class."""
    reviews: bool = True
    """Whether corrections count."""
    overwrite: bool = False
    max_pixels: int = 100_000_000


def write(wanted: ReportSettings, watched: Watched = unwatched) -> Aggregates:
    """Write the report of a table, and return what it says.

    Raises:
        LabelerError: the table cannot be read, its files are not where they were, or `out` is not a report.
        NoPicturesError: no face has a true label.
        OutputError: the report cannot be written.
    """
    check(wanted.out, (wanted.table, wanted.labels), overwrite=wanted.overwrite)
    class_names = reader.class_names(wanted.table)
    record = run_record.read(wanted.table)
    root = _root(wanted, record)
    judged = _judged(wanted, class_names, root)
    found = Aggregates(class_names, wanted.samples, wanted.seed, record.root if record else root, judged)
    made = corrections.of_table(wanted.table, root) if wanted.reviews else None
    gather(watched(decided.corrected(wanted.table, made), "reading the table"), found)
    found.reviews = made.counts if made else None
    said = summary.said(wanted.table, root) if made and made.has_cards else None
    if said:
        found.certified, found.earlier = certified.certified(said) if said.cards else None, said.earlier
    if judged:
        judged.figures()  # It raises where nothing can be compared, before photos are read.
    content = compose(wanted, found, record, root, watched)
    atomic.write(wanted.out, content, ". Make room, or choose another --out")
    return found


def check(out: Path, sources: Iterable[Path | None], *, overwrite: bool) -> None:
    """Refuse a place where no page could be written, or where something else than a page of ours stands.

    Raises:
        LabelerError: a suffix of another kind, a missing folder, one of the ``sources``, or a file that is no page of
            ours and may not be overwritten.
    """
    if out.suffix.lower() not in SUFFIXES:
        raise LabelerError(f"{out} is no name of a web page; name a file that ends in .html")
    if not out.parent.is_dir():
        raise LabelerError(f"the folder {out.parent} does not exist; create it first: mkdir -p '{out.parent}'")
    if not os.path.lexists(out):
        return
    if out.is_dir():
        raise LabelerError(f"{out} is a folder; name a file in it, for example {out / 'report.html'}")
    if any(source and source.exists() and out.exists() and source.samefile(out) for source in sources):
        raise LabelerError(f"{out} is what the report is about; choose another --out")
    if not overwrite and not _is_ours(out):
        raise LabelerError(
            f"{out} exists and is no page of labeler; choose another --out, or replace it with --overwrite"
        )


def compose(wanted: ReportSettings, found: Aggregates, record: RunRecord | None, root: str, watched: Watched) -> str:
    """Return the page."""
    most = gallery.per_strip(wanted.samples, len(found.picked))
    judged = found.judged
    by_label = [*gallery.of_labels(found, most), *gallery.of_pairs(found)]
    wrong = comparison.mistakes(judged, found) if judged else []
    no_face = gallery.of_photos_without_face(found, most)
    album = _album(wanted, [*by_label, *wrong, *no_face], root, watched) if wanted.pictures else None
    sections = [
        overview.found(found, record, root),
        certificate.section(found, wanted.table.name) if wanted.reviews else None,
        distributions.labels(found),
        comparison.section(judged, joined(*gallery.shown(wrong, album))) if judged else None,
        gallery.faces(by_label, album, most, wanted.samples),
        distributions.faces(found),
        distributions.folders(found),
        overview.model(record, _card(record)),
        gallery.without_label(found, no_face, album),
    ]
    title = f"Report of {wanted.table.name}"
    return page.page(title, _lead(found, album), [section for section in sections if section])


def _lead(found: Aggregates, album: Album | None) -> Html:
    first = [
        joined(", " if place else ": ", f"{count / found.faces:.0%} ", name(label))
        for place, (label, count) in enumerate(found.labels.most_common(_LEAD_LABELS))
    ]
    more = " …" if len(found.labels) > _LEAD_LABELS else ""
    told = note(f"{counted(found.faces, 'face')} in {counted(found.files, 'photo')}", *first, more, class_="lead")
    meaning = note(
        "A label says what expression a photo seems to show, never what a person feels."
        if are_expressions(found.class_names)
        else "A label says what a photo looks like to the model, which can be wrong."
    )
    if not album or not album.faces:
        return joined(told, meaning)
    personal = tag(
        "p",
        tag("strong", "This page holds pictures of people. "),
        f"{len(album.faces):,} faces and photos are embedded in it, with their file names: personal data. Give it only "
        "to those who may see the photos; labeler report --no-pictures leaves the pictures out.",
        class_="warning",
    )
    return joined(told, meaning, personal)


def _album(wanted: ReportSettings, groups: Iterable[Group], root: str, watched: Watched) -> Album:
    rows = [row for group in groups for row in group.rows]
    return sprites.read(rows, Settings(root=root, max_pixels=wanted.max_pixels), watched)


def _root(wanted: ReportSettings, record: RunRecord | None) -> str:
    """Return the folder of the photos, which has to be there only where they are looked at."""
    if wanted.pictures or wanted.labels:
        return reader.root(wanted.table, wanted.root)
    return wanted.root or (record.root if record else "")


def _judged(wanted: ReportSettings, class_names: tuple[str, ...], root: str) -> Judged | None:
    if wanted.labels and wanted.class_folders:
        raise LabelerError("--labels and --class-folders both name the truth; give one of them")
    if wanted.class_folders:
        if wanted.classes:
            raise LabelerError("--classes selects from a table: name the table with --labels, or omit --classes")
        return Judged(class_names, truth.of_folders, "the class folders")
    given = labels.truth(wanted.labels, wanted.classes, root, reviews=wanted.reviews)
    if not given:
        return None
    ties = (f"{given.ties:,} photos with tied votes",) if given.ties else ()
    return Judged(class_names, truth.of_labels(given.labels), given.against, (*given.passed_over, *ties))


def _card(record: RunRecord | None) -> Card | None:
    """Return the card of the model, if it is the shipped one of this name."""
    if not record or record.model not in bundle.shipped(bundle.CLASSIFIER):
        return None
    path = bundle.that_labelled(record.model, record.model_sha256)
    return bundle.card(path) if path else None


def _is_ours(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return page.is_ours(file.read(_BEGINNING))
    except OSError:
        return False
