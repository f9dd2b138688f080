"""A table whose scores its own blind sample recalibrates: what that brings by cross-validation, and the new table."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from labeler._version import __version__
from labeler.certify import calibrate, cells, certified
from labeler.certify.answers import UNSURE
from labeler.certify.calibrate import Calibration
from labeler.certify.gathered import Gathered
from labeler.certify.recalibration import Floats, Recalibration
from labeler.certify.strata import ABSTAINED
from labeler.certify.weighted import Mean
from labeler.errors import LabelerError
from labeler.evaluation import intervals
from labeler.evaluation.intervals import Interval
from labeler.labeling import DECIMALS
from labeler.records import Row, Tally
from labeler.tables import reader, run_record
from labeler.tables.review_log import Log
from labeler.tables.run_record import RunRecord
from labeler.tables.writer import TableWriter
from labeler.watched import Watched, unwatched
from labeler.words import counted

_ROWS_AT_ONCE = 4096

_CERTAIN = 2.0
"""Standard errors by which fewer labels have to be right to refuse: by chance alone in one table of forty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Accuracy:
    """The share of right labels and its 95% interval."""

    value: float
    interval: Interval

    @classmethod
    def of(cls, labels: Any, truth: Any, weights: Any) -> Accuracy:
        """Return the weighted accuracy of the faces with a label, with Wilson's interval of Kish's effective number."""
        judged = labels >= 0
        weights = weights[judged]
        if not len(weights):
            return cls(value=0.0, interval=(0.0, 1.0))
        value = Mean.of(labels[judged] == truth[judged], weights).value
        effective = float(weights.sum() ** 2 / np.square(weights).sum())
        low, high = intervals.of_share(round(value * effective), max(round(effective), 1))
        return cls(value=value, interval=(min(low, value), max(high, value)))

    def __str__(self) -> str:
        """Return it for a person."""
        return f"{self.value:.1%} ({100 * self.interval[0]:.1f} to {100 * self.interval[1]:.1f})"


@dataclass(frozen=True, kw_only=True, eq=False)
class Recalibrated:
    """What a blind sample of ``cards`` faces says about a recalibration of its table.

    All figures are cross-fitted: no card is judged by a fit that saw it.
    """

    table: Path
    record: RunRecord
    found: Gathered
    fitted: Calibration
    cards: int
    before: Accuracy
    after: Accuracy
    changed: float
    """Share of the cards' faces, by weight, whose label becomes another."""
    fewer_right: bool
    """Whether fewer labels would be right, by more than chance explains: better scores can give worse labels."""

    @property
    def helps(self) -> bool:
        """Say whether the scores become better for certain enough, and the labels no worse."""
        return self.fitted.recalibration is not None and not self.fewer_right

    @property
    def unseen(self) -> list[str]:
        """Return the classes that no card showed: their offsets are but the prior's."""
        seen = set(self.found.review.blind[self.found.cards].tolist())
        return [name for code, name in enumerate(self.record.class_names) if code not in seen]

    def lines(self) -> list[str]:
        """Return the figures for a person, a line each."""
        one = self.fitted
        told = [
            f"by cross-validation on {counted(self.cards, 'face')} looked at blind, before and after:",
            f"  log loss           {one.loss_before:.3f}  {one.loss_after:.3f}",
            f"  calibration error  {one.error_before:.3f}  {one.error_after:.3f}",
            f"  labels right       {self.before}  {self.after}",
        ]
        if one.recalibration:
            pairs = zip(self.record.class_names, one.recalibration.offsets, strict=True)
            offsets = ", ".join(f"{name} {value:+.2f}" for name, value in pairs)
            told.append(f"temperature {one.recalibration.temperature:.2f}; offsets: {offsets}")
        if self.unseen:
            told.append(f"no card showed {', '.join(self.unseen)}: nothing is known of these")
        return told

    def as_json(self) -> dict[str, Any]:
        """Return what `calibrated` in the run record of the new table says."""
        one, names = self.fitted, self.record.class_names
        fit = one.recalibration
        return {
            "source": self.table.name,
            "draw": self.found.draw.name,
            "date": self.found.last[:10],
            "cards": self.cards,
            "temperature": fit and round(fit.temperature, 6),
            "offsets": fit and {name: round(float(value), 6) for name, value in zip(names, fit.offsets, strict=True)},
            "log_loss": [round(one.loss_before, 4), round(one.loss_after, 4)],
            "calibration_error": [round(one.error_before, 4), round(one.error_after, 4)],
            "accuracy": [_rounded(self.before), _rounded(self.after)],
            "labels_changed": round(self.changed, 4),
            "classes_without_a_card": self.unseen,
            "earlier": self.record.calibrated,
            "created_with": f"labeler {__version__}",
        }

    def certificate(self) -> dict[str, Any]:
        """Return the certificate of the new table, until it has a sample of its own."""
        low, high = (100 * end for end in self.after.interval)
        how = f"cross-fitted from {counted(self.cards, 'face')} looked at blind, {self.found.last[:10]}"
        return {
            "method": "cross-fitted",
            "sentence": f"{self.after.value:.1%} of the labels are right ({low:.1f} to {high:.1f}, {how})",
            "date": self.found.last[:10],
            "draw": self.found.draw.name,
            "cards": self.cards,
            "model": {"accuracy": {**_rounded(self.after), "cards": self.cards}},
        }


