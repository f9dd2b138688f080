"""The corrections of a table: what is in force of its reviews, put into its rows while they pass."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import compress, groupby
from pathlib import Path
from typing import Any

from labeler import storage
from labeler.records import Row, Status
from labeler.storage.store import FileError
from labeler.tables import run_record
from labeler.tables.review_log import Log
from labeler.tables.reviews import CERTIFY, CHECKS, NOT_A_FACE, Event, Kind, picture_hash
from labeler.tables.undoing import Action, Actions
from labeler.tables.verdicts import Verdict, Verdicts, decide

REMOVED = "not a face (review)"
"""The reason of a file whose only faces a person took out."""

MOST_BYTES = 1 << 30
"""Upper limit on a photo that is hashed: it is read into memory whole."""

HashOf = Callable[[str], str | None]
"""Returns the `picture_hash` of a file of the table as it is now; None where it cannot be read."""


@dataclass(slots=True)
class Counts:
    """How many faces of a table were reviewed; complete when its last row has passed."""

    reviewed: int = 0
    """Faces that a person looked at, added ones among them."""
    changed: int = 0
    """Those of them whose label is another now; `not_a_face` and `added` faces are not among these."""
    not_a_face: int = 0
    added: int = 0
    reviewers: Counter[str] = field(default_factory=Counter)
    """How many of the faces each reviewer looked at."""
    orphans: Counter[str] = field(default_factory=Counter)
    """Events that belong to no face of the table, by file."""

    def as_json(self) -> dict[str, Any]:
        """Return them for JSON."""
        return {
            "reviewed": self.reviewed,
            "changed": self.changed,
            "not_a_face": self.not_a_face,
            "added": self.added,
            "reviewers": dict(self.reviewers),
            "orphans": dict(self.orphans),
        }


class Reviews:
    """The events of a table's reviews. The order in which they are added, and how often, does not matter.

    Those of `CHECKS` decide nothing, and count nowhere but in `checks`.
    """

    def __init__(self, events: Iterable[Event] = ()) -> None:
        self.actions = Actions()
        self.checks: list[Event] = []
        """Events of `CHECKS`, also those that were undone."""
        self.adds = 0
        """How many events add a face."""
        self.last_time = ""
        """The time of the last event: see `reviews.now`."""
        self._files: dict[str, list[Event]] = {}
        self._views: dict[str, list[Event]] = {}
        """Events of blind cards and of checks."""
        self._of_action: dict[Action, list[str]] = {}
        self._ids: set[str] = set()
        self.add(events)

    def __contains__(self, file: str) -> bool:
        """Say whether there is an event of a file."""
        return file in self._files

    @property
    def files(self) -> Collection[str]:
        """Return the files that have events."""
        return self._files.keys()

    @property
    def views(self) -> Collection[str]:
        """Return the views of blind cards and of checks that have events."""
        return self._views.keys()

    @property
    def has_cards(self) -> bool:
        """Say whether somebody answered blind cards, of whatever draw."""
        return any(view.startswith(f"{CERTIFY} ") for view in self._views)

    def files_of(self, undo: Event) -> set[str]:
        """Return the files of the action whose labels change with an undo."""
        return set(self._of_action.get((undo.reviewer, self.actions.target(undo)), ()))

    def add(self, events: Iterable[Event]) -> set[str]:
        """Add events; return the files whose faces may have other labels now."""
        touched: set[str] = set()
        for event in events:
            if event.id in self._ids:
                continue
            self._ids.add(event.id)
            self.last_time = max(self.last_time, event.time)
            self.adds += event.kind is Kind.ADD
            self.actions.add(event)
            action = event.reviewer, event.action
            files = self._of_action.setdefault(action, [])
            if event.view.startswith(CERTIFY) or event.view in CHECKS:
                self._views.setdefault(event.view, []).append(event)
            if event.kind is Kind.UNDO:
                touched |= self.files_of(event)
            elif event.view in CHECKS:
                self.checks.append(event)
            else:
                self._files.setdefault(event.file, []).append(event)
                files.append(event.file)
                touched.add(event.file)
        return touched

    def in_view(self, view: str) -> list[Event]:
        """Return the events in force of blind cards or of checks, in their order."""
        return sorted(filter(self.actions.in_force, self._views.get(view, ())), key=lambda one: one.order)

    def of(self, file: str) -> list[Event]:
        """Return all events of a file, also those that were undone, in their order."""
        return sorted(self._files.get(file, ()), key=lambda one: one.order)

    def decide(self, rows: Sequence[Row], hash_of: HashOf) -> Verdicts:
        """Decide about the faces of a file of the table: those of its rows that have a label.

        An event belongs to the picture that was reviewed: one of the same version, or of the same content, for which
        ``hash_of`` is asked. Of a file that could not be read, or shows another picture, all events are orphans.
        """
        events = [event for event in self.of(rows[0].file) if self.actions.in_force(event)]
        if rows[0].failed:
            return Verdicts([], orphans=events)
        same = [_is_same_picture(event, rows[0], hash_of) for event in events]
        verdicts = decide([row for row in rows if row.label], list(compress(events, same)))
        others = [event for event, is_same in zip(events, same, strict=True) if not is_same]
        return replace(verdicts, orphans=[*verdicts.orphans, *others])


class Corrections:
    """Puts the reviews of one table into its rows; memory holds what was reviewed, not the table."""

    def __init__(self, reviews: Reviews, hash_of: HashOf) -> None:
        self.counts = Counts()
        """Complete after a pass of `rows`."""
        self._reviews = reviews
        self._hash_of = cache(hash_of)

    @property
    def files(self) -> Collection[str]:
        """Return the files that have corrections."""
        return self._reviews.files

    @property
    def has_cards(self) -> bool:
        """Say whether somebody answered blind cards, of whatever draw."""
        return self._reviews.has_cards

    @property
    def most_added(self) -> int:
        """Return an upper limit on the added faces."""
        return self._reviews.adds

    def rows(self, rows: Iterable[Row]) -> Iterator[Row]:
        """Yield the rows of the whole table, corrected: `Row.before` says what a reviewed one said before.

        A corrected row has the label that was decided; its probabilities and score stay the model's. A face that is
        none has no row, and if it was the only one of its file, the file's row says `no_face`. An added face has a
        row after the others of its file, without score and probabilities.
        """
        self.counts = Counts()
        unseen = set(self._reviews.files)
        for file, group in groupby(rows, lambda row: row.file if row.file in self._reviews else None):
            if file is None:
                yield from group
            else:
                unseen.discard(file)
                yield from self._corrected(list(group))
        for file in sorted(unseen):
            self._count_orphans(event for event in self._reviews.of(file) if self._reviews.actions.in_force(event))

    def _corrected(self, rows: list[Row]) -> Iterator[Row]:
        verdicts = self._reviews.decide(rows, self._hash_of)
        self._count_orphans(verdicts.orphans)
        decided = iter(verdicts.faces)
        kept = [self._after(row, next(decided) if row.label else None) for row in rows]
        found = [row for row in kept if row]
        added = [one for one in verdicts.added if one.label not in {"", NOT_A_FACE}]
        if added:
            found = [row for row in found if row.label]  # The file's row that said that there is no face.
        if not found and not added:
            yield _without_face(rows[0])
        yield from found
        last = max((row.face or 0 for row in rows if row.label), default=-1)
        for face, one in enumerate(added, last + 1):
            self._count(one)
            self.counts.added += 1
            yield _added(rows[0], face, one)

    def _after(self, row: Row, verdict: Verdict | None) -> Row | None:
        """Return a row as its verdict says; None if it is taken out."""
        if not verdict or not verdict.label:
            return row
        self._count(verdict)
        if verdict.label == NOT_A_FACE:
            self.counts.not_a_face += 1
            return None
        self.counts.changed += verdict.label != row.label
        return row._replace(label=verdict.label, before=row.label)

    def _count(self, verdict: Verdict) -> None:
        self.counts.reviewed += 1
        self.counts.reviewers.update(who for who, event in verdict.votes.items() if event.new)

    def _count_orphans(self, events: Iterable[Event]) -> None:
        self.counts.orphans.update(event.file for event in events)


def of_table(table: Path, root: str = "") -> Corrections | None:
    """Return the corrections of a table, whose files lie in ``root``, else where they were; None without reviews.

    Raises:
        LabelerError: the reviews cannot be read, or are damaged.
    """
    events = Log.of(table).read()
    if not events:
        return None
    record = run_record.read(table)
    return Corrections(Reviews(events), hashes(root or (record.root if record else "")))


def hashes(root: str) -> HashOf:
    """Return the function that reads and hashes a file of a table."""
    store = storage.at(root)

    def hash_of(file: str) -> str | None:
        try:
            return picture_hash(store.read(file, MOST_BYTES).data)
        except FileError:
            return None

    return hash_of


_NO_FACE = Row("").without_label(Status.NO_FACE, REMOVED)


def _is_same_picture(event: Event, row: Row, hash_of: HashOf) -> bool:
    """Say whether an event is about the picture of a row; without a version, file and box decide."""
    if not event.version or not row.version or event.version == row.version:
        return True
    return event.hash is not None and event.hash == hash_of(row.file)


def _without_face(row: Row) -> Row:
    """Return the row of a file whose last face was taken out."""
    return _NO_FACE._replace(
        file=row.file,
        image_width=row.image_width,
        image_height=row.image_height,
        version=row.version,
        before=row.label,
        kept=row.kept,
    )


def _added(row: Row, face: int, verdict: Verdict) -> Row:
    """Return the row of a face that the detector missed; ``row`` is another of its file."""
    box = next(event.box for event in verdict.votes.values() if event.box)
    return Row(
        row.file,
        face,
        *box,
        label=verdict.label,
        image_width=row.image_width,
        image_height=row.image_height,
        version=row.version,
        before="",
        kept=row.kept,
    )
