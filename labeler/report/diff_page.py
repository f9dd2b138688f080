"""The page of a diff: what was compared, agreement, changes of labels, the truth, the surest changes with faces."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from labeler.evaluation import intervals
from labeler.evaluation.intervals import Interval
from labeler.records import EXAMPLES, Row, Settings
from labeler.report import report, sprites, svg
from labeler.report.compare import Flip
from labeler.report.diff import Diff, DiffSettings, root_of
from labeler.report.overview import listed
from labeler.report.page import (
    Cell,
    Html,
    Section,
    details,
    facts,
    figures,
    joined,
    name,
    note,
    page,
    table,
    tag,
)
from labeler.report.sprites import Album, Sprite, strip
from labeler.storage import atomic
from labeler.tables import decided
from labeler.tables.run_record import RunRecord
from labeler.watched import Watched, unwatched
from labeler.words import counted

_MOST_IN_MATRIX, _CHANGES = 20, 20
"""Upper limits on the columns of the matrix, which grows with their square, and on the changes that are listed."""


@dataclass(frozen=True, kw_only=True)
class PageSettings:
    """Where to write the page, and whether faces are shown."""

    out: Path
    pictures: bool = True
    overwrite: bool = False
    max_pixels: int = 100_000_000


def check(wanted: DiffSettings, page: PageSettings) -> None:
    """Refuse what cannot be drawn before the tables are read.

    Raises:
        LabelerError: see `report.check`; or the photos are not where they were.
    """
    report.check(page.out, (wanted.a, wanted.b, wanted.labels), overwrite=page.overwrite)
    if page.pictures:
        root_of(wanted)


def write(diff: Diff, wanted: PageSettings, watched: Watched = unwatched) -> None:
    """Write the page of a diff.

    Raises:
        OutputError: it cannot be written.
    """
    album = None
    if wanted.pictures:
        rows = [flip.a for flip in diff.comparison.flips]
        album = sprites.read(rows, Settings(root=root_of(diff.settings), max_pixels=wanted.max_pixels), watched)
    atomic.write(wanted.out, compose(diff, album), ". Make room, or choose another --out")


def compose(diff: Diff, album: Album | None) -> str:
    """Return the page; without an album, without pictures."""
    sections = [_labels(diff), _truth(diff), _flips(diff, album), _compared(diff)]
    a, b = diff.settings.a, diff.settings.b
    title = "Difference of {} and {}".format(*(diff.settings.names if a.name == b.name else (a.name, b.name)))
    return page(title, _lead(diff, album), [section for section in sections if section])


def _lead(diff: Diff, album: Album | None) -> Html:
    agreed = diff.agreement
    told = "No face has a class in both tables."
    if agreed.share is not None:
        told = (
            f"Of {counted(agreed.n, 'face')} with a class in both tables, {agreed.agreed:,} ({agreed.share:.1%}) have "
            "the same one."
        )
    which = note(
        "A is ", _table(diff.settings.a, diff.records[0]), ", B is ", _table(diff.settings.b, diff.records[1]), "."
    )
    if not album or not album.faces:
        return joined(note(told, class_="lead"), which)
    personal = tag(
        "p",
        tag("strong", "This page holds pictures of people. "),
        f"{counted(len(album.faces), 'face')} and the names of their files are personal data. Give the page only to "
        "those who may see the photos; labeler diff --no-pictures leaves the pictures out.",
        class_="warning",
    )
    return joined(note(told, class_="lead"), which, personal)


def _table(path: Path, record: RunRecord | None) -> Html:
    return joined(name(path.name), *((", labelled by ", name(record.model)) if record else ()))


def _labels(diff: Diff) -> Section:
    agreed, found = diff.agreement, diff.comparison
    big: list[tuple[object, object]] = []
    if agreed.share is not None:
        big.append((f"agreement ({_interval(agreed.interval)})", f"{agreed.share:.1%}"))
    if agreed.kappa:
        spread = f" ({agreed.kappa.interval[0]:.3f} to {agreed.kappa.interval[1]:.3f})" if agreed.kappa.interval else ""
        big.append((f"Cohen's kappa{spread}", f"{agreed.kappa.value:.3f}"))
    big += [("faces with a class in both", agreed.n), ("faces only in A", found.a.only_faces),
            ("faces only in B", found.b.only_faces)]  # fmt: skip
    told = note(
        "Agreement and kappa are computed on the faces that both label with a class, with 95% intervals "
        "(Wilson's; the large-sample error of Fleiss, Cohen and Everitt). Kappa is 0 where they agree as often as by "
        "chance, and 1 where always. Two boxes are of one face when they overlap by at least "
        f"{diff.settings.least_iou:g} (intersection over union). no_face: a face that only the other table has."
    )
    return Section(anchor="labels", title="Labels", content=joined(figures(big), told, _matrix(diff), _changes(diff)))


def _matrix(diff: Diff) -> Html:
    said = diff.said
    if not said or len(said) > _MOST_IN_MATRIX:
        return Html()
    rows = []
    for one in said:
        counts = [diff.comparison.labels[one, other] for other in said]
        rows.append((_label(one), *(_shaded(count, sum(counts)) for count in counts), sum(counts)))
    made = table(
        "Faces by what A says (rows) and what B says (columns); the shade is the share of the row",
        ("A", *map(_label, said), "all"),
        rows,
        wide=True,
        class_="matrix",
    )
    return joined(tag("h3", "From A to B"), made)


def _shaded(count: int, total: int) -> Cell:
    return Cell(count, f"s{svg.shade(count, total)}")


def _changes(diff: Diff) -> Html:
    changes = diff.changes
    if not changes:
        return note("No label changed.")
    shown = changes[:_CHANGES]
    rows = [
        (joined(_label(one), " → ", _label(other)), count, svg.bar(count, shown[0][2])) for one, other, count in shown
    ]
    more = len(changes) - len(shown)
    caption = f"The {len(shown)} most frequent of {len(changes):,} changes" if more else "A → B"
    return joined(tag("h3", "Changes"), table(caption, ("change", "faces", ""), rows, class_="bars"))


def _truth(diff: Diff) -> Section | None:
    answers, test = diff.comparison.answers, diff.mcnemar
    if not answers or not test:
        return None
    big: list[tuple[object, object]] = [
        (f"accuracy of {side} ({_interval(intervals.of_share(right, answers.n))})", f"{right / answers.n:.1%}")
        for side, right in (("A", answers.right_a), ("B", answers.right_b))
    ]
    big += [("photos", answers.n), ("right only in A", test.only_a), ("right only in B", test.only_b),
            ("p of McNemar's test", test.spelled_p)]  # fmt: skip
    left = ", ".join(f"{count:,} {reason}" for reason, count in answers.left_out.items())
    about = facts([("compared with", name(diff.against)), ("test", test.test), ("left out", left)])
    told = note(
        "The largest face of each photo is compared; an uncertain one counts with its most probable class. p is the "
        "probability that two tables that are right equally often differ by so many photos or more."
    )
    return Section(anchor="truth", title="Beside the truth", content=joined(figures(big), about, told))


def _flips(diff: Diff, album: Album | None) -> Section | None:
    flips = diff.comparison.flips
    if not flips:
        return None
    by_face = {(flip.a.file, flip.a.face): flip for flip in flips}

    def caption(row: Row) -> Html:
        flip = by_face[row.file, row.face]
        labels = (tag("span", f"{side} ", name(one.label), class_="said") for side, one in zip("AB", flip, strict=True))
        scores = ("–" if score is None else f"{score:.2f}" for score in map(decided.score_of, flip))
        return joined(*labels, tag("span", tag("b", ", ".join(scores)), class_="said"))

    rows = [flip.a for flip in flips]
    sprite = Sprite("flips", rows, album) if album else None
    told = [
        f"{counted(len(flips), 'face')} with another class in B, by the lower of both scores: the surest first. ",
        "Below each face are both labels and both scores.",
    ]
    if not album:
        told.append(" Pictures were left out (--no-pictures).")
    elif album.changed:
        told.append(f" Changed since they were labelled: {len(album.changed):,} of these files.")
    shown = joined(sprite.definition() if sprite else "", strip(rows, sprite, caption))
    return Section(anchor="flips", title="Surest changes", content=joined(note(*told), shown, _numbers(flips)))


def _numbers(flips: Sequence[Flip]) -> Html:
    rows = [(name(flip.a.file), str(flip.a.face), *_cells(flip.a), *_cells(flip.b)) for flip in flips]
    made = table("The surest changes as a table", ("file", "face", "A", "score", "B", "score"), rows, wide=True)
    return details("The same as a table", made)


def _cells(row: Row) -> tuple[Html, str]:
    score = decided.score_of(row)
    return name(row.label), "" if score is None else f"{score:.3f}"


def _compared(diff: Diff) -> Section:
    found = diff.comparison
    both = [("files in both", found.both), ("faces matched", found.matched), ("files only in A", found.a.only_files),
            ("files only in B", found.b.only_files), ("changed between the runs", found.changed or "")]  # fmt: skip
    about: list[tuple[str, object]] = [
        (f"only in {side}", _names(one.only_file_names, one.only_files))
        for side, one in (("A", found.a), ("B", found.b))
    ]
    left = "compared all the same" if diff.settings.ignore_versions else "left out"
    about.append((f"changed, {left}", _names(found.changed_names, found.changed)))
    if found.unchecked:
        about.append(("not checked", f"whether {counted(found.unchecked, 'file')} are the same: no version in a table"))
    content = joined(figures(both), facts(about), _statuses(diff), _differences(diff), _sides(diff))
    return Section(anchor="compared", title="What was compared", content=content)


def _names(names: Iterable[str], count: int) -> Html:
    return joined(listed(names), ", …" if count > EXAMPLES else "")


def _statuses(diff: Diff) -> Html:
    found = diff.comparison
    if not found.status_names:
        return Html()
    rows = [
        (f"{one} → {other}", found.statuses[one, other], _names(names, found.statuses[one, other]))
        for (one, other), names in found.status_names.items()
    ]
    return joined(
        tag("h3", "Other statuses"), table("Files whose status is another in B", ("A → B", "files", ""), rows)
    )


def _differences(diff: Diff) -> Html:
    rows = [(name(key), name(one), name(other)) for key, one, other in diff.differences]
    head = ("setting", "A", "B")
    made = table("What differs between the runs", head, rows, wide=True) if rows else note("Both runs were made alike.")
    return joined(tag("h3", "Runs"), made if all(diff.records) else note("A run record is missing."))


def _sides(diff: Diff) -> Html:
    sides = (diff.comparison.a, diff.comparison.b)
    rows = [
        (side, name(table), one.files, one.faces)
        for side, table, one in zip("AB", diff.settings.names, sides, strict=True)
    ]
    return table("The tables", ("", "table", "files", "faces"), rows, wide=True)


def _label(said: str) -> Html:
    return name(said or "no label")


def _interval(interval: Interval) -> str:
    return f"{interval[0]:.1%} to {interval[1]:.1%}"
