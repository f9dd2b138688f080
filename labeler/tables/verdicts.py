"""What the reviewers of one photo decided about its faces: events matched to faces, and votes counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from labeler.records import Row
from labeler.tables.matching import LEAST_IOU, Box, box_of, iou, match_boxes
from labeler.tables.reviews import CONSENSUS, Event, Kind


@dataclass(slots=True)
class Verdict:
    """What was decided about one face."""

    label: str
    """A class, `uncertain`, `not_a_face`; empty for an added face that is none after all."""
    event: Event
    """The latest event that says so."""
    votes: dict[str, Event]
    """The last event of each reviewer."""
    events: list[Event]
    """All events about the face, in their order."""


@dataclass(slots=True)
class Verdicts:
    """What was decided about a photo."""

    faces: list[Verdict | None]
    """For each face of the table, in the order of its rows; None where nobody looked."""
    added: list[Verdict] = field(default_factory=list)
    """Faces that the detector missed, in the order in which they were drawn."""
    orphans: list[Event] = field(default_factory=list)
    """Events that belong to no face."""


def decide(rows: Sequence[Row], events: Iterable[Event]) -> Verdicts:
    """Decide about the faces of one photo: ``rows`` are those with a label, ``events`` those in force.

    Boxes are matched to faces by `match_boxes`. A further box of the same face, another reviewer's or another
    detector's, counts for it where it overlaps the box that was matched; boxes that match no face make faces of their
    own in the same way, which were added, or are orphans.
    """
    by_box: dict[Box | None, list[Event]] = {}
    for event in sorted(events, key=lambda one: one.order):
        by_box.setdefault(event.box, []).append(event)
    boxes = list(by_box)
    found = match_boxes(boxes, [box_of(row) for row in rows])
    of_row = {to: boxes[at] for at, to in found.items()}
    groups = {box: list(by_box[box]) for box in of_row.values()}
    for box in boxes:
        if box not in groups:
            groups.setdefault(_nearest(box, groups), []).extend(by_box[box])
    verdicts = Verdicts([verdict(groups.pop(of_row[at])) if at in of_row else None for at in range(len(rows))])
    for group in groups.values():
        if any(event.kind is Kind.ADD for event in group):
            verdicts.added.append(verdict(group))
        else:
            verdicts.orphans += group
    return verdicts


def verdict(events: Iterable[Event]) -> Verdict:
    """Count the votes about one face: the last event of each reviewer is a vote, the majority decides.

    Of labels with equally many votes, the one that was given last counts. Who took an added face back has no vote. An
    event of the view `CONSENSUS` is no vote: it decides until somebody votes again.
    """
    ordered = sorted(events, key=lambda one: one.order)
    votes = {event.reviewer: event for event in ordered if event.view != CONSENSUS}
    if ordered[-1].view == CONSENSUS:
        return Verdict(ordered[-1].new if votes else "", ordered[-1], votes, ordered)
    counts = Counter(event.new for event in votes.values() if event.new)
    latest = max(votes.values(), key=lambda one: (counts[one.new], one.order))
    return Verdict(latest.new, latest, votes, ordered)


def _nearest(box: Box | None, groups: Iterable[Box | None]) -> Box | None:
    """Return the box of a group that this one overlaps most, or itself if it overlaps none."""
    near = [(iou(box, other), other) for other in groups if box and other]
    overlap, other = max(near, key=lambda one: one[0], default=(0.0, box))
    return other if overlap >= LEAST_IOU else box
