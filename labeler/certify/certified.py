"""The certificate of a table as a person reads it, and as it stands in the table's run record."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from labeler.certify import gathered, more, threshold
from labeler.certify.answers import UNSURE
from labeler.certify.certificate import Certificate, certify
from labeler.certify.draw import Draw
from labeler.certify.figures import FEWEST, ClassFigures, Figure, Figures
from labeler.certify.gathered import Gathered, Keep
from labeler.certify.threshold import Threshold
from labeler.tables import corrections, index, run_record
from labeler.tables.corrections import Reviews
from labeler.tables.index import Index
from labeler.tables.review_log import Log
from labeler.words import counted

WANTED = 0.95
"""The accuracy for which a threshold is sought, where nobody says another."""

WITHIN = 0.03
"""The half-width of the interval of the accuracy that is enough, where nobody says another."""

_SERIOUS = 0.05
"""Share of contradicted cards from which it is said what to do about them."""


@dataclass(frozen=True, kw_only=True)
class Certified:
    """A certificate with what it rests on; ``wanted`` is an accuracy, ``within`` a half-width."""

    gathered: Gathered
    certificate: Certificate
    wanted: float = WANTED
    within: float = WITHIN

    @cached_property
    def threshold(self) -> Threshold | None:
        """Return the threshold that gives the wanted accuracy; None where the sample certifies none. 3 s a million."""
        return threshold.find(self.gathered.review, self.wanted, self.gathered.checks)

    @cached_property
    def more(self) -> int | None:
        """Return how many more cards narrow the interval as wanted; None where no number does."""
        return more.cards(self.gathered.review, self.certificate, self.gathered.draw.order, self.within)

    def sentence(self) -> str:
        """Say in one line how right the labels are that the model gave."""
        accuracy = self.certificate.model.accuracy
        cards = counted(self.certificate.cards, "face")
        if accuracy.value is None:
            return (
                f"too few cards to say how right the labels are: {cards} looked at blind, at least {FEWEST} are needed"
            )
        return f"{share(accuracy)} of the labels are right ({interval(accuracy)}, {cards} looked at blind, {self.date})"

    @property
    def date(self) -> str:
        """Return the day of the last card, UTC."""
        return self.gathered.last[:10]

    def notes(self) -> list[str]:
        """Return what has to be known beside the sentence, a line each."""
        return list(self._notes())

    def as_json(self) -> dict[str, Any]:
        """Return what stands in the run record."""
        found, one = self.gathered, self.certificate
        names = found.draw.index.class_names
        certain = self.threshold
        return {
            "method": "blind sample",
            "sentence": self.sentence(),
            "date": self.date,
            "draw": found.draw.name,
            "cards": one.cards,
            "known": one.known,
            "reviewers": dict(found.reviewers),
            "model": _figures(one.model, names),
            "now": _figures(one.now, names),
            "rest": _figures(one.rest, names),
            "reviewer": {
                **asdict(one.reviewer.checks),
                "error": _rounded(one.reviewer.error),
                "interval": _pair(one.reviewer.interval),
            },
            "wanted": self.wanted,
            "threshold": certain
            and {
                "score": _rounded(certain.score),
                "kept": _rounded(certain.kept),
                "accuracy": _figure(certain.accuracy),
            },
            "within": self.within,
            "more": self.more,
            "notes": self.notes(),
        }

    def _notes(self) -> Iterator[str]:
        found, reviewer = self.gathered, self.certificate.reviewer
        if reviewer.error is None or reviewer.interval is None:
            yield "nothing measured the reviewer's own errors: the answers are taken for the truth"
        else:
            low, high = (100 * end for end in reviewer.interval)
            told = f"on {reviewer.error:.1%} of the cards ({low:.1f} to {high:.1f})"
            yield f"the reviewer errs {told}; the intervals hold it"
        unsure = int((found.review.blind[found.cards] == UNSURE).sum())
        if unsure:
            yield f"{counted(unsure, 'card')} unsure: the intervals reach from all of them wrong to all of them right"
        if found.contradicted:
            advice = "; let the reviewers look at them together" if found.contradicted > _SERIOUS * found.both else ""
            yield (
                f"reviewers contradict each other on {found.contradicted:,} of the {counted(found.both, 'card')} that "
                f"two or more answered; these count as unsure{advice}"
            )
        if found.added:
            yield f"{counted(found.added, 'face')} that the detector missed and a person added: in no figure"
        if found.earlier:
            yield (
                f"{counted(found.earlier, 'blind answer')} of another draw, when the table had other rows, labels or "
                "scores: these faces count as looked at, not as cards"
            )


def of_table(table: Path, root: str = "", wanted: float = WANTED, within: float = WITHIN) -> Certified | None:
    """Return the certificate of a table as its reviews are now; None without an answer to a card of its draw.

    ``root`` is where the photos are, if they have moved.

    Raises:
        LabelerError: the table or its reviews cannot be read, or the table has no face or too many classes.
    """
    found = gather(table, root)
    return certified(found, wanted, within) if found and found.cards else None


def gather(table: Path, root: str = "", loaded: Index | None = None, keep: Keep | None = None) -> Gathered | None:
    """Return what was said about a table; None without reviews. ``loaded`` is the table, for who has read it; ``keep``
    gets each face that somebody looked at.

    Raises:
        LabelerError: see `of_table`.
    """
    events = Log.of(table).read()
    if not events:
        return None
    record = run_record.read(table)
    hash_of = corrections.hashes(root or (record.root if record else ""))
    return gathered.gather(Draw.of(index.load(table) if loaded is None else loaded), Reviews(events), hash_of, keep)


def certified(found: Gathered, wanted: float = WANTED, within: float = WITHIN) -> Certified:
    """Return the certificate that answers give."""
    return Certified(gathered=found, certificate=certify(found.review, found.checks), wanted=wanted, within=within)


def record(table: Path, one: Certified) -> None:
    """Put a certificate into the run record of its table; a table without one is left as it is.

    Raises:
        LabelerError: the record cannot be understood.
        OutputError: it cannot be written.
    """
    earlier = run_record.read(table)
    if earlier:
        run_record.write(table, replace(earlier, certificate=one.as_json()), ". The answers are safe in its reviews")


def share(figure: Figure) -> str:
    """Return a figure in per cent; a dash where there are too few cards."""
    return "-" if figure.value is None else f"{figure.value:.1%}"


def interval(figure: Figure) -> str:
    """Return the ends of an interval in per cent; a dash where there are too few cards."""
    return "-" if figure.interval is None else f"{100 * figure.interval[0]:.1f} to {100 * figure.interval[1]:.1f}"


def _figures(found: Figures, names: tuple[str, ...]) -> dict[str, Any]:
    return {
        "faces": found.faces,
        "labelled": found.labelled,
        "accuracy": _figure(found.accuracy),
        "not_a_face": _figure(found.not_a_face),
        "unsure": _figure(found.unsure),
        "classes": {name: _class_figures(one) for name, one in zip(names, found.classes, strict=True)},
    }


def _class_figures(found: ClassFigures) -> dict[str, Any]:
    return {"precision": _figure(found.precision), "recall": _figure(found.recall), "share": _figure(found.share)}


def _figure(found: Figure) -> dict[str, Any]:
    return {"value": _rounded(found.value), "interval": _pair(found.interval), "cards": found.cards}


def _pair(found: tuple[float, float] | None) -> list[float] | None:
    return None if found is None else [round(end, 4) for end in found]


def _rounded(found: float | None) -> float | None:
    return None if found is None else round(found, 4)