def fit(table: Path, root: str = "") -> Recalibrated:
    """Fit temperature and offsets to the blind sample of a table; see `calibrate.calibrate`.

    Raises:
        LabelerError: the table cannot be read, has no probabilities, or too few cards.
    """
    reader.need_all(table, "calibrate")
    record = reader.record(table)
    found = certified.gather(table, root)
    if not found or not found.cards:
        raise LabelerError(no_card(table, found))
    cards = np.array(found.cards)
    labels, blind = found.review.labels[cards], found.review.blind[cards]
    weights = cells.weights_of(found.review, cards)
    shares, named = _shares(table, found), blind >= 0
    fitted = calibrate.calibrate(shares[named], blind[named], weights[named])
    if not fitted:
        raise LabelerError(
            f"{table} has {named.sum()} of at least {counted(calibrate.FEWEST, 'card')} with a class; show more: "
            f"labeler review {table} --certify"
        )
    threshold, sure = _threshold(table, record), blind != UNSURE
    kept = labels != _labels(shares, threshold)  # By hand: `_rewritten` leaves these, too.
    # A card that is no face is judged, too: no fit saw it, so any fold's fit is a fair one; its label is wrong anyway.
    shares = fitted.recalibration(shares) if fitted.recalibration else shares
    shares[named] = fitted.held_out
    after = np.where(kept, labels, _labels(shares, threshold))
    gains = Mean.of(((after == blind).astype(float) - (labels == blind))[sure], weights[sure])
    judged = [Accuracy.of(one[sure], blind[sure], weights[sure]) for one in (labels, after)]
    return Recalibrated(
        table=table,
        record=record,
        found=found,
        fitted=fitted,
        cards=int(named.sum()),
        before=judged[0],
        after=judged[1],
        fewer_right=gains.value < -_CERTAIN * gains.error,
        changed=float(weights[after != labels].sum() / weights.sum()),
    )


def write(one: Recalibrated, out: Path, *, overwrite: bool = False, watched: Watched = unwatched) -> Tally:
    """Write the table with the new probabilities, scores and labels, and append its reviews to those of the new one.

    Raises:
        LabelerError: there is a table already, or it is the same one, or nothing can be gained.
        OutputError: it cannot be written.
    """
    check(one.table, out, overwrite=overwrite)
    fitted = one.fitted.recalibration
    if not fitted or not one.helps:
        raise LabelerError("the recalibration would not help")
    record = replace(
        one.record, calibrated=one.as_json(), certificate=one.certificate(), finished=False, redo=None, seconds=None
    )
    threshold, tally = _threshold(one.table, record), Tally()
    with TableWriter.begin(out, record, overwrite=True) as table:
        for rows in _batches(watched(reader.read(one.table), "recalibrating", one.record.counts.get("faces"))):
            found = _rewritten(rows, fitted, record, threshold)
            for row in found:
                tally.add(row)
            table.write(found)
        Log.of(out).append(Log.of(one.table).read())  # Now, so that the table never stands there without them.
        table.finish(tally.counts())
    return tally


