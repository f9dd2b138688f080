"""Put the reviews of several persons together, say how far they agree, and decide where they do not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any
from uuid import uuid4

from labeler.certify import summary
from labeler.errors import LabelerError, needs
from labeler.reviewers.votes import Reviewed, Votes, counted, reviewed
from labeler.tables import formats, reader, run_record
from labeler.tables.corrections import HashOf, Reviews, hashes
from labeler.tables.matching import box_of
from labeler.tables.review_log import Log
from labeler.tables.reviews import CONSENSUS, Event, Kind, now
from labeler.watched import Watched, unwatched


class Decide(StrEnum):
    """Who decides about a face that reviewers label differently."""

    MAJORITY = "majority"
    CLEANLAB = "cleanlab"


@dataclass(frozen=True, kw_only=True)
class MergeSettings:
    """Which reviews to put together."""

    table: Path
    others: Sequence[Path] = ()
    """Further files of reviews, whose events are appended to those of the table."""
    out: Path | None = None
    """Where to put all of them instead; None for the reviews of the table."""
    decide: Decide = Decide.MAJORITY
    root: str = ""
    """Where the table's files are; empty for where they were."""


@dataclass(kw_only=True)
class Merged:
    """What a merge came to."""

    path: Path
    """Where the events are."""
    events: dict[Path, tuple[int, int]]
    """How many events each file has, and how many of them are new."""
    votes: Votes
    decisions: int = 0
    """How many decisions were recorded, or taken back."""
    twice: dict[str, list[Path]] = field(default_factory=dict)
    """Reviewers who said different things in several files, each with those: one person, or two of one name."""

    def as_json(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {
            "reviews": str(self.path),
            "files": [{"file": str(path), "events": number, "new": new} for path, (number, new) in self.events.items()],
            "decisions": self.decisions,
            "in_several_files": {who: list(map(str, paths)) for who, paths in self.twice.items()},
            **self.votes.as_json(),
        }


def votes(table: Path, root: str = "", watched: Watched = unwatched) -> Votes:
    """Return the votes on the faces of a table, as they are.

    Raises:
        LabelerError: the table or its reviews cannot be read.
    """
    reviews = Reviews(Log.of(table).read())
    found = _counted(table, reviews, _hashes(table, root), watched)
    checks = summary.said(table, root) if reviews.checks else None
    found.checked = checks.checked if checks else {}
    return found


def merge(wanted: MergeSettings, watched: Watched = unwatched) -> Merged:
    """Append the events that are missing, and decide where reviewers do not agree.

    The result is the same in whatever order files are merged, and how often.

    Raises:
        LabelerError: the table or a file of reviews cannot be read, or a file is about other photos.
        OutputError: the reviews cannot be written.
    """
    own = Log.of(wanted.table)
    log = Log(wanted.out) if wanted.out else own
    sources = {own.path: own.read(), **{path: _read(path) for path in wanted.others}}
    _refuse_foreign(wanted.table, {path: sources[path] for path in wanted.others})
    hash_of = _hashes(wanted.table, wanted.root)
    with log.held():
        events = {path: (len(found), log.append(found)) for path, found in sources.items()}
        reviews = Reviews(log.read())
        decisions = list(_decisions(wanted, reviews, hash_of, watched))
        log.append(decisions)
        reviews.add(decisions)
    return Merged(
        path=log.path,
        events=events,
        votes=_counted(wanted.table, reviews, hash_of, watched),
        decisions=len(decisions),
        twice=_twice(sources),
    )


def _counted(table: Path, reviews: Reviews, hash_of: HashOf, watched: Watched) -> Votes:
    orphans: Counter[str] = Counter()
    rows = watched(reader.read(table), "counting votes")
    found = counted(reviewed(rows, reviews, hash_of, orphans), reader.class_names(table))
    found.orphans = orphans
    return found


def _decisions(wanted: MergeSettings, reviews: Reviews, hash_of: HashOf, watched: Watched) -> Iterator[Event]:
    """Yield the events that make the wanted decisions count, or the majority; none where they do already."""
    if wanted.decide is Decide.MAJORITY:
        for action in sorted(_decided_by(reviews)):
            yield Event(
                action=uuid4().hex, time=now(reviews.last_time), reviewer=CONSENSUS, kind=Kind.UNDO, undoes=action
            )
        return
    reader.need_all(wanted.table, "--decide cleanlab")
    with needs("audit", "cleanlab", "sklearn"):
        from labeler.reviewers import consensus
    class_names = reader.class_names(wanted.table)
    rows = watched(reader.read(wanted.table), "deciding")
    faces = list(reviewed(rows, reviews, hash_of, Counter()))
    action, time = uuid4().hex, now(reviews.last_time)
    for face, label in zip(faces, consensus.labels(faces, class_names), strict=True):
        if label and label != face.verdict.label:
            yield _decision(face, label, action, time)


def _decided_by(reviews: Reviews) -> set[str]:
    """Return the actions in force by which a decision was made."""
    events = (event for file in reviews.files for event in reviews.of(file))
    return {event.action for event in events if event.view == CONSENSUS and reviews.actions.in_force(event)}


def _decision(face: Reviewed, label: str, action: str, time: str) -> Event:
    return Event(
        action=action,
        time=time,
        reviewer=CONSENSUS,
        file=face.row.file,
        box=box_of(face.row),
        version=face.row.version,
        hash=next((event.hash for event in face.verdict.votes.values() if event.hash), None),
        old=face.verdict.label,
        new=label,
        view=CONSENSUS,
    )


def _read(path: Path) -> list[Event]:
    if not path.is_file():
        raise LabelerError(f"{path} does not exist" if not path.exists() else f"{path} is not a file of reviews")
    return Log(path).read()


def _refuse_foreign(table: Path, sources: Mapping[Path, Iterable[Event]]) -> None:
    """Refuse reviews that name no file of the table: what is appended stays.

    Raises:
        LabelerError: that is so.
    """
    named = {path: {event.file for event in events if event.kind is not Kind.UNDO} for path, events in sources.items()}
    unknown = {path: files for path, files in named.items() if files}
    reader.class_names(table)
    for file in formats.of(table).files(table) if unknown else ():
        unknown = {path: files for path, files in unknown.items() if file not in files}
        if not unknown:
            break
    for path, files in unknown.items():
        raise LabelerError(
            f"{path} is about other photos than {table}: it names {len(files):,}, such as {min(files)!r:.100}, and "
            "none of them is in the table. Nothing was changed"
        )


def _twice(sources: Mapping[Path, Sequence[Event]]) -> dict[str, list[Path]]:
    """Return the reviewers of whom several files have events that the others of these lack, with those files."""
    ids: dict[str, dict[Path, set[str]]] = {}
    for path, events in sources.items():
        for event in events:
            ids.setdefault(event.reviewer, {}).setdefault(path, set()).add(event.id)
    found = {}
    for who, of_file in sorted(ids.items()):
        apart = [
            path
            for path, own in of_file.items()
            if any(own - theirs and theirs - own for other, theirs in of_file.items() if other != path)
        ]
        if apart and who != CONSENSUS:
            found[who] = apart
    return found


def _hashes(table: Path, root: str) -> HashOf:
    """Return what hashes the photos of a table, which is asked only about those that have changed."""
    record = run_record.read(table)
    return hashes(root or (record.root if record else ""))
