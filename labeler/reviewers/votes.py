"""What the reviewers of a table said about its faces, face by face, and what all of it comes to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from itertools import combinations, groupby
from typing import Any, NamedTuple

from labeler.certify.reviewer import Checks
from labeler.evaluation import agreement, raters
from labeler.evaluation.agreement import Agreement
from labeler.evaluation.intervals import Interval
from labeler.evaluation.raters import Coefficient, Raters
from labeler.records import UNCERTAIN, Row
from labeler.tables.corrections import HashOf, Reviews
from labeler.tables.reviews import CERTIFY, CONSENSUS, NOT_A_FACE, Event
from labeler.tables.verdicts import Verdict
from labeler.tables.verdicts import verdict as verdict_of


class Reviewed(NamedTuple):
    """A face that somebody looked at."""

    row: Row
    """That of the table; of a face that was added one with its box, without label and probabilities."""
    verdict: Verdict

    @property
    def votes(self) -> dict[str, str]:
        """Return what each reviewer said; who was unsure, or took an added face back, said nothing."""
        return _named(self.verdict.votes.values())

    @property
    def blind(self) -> dict[str, str]:
        """Return what each reviewer said who was shown the face without its label; who was unsure, said nothing."""
        events = self.verdict.events
        return _named(event for event in events if event.view.startswith(f"{CERTIFY} ") and not event.shown)

    @property
    def majority(self) -> str:
        """Return the label with the most votes, whatever was decided."""
        return verdict_of(self.verdict.votes.values()).label


@dataclass(slots=True)
class Votes:
    """The votes on a table's faces, counted."""

    class_names: tuple[str, ...]
    reviewers: dict[str, Counter[str]] = field(default_factory=dict)
    """On how many faces each reviewer gave which label."""
    changed: Counter[str] = field(default_factory=Counter)
    """On how many of them it is another than the model's."""
    reviewed: int = 0
    """Faces that somebody looked at."""
    decided: int = 0
    """Those of them about which a decision counts, and not the majority."""
    combinations: Counter[tuple[str, ...]] = field(default_factory=Counter)
    """Faces with two votes or more, by their votes."""
    pairs: dict[tuple[str, str], Counter[tuple[str, str]]] = field(default_factory=dict)
    """What two reviewers said about the faces that both looked at."""
    blind_pairs: dict[tuple[str, str], Counter[tuple[str, str]]] = field(default_factory=dict)
    """What two reviewers said about the faces that both were shown blind, without the label."""
    checked: dict[str, Checks] = field(default_factory=dict)
    """The checks of each reviewer: cards that were shown twice, and labels that were wrong on purpose."""
    unknown: Counter[str] = field(default_factory=Counter)
    """Votes for a label that is no class of the table; they count all the same."""
    orphans: Counter[str] = field(default_factory=Counter)
    """Events that belong to no face of the table, by file."""

    def add(self, face: Reviewed) -> None:
        """Count the votes on a face."""
        self.reviewed += 1
        self.decided += face.verdict.event.view == CONSENSUS
        for who, event in face.verdict.votes.items():
            said = self.reviewers.setdefault(who, Counter())
            if event.new:
                said[event.new] += 1
                self.changed[who] += event.new != face.row.label
            if event.new not in {"", UNCERTAIN, NOT_A_FACE, *self.class_names}:
                self.unknown[event.new] += 1
        votes = face.votes
        if len(votes) > 1:
            self.combinations[tuple(sorted(votes.values()))] += 1
        for pairs, said_by in ((self.pairs, votes), (self.blind_pairs, face.blind)):
            for one, other in combinations(sorted(said_by), 2):
                pairs.setdefault((one, other), Counter())[said_by[one], said_by[other]] += 1

    @property
    def raters(self) -> Raters | None:
        """Return how far all reviewers agree; None without a face with two votes."""
        return raters.agreement(self.combinations)

    @property
    def agreements(self) -> dict[tuple[str, str], Agreement]:
        """Return how far each pair of reviewers agrees, those with the most faces in common first."""
        return _agreements(self.pairs)

    @property
    def blind_agreements(self) -> dict[tuple[str, str], Agreement]:
        """Return how far each pair agrees on the faces that both were shown blind."""
        return _agreements(self.blind_pairs)

    @property
    def disagreements(self) -> list[tuple[str, str, int]]:
        """Return how often two labels were given to one face, the most frequent first."""
        found: Counter[tuple[str, str]] = Counter()
        for said in self.pairs.values():
            for (one, other), count in said.items():
                if one != other:
                    found[min(one, other), max(one, other)] += count
        return [(*labels, count) for labels, count in sorted(found.items(), key=lambda one: (-one[1], one[0]))]

    def as_json(self) -> dict[str, Any]:
        """Return all figures for JSON."""
        all_raters = self.raters
        return {
            "reviewed": self.reviewed,
            "reviewers": {
                who: {"faces": said.total(), "changed": self.changed[who], "labels": dict(said)}
                for who, said in sorted(self.reviewers.items())
            },
            "decided": self.decided,
            "faces_with_several_votes": all_raters.faces if all_raters else 0,
            "raw_agreement": _coefficient(all_raters.raw if all_raters else None),
            "krippendorff_alpha": _coefficient(all_raters.alpha if all_raters else None),
            "gwet_ac1": _coefficient(all_raters.ac1 if all_raters else None),
            "pairs": _pairs(self.agreements),
            "blind_pairs": _pairs(self.blind_agreements),
            "checks": {who: asdict(one) for who, one in sorted(self.checked.items())},
            "disagreements": [list(one) for one in self.disagreements],
            "labels_that_are_no_class": dict(self.unknown),
            "orphans": dict(self.orphans),
        }


