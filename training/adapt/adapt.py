"""Adapt a model to the photos of a table by what persons said about its faces, and say whether that made it better.

What is learnt from are the faces that persons corrected or confirmed; what judges are those of the blind sample, from
which nothing is learnt.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from labeler._version import __version__
from labeler.certify import calibrate, cells, certified
from labeler.certify.gathered import FEWEST_CARDS, FEWEST_TAUGHT
from labeler.certify.recalibrated import Accuracy, no_card
from labeler.errors import LabelerError
from labeler.grouping import duplicates, split
from labeler.inference import bundle, calibrated_bundle, prior
from labeler.inference.bundle import Card
from labeler.labeling import DECIMALS
from labeler.storage import atomic
from labeler.tables import reader
from labeler.tables.verdicts import Verdict
from labeler.watched import Watched, unwatched
from labeler.words import counted
from training.adapt import faces, head, paired
from training.adapt.head import Head
from training.adapt.paired import Figures, Paired

METRICS = "metrics.json"


@dataclass(frozen=True, kw_only=True, eq=False)
class Adapted:
    """An adapted model, and what the blind sample says about it."""

    table: Path
    source: Card
    """That of the model that was adapted."""
    head: Head
    learnt: int
    """Faces that were learnt from."""
    corrected: int
    """Those of them whose label was another than the model's."""
    cards: int
    """Faces that judge."""
    date: str
    """The day of the last card, UTC."""
    judged: Paired
    accuracy: Accuracy
    """That of the adapted model."""
    alone: Figures | None
    """The figures of what `labeler calibrate` makes of the same cards, cross-fitted; None where it would not help."""
    passed_over: dict[str, int]
    """How many faces were not used, by reason."""

    def lines(self) -> list[str]:
        """Return the figures for a person, a line each."""
        one = self.judged
        low, high = (100 * end for end in paired.interval(one.accuracy))
        few, many = paired.interval(one.loss)
        told = [f"{counted(count, 'face')} passed over: {why}" for why, count in self.passed_over.items() if count]
        alone = _told(self.alone) if self.alone else "would not help"
        return [
            *told,
            f"learnt from {counted(self.learnt, 'reviewed face')}, {self.corrected:,} of them corrected",
            f"judged by {counted(self.cards, 'other face')} looked at blind:",
            f"  before            {_told(one.before)}",
            f"  recalibrated only {alone}",
            f"  adapted           {_told(one.after)}",
            f"gain: {100 * one.accuracy.value:.1f} points right ({low:.1f} to {high:.1f})",
            f"      {one.loss.value:.3f} in log loss ({few:.3f} to {many:.3f}), which decides",
        ]

    def as_json(self) -> dict[str, Any]:
        """Return all of it for JSON."""
        return {
            "table": self.table.name,
            "model": self.source.name,
            "faces": self.learnt,
            "corrected": self.corrected,
            "cards": self.cards,
            "date": self.date,
            "better": self.judged.is_better,
            **self.judged.as_json(),
            "recalibrated_alone": self.alone and asdict(self.alone),
            "passed_over": self.passed_over,
            "created_with": f"labeler {__version__}",
        }