def check(table: Path, out: Path, *, overwrite: bool) -> None:
    """Refuse a place where something of the user stands.

    Raises:
        LabelerError: it is the table itself, or there is another, or one that classify has begun.
    """
    reader.check(out)
    if out.exists() and out.samefile(table):
        raise LabelerError(f"{out} is the table that is recalibrated; choose another --out")
    if overwrite:
        return
    if os.path.lexists(out):
        raise LabelerError(f"{out} exists; choose another --out, or replace it with --overwrite")
    begun = run_record.unfinished(out)
    if run_record.is_begun(out) and not (begun and begun.calibrated):  # One of ours is made anew: it takes seconds.
        raise LabelerError(
            f"{out} was begun by another command, and is unfinished; choose another --out, or --overwrite"
        )


def no_card(table: Path, found: Gathered | None) -> str:
    """Say why no face of a table counts as looked at blind, and what to do."""
    ask = f"labeler review {table} --certify"
    if not found:
        return f"{table} has no reviews: show a random sample of it first: {ask}"
    if found.earlier:
        return (
            f"the {found.earlier:,} blind answers beside {table} are of another draw (it grew, or was made anew): {ask}"
        )
    if found.orphans and not found.looked:
        return (
            f"none of the {found.orphans:,} reviews beside {table} is of a face of it; are they of another table? {ask}"
        )
    return f"nobody has looked at {table} blind, and corrections in order of doubt say nothing about the rest: {ask}"


def _shares(table: Path, found: Gathered) -> Floats:
    """Return the probabilities of the cards as the table has them; those in memory are exact to 1 / 131,070."""
    shares = found.review.probabilities[found.cards].astype(np.float64)
    left = {int(row): at for at, row in enumerate(found.draw.rows[found.cards])}
    for number, row in enumerate(reader.read(table)):
        at = left.pop(number, None)
        if at is not None and row.probabilities:
            shares[at] = row.probabilities
        if not left:
            break
    return shares


def _labels(probabilities: Floats, threshold: float) -> Any:
    """Return the class index of each face's label, `ABSTAINED` below the threshold."""
    return np.where(probabilities.max(axis=1) >= threshold, probabilities.argmax(axis=1), ABSTAINED)


def _threshold(table: Path, record: RunRecord) -> float:
    """Return the score below which the labels of a table are `uncertain`.

    Raises:
        LabelerError: the run record does not tell.
    """
    found = record.settings.get("threshold")
    if isinstance(found, bool) or not isinstance(found, int | float) or not math.isfinite(found):
        raise LabelerError(
            f"no run record beside {table} tells the threshold of its labels; put {table.name}.run.json back, or make "
            "the table again with classify"
        )
    return float(found)


def _batches(rows: Iterable[Row]) -> Iterator[list[Row]]:
    left = iter(rows)
    return iter(lambda: list(islice(left, _ROWS_AT_ONCE)), [])


def _rewritten(rows: Sequence[Row], fitted: Recalibration, record: RunRecord, threshold: float) -> list[Row]:
    """Return rows with the new probabilities, label and score.

    Rows without a prediction stay as they are, and those whose label somebody changed in the table itself.
    """
    names = record.class_names
    places = [
        at
        for at, row in enumerate(rows)
        if row.probabilities and row.labelled(row.probabilities, names, threshold).label == row.label
    ]
    if not places:
        return list(rows)
    after = fitted(np.array([rows[at].probabilities for at in places])).round(DECIMALS).tolist()
    found = list(rows)
    for at, shares in zip(places, after, strict=True):
        found[at] = rows[at].labelled(tuple(shares), names, threshold)
    return found


def _rounded(one: Accuracy) -> dict[str, Any]:
    return {"value": round(one.value, 4), "interval": [round(end, 4) for end in one.interval]}