def reviewed(rows: Iterable[Row], reviews: Reviews, hash_of: HashOf, orphans: Counter[str]) -> Iterator[Reviewed]:
    """Yield the faces that somebody looked at, in the order of the table; count by file the events that have none."""
    unseen = set(reviews.files)
    for file, group in groupby((row for row in rows if row.file in reviews), lambda row: row.file):
        unseen.discard(file)
        of_file = list(group)
        verdicts = reviews.decide(of_file, hash_of)
        faces = (row for row in of_file if row.label)
        for row, verdict in zip(faces, verdicts.faces, strict=False):  # Of a file that failed, there are none.
            if verdict:
                yield Reviewed(row, verdict)
        for verdict in verdicts.added:
            yield Reviewed(_added(of_file[0], verdict), verdict)
        _count(orphans, verdicts.orphans)
    for file in unseen:
        _count(orphans, filter(reviews.actions.in_force, reviews.of(file)))


def counted(faces: Iterable[Reviewed], class_names: tuple[str, ...]) -> Votes:
    """Return the votes on all faces."""
    found = Votes(class_names)
    for face in faces:
        found.add(face)
    return found


def _added(row: Row, verdict: Verdict) -> Row:
    box = next(event.box for event in verdict.votes.values() if event.box)
    x, y, width, height = box
    return Row(
        row.file,
        x=x,
        y=y,
        width=width,
        height=height,
        image_width=row.image_width,
        image_height=row.image_height,
        version=row.version,
    )


def _count(orphans: Counter[str], events: Iterable[Event]) -> None:
    orphans.update(event.file for event in events)


def _named(events: Iterable[Event]) -> dict[str, str]:
    """Return the last class, or `not_a_face`, that each reviewer said; who was unsure last, said nothing."""
    said = {event.reviewer: event.new for event in events}
    return {who: label for who, label in said.items() if label not in {"", UNCERTAIN}}


def _agreements(pairs: dict[tuple[str, str], Counter[tuple[str, str]]]) -> dict[tuple[str, str], Agreement]:
    found = {pair: agreement.agreement(said) for pair, said in pairs.items()}
    return dict(sorted(found.items(), key=lambda one: (-one[1].n, one[0])))


def _pairs(agreements: dict[tuple[str, str], Agreement]) -> list[dict[str, Any]]:
    return [
        {
            "reviewers": list(pair),
            "n": found.n,
            "agreed": found.agreed,
            "raw_agreement": _figure(found.share, found.interval),
            "cohen_kappa": _figure(found.kappa.value, found.kappa.interval) if found.kappa else None,
        }
        for pair, found in agreements.items()
    ]


def _coefficient(found: Coefficient | None) -> dict[str, Any] | None:
    return _figure(found.value, found.interval) if found else None


def _figure(value: float | None, interval: Interval | None) -> dict[str, Any] | None:
    return None if value is None else {"value": value, "interval": interval and list(interval)}
