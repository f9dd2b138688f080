"""Blind cards and sentinels of a review: which there are, what the page may know of them, what their answers mean."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from itertools import islice
from typing import Any

import numpy as np

from labeler.certify.certified import Certified
from labeler.records import Row
from labeler.review import aliases, sample, sentinels, told
from labeler.review.aliases import Alias
from labeler.review.current import Current, Said
from labeler.review.estimate import Estimate
from labeler.review.refused import Refused
from labeler.review.sentinels import Wrong
from labeler.review.views import Rows, Wanted
from labeler.tables.matching import box_of
from labeler.tables.reviews import AGAIN, CERTIFY, CHECKS, SENTINEL, Event

_FIRST_LINE = 20
"""Answers from which it is said what they show."""

_EVERY = 10
"""Answers after which that is worked out anew."""

_PATIENCE_S = 2.0
"""Upper limit on the wait of a first view for the earlier answers to be gathered: 1.3 s for a million faces."""


class Cards:
    """Answers what is asked about aliases. Whoever calls holds the lock of `Current`, but for `ready` and `settle`."""

    def __init__(self, current: Current, estimate: Estimate, missing: Callable[[Row], str]) -> None:
        """``missing`` says of a row why its picture cannot be shown; empty where it can be."""
        self._current, self._index, self._estimate, self._missing = current, current.index, estimate, missing
        self._answers: dict[str, tuple[int, dict[int, Event]]] = {}
        self._kept: Rows | None = None
        self._is_answered_now = False
        self._tens = 0
        if told.blind(current):
            estimate.ask()

    def ready(self) -> None:
        """Wait until the draw of the table is known; it may take a second."""
        assert self._estimate.draw

    def settle(self) -> None:
        """Wait a little for what the earlier answers say, so that the first view has its sentinels, too."""
        self._estimate.wait(_PATIENCE_S)

    @property
    def count(self) -> int:
        """Return how many cards this reviewer has answered."""
        return len(self._said(self._estimate.draw.view))

    def upcoming(self) -> Rows:
        """Return the cards that are left, as aliases in their order.

        Those that were passed over come first, but for those without a picture: nobody can say anything about them,
        and they count as unsure.
        """
        draw = self._estimate.draw
        rows = draw.rows[draw.order]
        is_left = self._current.by[rows] < 0
        answered = self._said(draw.view)
        turns = np.flatnonzero(np.isin(draw.order, draw.places[list(answered)])).tolist()
        for turn in np.flatnonzero(is_left[: turns[-1]]).tolist() if turns else ():
            is_left[turn] = not self._missing(self._current.row(int(rows[turn])))
        return sample.upcoming(list(answered), rows[is_left], self._said(AGAIN).keys())

    def next(self, skip: int) -> int | None:
        """Return the card that is next after ``skip`` that were passed over; None where none is left."""
        if self._kept is None:
            self._kept = self.upcoming()
        is_open = (number for number in map(int, self._kept) if not self._is_answered(number))
        return next(islice(is_open, skip, None), None)

    def salted(self, rows: Rows, wanted: Wanted) -> Rows:
        """Return the rows of a view with sentinels among them, where it is one of faces that nobody has reviewed."""
        sure = self._estimate.known.sure
        if wanted.reviewed is not False or wanted.reviewer is not None or len(sure) < sentinels.FEWEST:
            return rows
        shown = self._said(SENTINEL)
        names, label, labels = self._index.class_names, self._current.label, self._current.labels
        known = (row for row, place in sorted(sure.items()) if labels[label[row]] == names[place])
        found = (self._wrong(row) for row in known if row not in shown)
        fitting = sentinels.fitting(filter(None, found), wanted, self._index)
        return sentinels.mixed(rows, fitting, [int(self._estimate.draw.name, 16), len(shown), len(rows)])

    def row(self, number: int) -> int:
        """Return the row that an alias stands for.

        Raises:
            Refused: it stands for none.
        """
        row = aliases.row(number)
        alias = aliases.of(number)
        inside = row < len(self._index)
        if not inside or (self._wrong(row) is None if alias is Alias.SENTINEL else self._estimate.draw.places[row] < 0):
            raise Refused(404, f"there is no row {number}")
        return row

    def meant(self, said: Said) -> Said:
        """Return what is said about an alias as it is written about its row, whatever the page says of the manner."""
        alias, row = aliases.of(said.row), self.row(said.row)
        if alias is Alias.SENTINEL:
            shown = self._wrong(row)
            return replace(said, row=row, view=SENTINEL, shown=True, old=shown.label if shown else "")
        view = self._estimate.draw.view
        if alias is Alias.AGAIN and row in self._said(view):  # Else it was passed over: this is the first look.
            view = AGAIN
        return replace(said, row=row, view=view, shown=False)

    def answered(self) -> None:
        """Note that cards were answered."""
        self._is_answered_now = True
        tens = self.count // _EVERY
        if self.count >= _FIRST_LINE and tens != self._tens:
            self._tens = tens
            self._estimate.ask()

    def shown(self, number: int) -> dict[str, Any]:
        """Return what counts for an alias, for the page: of a blind one only whether it was answered."""
        row = aliases.row(number)
        if aliases.is_blind(number):
            return {"row": number, "card": True, "reviewed": self._is_answered(number)}
        found, said = self._wrong(row), self._said(SENTINEL).get(row)
        label = found.label if found else ""
        return {
            "row": number,
            "label": said.new if said else label,
            "before": label if said else None,
            "reviewed": said is not None,
            "reviewer": said.reviewer if said else None,
        }

    def item(self, number: int, own: dict[str, Any]) -> dict[str, Any]:
        """Return an alias as a view shows it; ``own`` is what the view would show of its row."""
        if aliases.is_blind(number):
            return {**self.shown(number), "aspect": own["aspect"]}
        return {**own, **self._scores(number), **self.shown(number)}

    def face(self, number: int, own: dict[str, Any]) -> dict[str, Any]:
        """Return all that the page may know about an alias; ``own`` is all about its row."""
        shown, box = self.shown(number), box_of(self._current.row(aliases.row(number)))
        if aliases.is_blind(number):
            return {
                **shown,
                "box": box,
                "image": own["image"],
                "missing": own["missing"],
                "faces": [{**shown, "box": box}],
            }
        found = self._wrong(aliases.row(number))
        assert found
        other = {**shown, "box": box, "score": found.score}
        faces = [other if one["row"] == found.row else one for one in own["faces"]]
        shares = dict(zip(self._index.class_names, found.probabilities, strict=True))
        return {**own, **shown, "score": found.score, "probabilities": shares, "faces": faces, "history": []}

    def of_events(self, said: Iterable[tuple[int, Event]]) -> list[int]:
        """Return the aliases about which something was said, each once."""
        said = [one for one in said if one[1].view in CHECKS or one[1].view.startswith(CERTIFY)]
        if not said:  # Without a card nobody waits for the draw.
            return []
        kinds = {self._estimate.draw.view: Alias.CARD, AGAIN: Alias.AGAIN, SENTINEL: Alias.SENTINEL}
        return [aliases.number(kinds[event.view], row) for row, event in said if event.view in kinds]

    def told(self) -> dict[str, Any]:
        """Return how far the cards are, for the page."""
        known, within = self._estimate.known, self._estimate.within
        cards = self.count if self._estimate.is_drawn else 0
        return {"cards": cards, "line": line(known.cards, known.half_width, known.more, within)}

    def certificate(self) -> Certified | None:
        """Return the certificate by all answers, 5 s for a million faces; None where this review adds none to them.

        Raises:
            LabelerError: the reviews cannot be read.
        """
        return self._estimate.certified() if self._is_answered_now else None

    def _scores(self, number: int) -> dict[str, Any]:
        found = self._wrong(aliases.row(number))
        assert found
        second = found.second
        return {
            "score": round(found.score, 4),
            "second": self._index.class_names[second],
            "second_score": round(found.probabilities[second], 4),
        }

    def _wrong(self, row: int) -> Wrong | None:
        return sentinels.wrong(self._index, row, self._current.labels[self._current.label[row]])

    def _is_answered(self, number: int) -> bool:
        row = aliases.row(number)
        return row in self._said(AGAIN) if aliases.of(number) is Alias.AGAIN else bool(self._current.by[row] >= 0)

    def _said(self, view: str) -> dict[int, Event]:
        """Return this reviewer's answers in a view."""
        changes, found = self._answers.get(view, (-1, {}))
        if changes != self._current.changes:
            changes, found = self._current.changes, told.answers(self._current, view)
            self._answers[view] = changes, found
        return found


def line(cards: int, half_width: float | None, more: int | None, within: float) -> str:
    """Say how far the cards narrow the accuracy, without saying it: who knows it answers accordingly."""
    if not cards:
        return ""
    told = f"{cards:,} cards"
    wanted = f"±{_points(within)} points"
    if half_width is None:
        return f"{told}: too few to say how right the labels are"
    known = f"{told}: the accuracy is known to within ±{_points(half_width)} points"
    if half_width <= within:
        return f"{known}. That is enough; Ctrl-C in the terminal ends the review and prints the figures"
    if more is None:
        return f"{known}; how many more narrow it to {wanted} cannot be said yet"
    return f"{known}; about {more:,} more narrow it to {wanted}"


def _points(share: float) -> str:
    return f"{100 * share:.1f}".removesuffix(".0")
