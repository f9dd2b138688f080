"""Accuracy, and each class's precision, recall and share, with 95% intervals, from draws of what the faces are.

* Not a face: a label on it is wrong. It counts in the accuracy and in the precision, and belongs to no class.
* Unsure: what the reviewer cannot tell is no class. Whether such a label is right nobody knows, so accuracy and
  precision leave these faces out of the value, but the interval reaches from where all of them are wrong to where all
  are right: leaving hard cards out makes no certificate better. Recall and share are of the faces that can be told.
* Faces that the detector missed are not in the table, so they are in no figure: recall is that of the table's faces.
* A face without a label is neither right nor wrong; it counts as not found in its class's recall.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from labeler.certify.composition import Drawn

FEWEST = 15
"""Lower limit on the cards that a figure rests on: those with the label (precision), of the class (recall), or all.

It binds before `WIDEST` does: figures that were chosen for a narrow interval are those that chance made extreme, and
at 5 cards the intervals of the printed precisions held the truth in 80% of simulated sessions only.
"""

WIDEST = 0.5
"""Upper limit on the width of an interval: a wider one says nothing."""

_EMPTY = 0.02
"""Upper limit on the draws in which there is nothing that the figure is a share of."""

Floats = NDArray[np.float64]
Interval = tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A share, its 95% interval and the cards it rests on; the share and the interval are None where these are too few.

    Too few: fewer than `FEWEST` cards where faces are left that nobody looked at, or an interval wider than `WIDEST`.
    """

    value: float | None
    interval: Interval | None
    cards: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassFigures:
    """Figures of one class; its share is that among the faces that have a class."""

    precision: Figure
    recall: Figure
    share: Figure


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Figures of ``faces`` faces, ``labelled`` of them with a label; the classes in the order of the table's."""

    faces: int
    labelled: int
    accuracy: Figure
    classes: tuple[ClassFigures, ...]
    not_a_face: Figure
    unsure: Figure


@dataclass(frozen=True, slots=True, kw_only=True)
class Cards:
    """How many cards there are by label (classes + 1), and by what they showed (classes + 2); ``left`` (classes + 1)
    are the faces that nobody has looked at: where there is none, few cards are enough.
    """

    labels: NDArray[np.integer]
    kinds: NDArray[np.integer]
    left: NDArray[np.integer]


def of(found: Drawn, shown: Floats, cards: Cards) -> Figures:
    """Return the figures of draws; ``shown`` (draws or 1, classes + 1) is the number of faces by label."""
    classes = found.kinds.shape[1] - 2
    faces = shown.sum(axis=1)
    named = found.kinds[:, :classes].sum(axis=1)
    right, unsure, labels = found.right[:, :classes], found.unsure[:, :classes], shown[:, :classes]
    total, left = int(cards.labels.sum()), int(cards.left.sum())

    def told(few: int, part: Floats, whole: Floats) -> Figure:
        share = _share(part, whole)
        return _figure(few, left, share, share, share)

    def sure(few: int, left: int, right: Floats, unsure: Floats, labels: Floats) -> Figure:
        return _figure(
            few,
            left,
            *(_share(*each) for each in ((right, labels - unsure), (right, labels), (right + unsure, labels))),
        )

    return Figures(
        faces=round(float(faces.mean())),
        labelled=round(float(labels.sum(axis=1).mean())),
        accuracy=sure(int(cards.labels[:classes].sum()), left, *(each.sum(axis=1) for each in (right, unsure, labels))),
        classes=tuple(
            ClassFigures(
                precision=sure(
                    int(cards.labels[place]),
                    int(cards.left[place]),
                    right[:, place],
                    unsure[:, place],
                    labels[:, place],
                ),
                recall=told(int(cards.kinds[place]), right[:, place], found.kinds[:, place]),
                share=told(total, found.kinds[:, place], named),
            )
            for place in range(classes)
        ),
        not_a_face=told(total, found.kinds[:, -2], faces),
        unsure=told(total, found.kinds[:, -1], faces),
    )


def _figure(cards: int, left: int, middle: Floats, low: Floats, high: Floats) -> Figure:
    if np.isnan(middle).mean() > _EMPTY:
        return Figure(value=None, interval=None, cards=cards)
    value = float(np.nanmean(middle))
    # Where nearly all draws are the same, their mean may lie outside.
    ends = min(float(np.nanpercentile(low, 2.5)), value), max(float(np.nanpercentile(high, 97.5)), value)
    if ends[1] - ends[0] > WIDEST or (left and cards < FEWEST):
        return Figure(value=None, interval=None, cards=cards)
    return Figure(value=value, interval=ends, cards=cards)


def _share(part: Floats, whole: Floats) -> Floats:
    """Return part / whole by draw; NaN where the whole is nothing."""
    empty = np.full(np.broadcast(part, whole).shape, np.nan)
    return np.asarray(np.divide(part, whole, out=empty, where=whole > 0))
