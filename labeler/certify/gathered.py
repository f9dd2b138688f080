"""What persons said about the faces of a table, sorted for the estimators: blind cards, open looks, checks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np

from labeler.certify.answers import NOT_A_FACE, NOT_SEEN, UNSURE, Answers, Review
from labeler.certify.draw import Draw
from labeler.certify.reviewer import Checks
from labeler.records import UNCERTAIN
from labeler.tables import reviews as said
from labeler.tables.corrections import HashOf, Reviews
from labeler.tables.index import Index
from labeler.tables.matching import Box, box_of
from labeler.tables.reviews import AGAIN, CERTIFY, SENTINEL, Event
from labeler.tables.verdicts import Verdict

FEWEST_CARDS = 100
"""Lower limit on the cards with a class by which an adapted model is judged."""

FEWEST_TAUGHT = 100
"""Lower limit on the faces beside the sample from which a model is adapted. On FER-2013's `valid`, where the default
model is right already, 0.8 points fewer labels were right with 50 faces, 0.7 with 100, 0.3 with 200: the sample then
stands in between.
"""

Keep = Callable[[int, Verdict], object]
"""Called with the row of a face, and with what was said about it."""


@dataclass(slots=True, kw_only=True)
class Gathered:
    """The answers to the cards of a draw, and all else that a certificate says about a review."""

    draw: Draw
    review: Review
    checks: Checks
    cards: list[int]
    """Places of the faces that were answered blind, in the order of the cards."""
    reviewers: Counter[str] = field(default_factory=Counter)
    """How many cards each reviewer answered."""
    checked: dict[str, Checks] = field(default_factory=dict)
    """The checks of each reviewer."""
    both: int = 0
    """Cards that two or more reviewers answered."""
    contradicted: int = 0
    """Those of them of which no majority gave one answer; they count as unsure."""
    earlier: int = 0
    """Faces that were answered blind for another draw, of a table with other rows, labels or scores."""
    added: int = 0
    """Faces that the detector missed and persons added."""
    orphans: int = 0
    """Events that belong to no face of the table."""
    looked: int = 0
    """Faces of the table that somebody looked at, blind or not."""
    changed: int = 0
    """Those of them that have another label now, or are no faces."""
    voters: Counter[str] = field(default_factory=Counter)
    """How many faces each reviewer looked at."""
    first: str = ""
    """The time of the first answer to a card, UTC; empty without one."""
    last: str = ""

    @property
    def sure(self) -> dict[int, int]:
        """Return the class, by row of the table, of each card that was answered with one and nobody contradicted."""
        blind = self.review.blind
        return {int(self.draw.rows[place]): int(blind[place]) for place in self.cards if blind[place] >= 0}

    @property
    def taught(self) -> list[int]:
        """Return the rows of the faces beside the sample that were named a class of: a model can learn from these."""
        return list(map(int, self.draw.rows[(self.review.seen_open >= 0) & ~self.review.sampled]))


def gather(draw: Draw, reviews: Reviews, hash_of: HashOf, keep: Keep | None = None) -> Gathered:
    """Sort the reviews of a table; ``keep`` gets each face that somebody looked at.

    A card counts as answered from its first answer on; the last one of each reviewer is his, the majority of reviewers
    decides. A card that was passed over, while later ones were answered, is `UNSURE`. A label that is no class of the
    table is wrong and of no class, as `NOT_A_FACE` is.
    """
    found = Gathered(draw=draw, review=_nothing(draw), checks=Checks(), cards=[])
    codes = {name: code for code, name in enumerate(draw.index.class_names)} | {UNCERTAIN: UNSURE}
    own: dict[int, dict[str, Event]] = {}
    opened: dict[int, tuple[str, int]] = {}
    for row, verdict in _verdicts(draw.index, reviews, hash_of, found):
        if keep:
            keep(row, verdict)
        place = int(draw.places[row])
        blind = {event.reviewer: event for event in verdict.events if event.view == draw.view and not event.shown}
        found.looked += 1
        found.changed += verdict.label not in {"", draw.index.labels[draw.index.label[row]]}
        found.voters.update(verdict.votes.keys())
        found.earlier += any(event.view.startswith(CERTIFY + " ") for event in verdict.events) and not blind
        if blind:
            own[place] = blind
            found.first = min(found.first or "9", *(event.time for event in blind.values()))
            found.last = max(found.last, *(event.time for event in blind.values()))
        elif verdict.label:
            opened[place] = verdict.events[0].time, codes.get(verdict.label, NOT_A_FACE)
    _answer(found, {place: _blind(found, by, codes) for place, by in own.items()}, opened)
    _check(found, reviews, own, codes)
    return found


def _nothing(draw: Draw) -> Review:
    none, other, another = (np.full(len(draw), NOT_SEEN, np.int16) for _ in range(3))
    return Review(
        labels=draw.labels,
        probabilities=draw.probabilities,
        strata=draw.strata,
        blind=none,
        open=other,
        later=another,
    )


def _verdicts(index: Index, reviews: Reviews, hash_of: HashOf, found: Gathered) -> Iterator[tuple[int, Verdict]]:
    """Yield the row of each face that somebody looked at, and what was said; count what belongs to no row."""
    rows_of = index.rows_of(reviews.files)
    for file in reviews.files:
        numbers = rows_of.get(file)
        if not numbers:
            found.orphans += sum(map(reviews.actions.in_force, reviews.of(file)))
            continue
        rows = [index.row(number) for number in numbers]
        decided = reviews.decide(rows, hash_of)
        labelled = [number for number, row in zip(numbers, rows, strict=True) if row.label]
        found.orphans += len(decided.orphans)
        found.added += sum(one.label not in {"", said.NOT_A_FACE} for one in decided.added)
        for number, verdict in zip(labelled, decided.faces, strict=False):
            if verdict:
                yield number, verdict


def _blind(found: Gathered, by: dict[str, Event], codes: dict[str, int]) -> int:
    """Return the answer to a card."""
    found.reviewers.update(by.keys())
    counts = Counter(codes.get(event.new, NOT_A_FACE) for event in by.values())
    answer, votes = counts.most_common(1)[0]
    found.both += len(by) > 1
    if 2 * votes <= len(by):
        found.contradicted += 1
        return UNSURE
    return answer


def _answer(found: Gathered, blind: dict[int, int], opened: dict[int, tuple[str, int]]) -> None:
    """Put the answers where the estimators expect them, see `answers.Review`."""
    review = found.review
    for place, (time, answer) in opened.items():
        into = review.open if not blind or time < found.first else review.later
        assert into is not None
        into[place] = answer
    _fill(review.blind, blind)
    if not blind:
        return
    order = found.draw.order
    reached = int(np.flatnonzero(np.isin(order, list(blind)))[-1]) + 1
    for place in order[:reached].tolist():
        if place in blind or review.open[place] == NOT_SEEN:
            found.cards.append(place)
    assert review.later is not None
    for place in found.cards:
        if place not in blind:
            later = int(review.later[place])
            review.blind[place] = UNSURE if later == NOT_SEEN else later
            review.later[place] = NOT_SEEN


def _fill(into: Answers, answers: dict[int, int]) -> None:
    for place, answer in answers.items():
        into[place] = answer


def _check(found: Gathered, reviews: Reviews, own: dict[int, dict[str, Event]], codes: dict[str, int]) -> None:
    """Count the cards that were shown twice and the sentinels, each face once for each reviewer."""
    counts: dict[str, Counter[str]] = {}
    asked: set[tuple[str, str, str, Box | None]] = set()
    answered = _by_face(found, own)
    for event in sorted(filter(reviews.actions.in_force, reviews.checks), key=lambda one: one.order):
        what = event.view, event.reviewer, event.file, event.box
        if what in asked:
            continue
        asked.add(what)
        count = counts.setdefault(event.reviewer, Counter())
        first = answered.get((event.file, event.box), {}).get(event.reviewer)
        if event.view == SENTINEL:
            count.update({"sentinels": 1, "missed": int(event.new == event.old)})
        elif event.view == AGAIN and first and UNCERTAIN not in {first.new, event.new}:
            same = codes.get(first.new, NOT_A_FACE) == codes.get(event.new, NOT_A_FACE)
            count.update({"twice": 1, "disagreed": int(not same)})
    found.checked = {who: _checks([count]) for who, count in counts.items()}
    found.checks = _checks(counts.values())


def _by_face(found: Gathered, own: dict[int, dict[str, Event]]) -> dict[tuple[str, Box | None], dict[str, Event]]:
    index, rows = found.draw.index, found.draw.rows
    faces = ((index.row(int(rows[place])), by) for place, by in own.items())
    return {(row.file, box_of(row)): by for row, by in faces}


def _checks(counts: Iterable[Counter[str]]) -> Checks:
    total = sum(counts, Counter[str]())
    return Checks(**{name: total[name] for name in ("twice", "disagreed", "sentinels", "missed")})
