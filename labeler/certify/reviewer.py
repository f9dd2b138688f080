"""How often the reviewer errs, from cards shown twice and from sentinels, and what that does to the figures."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from labeler.certify.composition import Drawn

PRIOR = (0.5, 9.5)
"""The beta prior of the share of cards on which a reviewer errs: it is worth ten cards, one in twenty of them wrong."""

_GRID = np.linspace(0.0005, 0.4995, 500)
"""Shares of errors that are thought possible: who errs on more than half of the cards measures nothing."""

_SAME = 0.5
"""Share of two errors on one card that give the same class: they are not seen as a disagreement."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Checks:
    """What cards say about the reviewer: ``disagreed`` of ``twice`` cards that were shown twice blind were answered
    differently, ``missed`` of ``sentinels`` - cards that showed a label that is wrong on purpose - were let pass.
    """

    twice: int = 0
    disagreed: int = 0
    sentinels: int = 0
    missed: int = 0

    @property
    def measured(self) -> bool:
        """Return whether there is any such card; without one, the answers are taken to be the truth."""
        return self.twice + self.sentinels > 0


def error_rates(checks: Checks, count: int, random: np.random.Generator) -> Floats:
    """Return draws of the share of cards on which the reviewer errs; zeros where nothing measured it.

    Sentinels count as cards of the same reviewer with the same care. An error that is made on both looks at a card
    cannot be seen, nor can a class that the reviewer always reads differently from others: the figures then are those
    by this reviewer's eyes.
    """
    if not checks.measured:
        return np.zeros(count)
    wrong = _GRID
    differ = 2 * wrong * (1 - wrong) + (1 - _SAME) * wrong**2
    chance = (
        (checks.missed + PRIOR[0] - 1) * np.log(wrong)
        + (checks.sentinels - checks.missed + PRIOR[1] - 1) * np.log(1 - wrong)
        + checks.disagreed * np.log(differ)
        + (checks.twice - checks.disagreed) * np.log(1 - differ)
    )
    chance = np.exp(chance - chance.max())
    drawn = random.choice(wrong, count, p=chance / chance.sum())
    return np.asarray(drawn + (random.random(count) - 0.5) * (_GRID[1] - _GRID[0]))


def missed_rates(checks: Checks, count: int, random: np.random.Generator) -> Floats:
    """Return draws of the share of wrong labels that pass when the label is in sight; zeros without sentinels."""
    if not checks.sentinels:
        return np.zeros(count)
    return random.beta(PRIOR[0] + checks.missed, PRIOR[1] + checks.sentinels - checks.missed, count)


@dataclass(frozen=True, slots=True, kw_only=True)
class Swaps:
    """In each draw, the ``share`` (draws, 1) of answers that are swapped for one from ``to`` (draws, classes)."""

    share: Floats
    to: Floats


def swaps(kinds: Floats, errors: Floats, random: np.random.Generator) -> Swaps:
    """Return which answers come of the errors of a reviewer who saw the classes ``kinds`` (draws, classes).

    On which class a wrong answer falls nothing is known, so each draw mixes all classes evenly with classes by their
    number, at random. A swap can give the right class; so there are more swaps than errors.
    """
    shares = kinds / np.maximum(kinds.sum(axis=1, keepdims=True), 1.0)
    mixed = random.random((len(errors), 1))
    to = mixed / kinds.shape[1] + (1 - mixed) * shares
    share = errors / np.maximum(1 - (to * shares).sum(axis=1), 0.5)
    return Swaps(share=np.minimum(share, 0.9)[:, None], to=to)


def corrected(seen: Drawn, shown: NDArray[np.integer], swapped: Swaps, random: np.random.Generator) -> Drawn:
    """Return what faces are whose kinds are ``seen`` through the eyes of a reviewer who errs.

    What is seen of a class is the share of what is there that was not swapped, and what was swapped for it, with the
    variance of so many chances. That is solved for what is there (Rogan and Gladen 1978) and kept between none and
    all. ``shown`` (classes + 1) is the number of faces by label.
    """
    classes, share = swapped.to.shape[1], swapped.share
    there = np.maximum(shown - seen.no_face - seen.unsure, 0.0)[:, :classes]
    named = seen.kinds[:, :classes]
    added = swapped.to * named.sum(axis=1, keepdims=True)
    chance = random.standard_normal((2, *there.shape)) * np.sqrt(share)
    right, kinds = seen.right.copy(), seen.kinds.copy()
    solved = (right[:, :classes] - share * swapped.to * there + chance[0] * np.sqrt(there)) / (1 - share)
    right[:, :classes] = np.clip(solved, 0, there)
    solved = (named - share * added + chance[1] * np.sqrt(named + added)) / (1 - share)
    kinds[:, :classes] = np.maximum(solved, right[:, :classes])
    return Drawn(right=right, no_face=seen.no_face, unsure=seen.unsure, kinds=kinds)
