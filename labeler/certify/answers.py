"""What a person's look at faces is to the estimators: the classes, and three answers that are none."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from labeler.certify.shares import Shares
from labeler.certify.strata import Strata

NOT_SEEN, NOT_A_FACE, UNSURE = -1, -2, -3
"""Answers beside the indices of the classes."""

Answers = NDArray[np.integer]


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """A table of n faces and what is known about them; all arrays are parallel over the faces.

    * ``labels``: the index of the class that the table gives, `strata.ABSTAINED` where it gives none.
    * ``probabilities`` (n, classes): the table's.
    * ``blind``: answers to the cards of the sample, shown without the label; the first ones of `queue.order` without
      the faces that were open before the first card. Where one of these was looked at in the open before its turn as
      a card, the answer of the open look stands for it. A card that was skipped is `UNSURE`.
    * ``open``: answers to faces that were looked at before the first card, in any order, with the label in sight. They
      are known, and say nothing about the rest.
    * ``later``: the same since the first card, without faces that are in the sample. When somebody looks for wrong
      labels among faces that the sample speaks for, fewer are left in the rest than in the sample: so the sample
      estimates the rest together with these, and what is known of them is taken off afterwards.

    A face with an answer in one of them has none in those that follow.

    A sentinel - a card with a label that is wrong on purpose - is in neither of them.
    """

    labels: NDArray[np.integer]
    probabilities: NDArray[np.floating] | Shares
    strata: Strata
    blind: Answers
    open: Answers
    later: Answers | None = None

    @property
    def classes(self) -> int:
        """Return the number of classes."""
        classes: int = self.probabilities.shape[1]
        return classes

    @property
    def sampled(self) -> NDArray[np.bool_]:
        """Return which faces were answered blind."""
        return np.asarray(self.blind != NOT_SEEN)

    @property
    def known(self) -> NDArray[np.bool_]:
        """Return which faces were known before the sample."""
        return np.asarray((self.open != NOT_SEEN) & (self.blind == NOT_SEEN))

    @property
    def rest(self) -> NDArray[np.bool_]:
        """Return which faces the sample speaks for: those that nobody has looked at, and those of ``later``."""
        return np.asarray((self.open == NOT_SEEN) & (self.blind == NOT_SEEN))

    @property
    def opened(self) -> NDArray[np.bool_]:
        """Return which faces of the rest have become known since."""
        return np.zeros(len(self.labels), np.bool_) if self.later is None else self.rest & (self.later != NOT_SEEN)

    @property
    def seen_open(self) -> Answers:
        """Return the answers of all open looks."""
        return self.open if self.later is None else np.where(self.opened, self.later, self.open)


def truths(answers: Answers, classes: int) -> NDArray[np.int64]:
    """Return the place of each answer among classes + 2 kinds of faces: the classes, not a face, unsure."""
    return np.where(answers >= 0, answers, classes + NOT_A_FACE - answers).astype(np.int64)