def adapt(table: Path, source: Path, root: str = "", workers: int = 0, watched: Watched = unwatched) -> Adapted:
    """Fit the head of the model ``source`` to the reviewed faces of a table, and judge it by its blind sample.

    Near copies of a face that judges are not learnt from.

    Raises:
        LabelerError: the table or its reviews cannot be read, or say too little.
        ModelError: the model does not end in a dense layer.
    """
    reader.need_all(table, "adapt")
    record = reader.record(table)
    said: dict[int, Verdict] = {}
    found = certified.gather(table, root, keep=said.__setitem__)
    if not found or not found.cards:
        raise LabelerError(no_card(table, found))
    judging = found.sure
    taught = {row: faces.votes(said[row], record.class_names) for row in found.taught}
    _check(table, len(judging), len(taught))
    seen = faces.look(table, judging.keys() | taught.keys(), source, root or record.root, watched, workers)
    blind, open_ = seen.of(judging), seen.of(taught)
    near = duplicates.groups(np.concatenate([seen.hashes[blind], seen.hashes[open_]]))
    is_copy = split.leaking(near, len(blind))
    open_ = open_[~is_copy]
    _check(table, len(blind), len(open_), f"; {seen.unread + seen.others:,} cannot be read, or have changed")
    votes = np.array([taught[row] for row in seen.numbers[open_].tolist()])
    fitted = head.fit(seen.probabilities[open_], seen.embeddings[open_], votes)
    truth = np.array([judging[row] for row in seen.numbers[blind].tolist()])
    weights = cells.weights_of(found.review, found.draw.places[seen.numbers[blind]])
    before = seen.probabilities[blind]
    after = fitted(before, seen.embeddings[blind])
    alone = calibrate.calibrate(before, truth, weights)
    return Adapted(
        table=table,
        source=bundle.card(source),
        head=fitted,
        learnt=len(open_),
        corrected=int((votes.argmax(axis=1) != seen.probabilities[open_].argmax(axis=1)).sum()),
        cards=len(blind),
        date=found.last[:10],
        judged=paired.compare(before, after, truth, weights),
        accuracy=Accuracy.of(after.argmax(axis=1), truth, weights),
        alone=Figures.of(alone.held_out, truth, weights) if alone and alone.recalibration else None,
        passed_over={
            "cannot be read": seen.unread,
            "the photo is another one than when it was labelled": seen.others,
            "near copy of a face that judges": int(is_copy.sum()),
        },
    )


def write(one: Adapted, out: Path) -> None:
    """Write the bundle ``out`` of an adapted model, and beside it the figures.

    Raises:
        LabelerError: it is not better.
        ModelError: the model is no bundle.
        OutputError: it cannot be written.
    """
    if not one.judged.is_better:
        raise LabelerError("the adapted model is not better for certain")
    earlier, after = one.source, one.judged.after
    learnt = f"{counted(one.learnt, 'face')} of {one.table.name}"
    about = {
        "name": out.parent.name,
        "adapted": {"model": earlier.name, "model_sha256": earlier.sha256, "faces": one.learnt, "date": one.date},
        "training_data": f"{earlier.training_data or earlier.name}, then {learnt}",
        "validation": {
            "data": f"{counted(one.cards, 'face')} of {one.table.name}",
            "against": "what a person saw without the label",
            "n": one.cards,
            "accuracy": after.accuracy,
            "accuracy_interval": one.accuracy.interval,
            "macro_f1": after.macro_f1,
            "ece": after.calibration_error,
        },
        "created_with": f"labeler {__version__}",
    }
    ratios = prior.ratios(earlier, reader.record(one.table).settings.get("prior", ()))
    calibrated_bundle.write(
        Path(earlier.path), out, 1.0, one.head.offsets.tolist(), 10.0**-DECIMALS, about, one.head.kernel, ratios
    )
    atomic.write_json(out.parent / METRICS, one.as_json())


def _check(table: Path, cards: int, reviewed: int, why: str = "") -> None:
    if cards < FEWEST_CARDS:
        raise LabelerError(
            f"{table} has {cards:,} of at least {FEWEST_CARDS} faces that were looked at blind, to judge the adapted "
            f"model by{why}: labeler review {table} --certify"
        )
    if reviewed < FEWEST_TAUGHT:
        raise LabelerError(
            f"{table} has {reviewed:,} of at least {FEWEST_TAUGHT} reviewed faces beside the blind sample, to learn "
            f"from{why}: labeler review {table}"
        )


def _told(one: Figures) -> str:
    return (
        f"{one.accuracy:.1%} right, macro-F1 {one.macro_f1:.3f}, log loss {one.log_loss:.3f}, calibration error "
        f"{one.calibration_error:.3f}"
    )
