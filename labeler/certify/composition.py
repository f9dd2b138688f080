"""Draw what the faces are that nobody has looked at: the posterior of a stratified sample of a finite table.

Each cell of `cells` holds faces of one label and about one score. What its cards showed updates a prior whose mean is
that of the scores, recalibrated by the very sample; then the faces of the rest are drawn. All figures come from the
same draws, so that a figure of several cells has the right interval (finite-population Bayesian inference, Ericson
1969; Gelman and others, Bayesian Data Analysis, section 8.3).

* Right or wrong: two gamma variables with the cards' counts, with `RIGHT` pseudo-counts each at the prior's mean. For
  two equal rates that is the beta distribution. A prior in counts alone, such as Dirichlet's with a total of 1, says of
  a stratum with 20 cards that a class of which none was seen has 1/20 of what the scores say: over large strata rare
  classes are then lost, and their recall is far too high.
* Which class the wrong ones are: gamma variables likewise, `KINDS` pseudo-counts each.
* What cells have in common does not average out: each draw has its own temperature and offsets (`Recalibration.draws`)
  and its own factor for each class among the faces with another label, which is pooled over all cells.
* The variance of a posterior with k cards is that of k + 1 or more; the unbiased one has k - 1 (Rao and Wu 1988
  rescale the bootstrap likewise). So all counts are multiplied by (k - 1) / (k + `PRIOR_CARDS`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from labeler.certify.answers import Review, truths
from labeler.certify.cells import Cells, count, weights_of
from labeler.certify.recalibration import Recalibration, apply, fit, logarithms

DRAWS = 1000
"""Draws of a posterior: the ends of a 95% interval are then known to a twelfth of its width."""

RIGHT, KINDS, POOLED, PRIOR_CARDS = 0.25, 0.5, 1.0, 2.5
"""Pseudo-counts of the prior, chosen by simulation: `tests/certify/test_coverage.py` counts what they cover."""

_OTHERS = 0.25
"""Faces of each kind that is no class, in addition to those seen, among one card more than were looked at."""

_LEAST = 0.1
"""Lower limit on the factor of the counts, for cells with one card."""

_LOOKS = 100
"""Draws of temperature and offsets; each serves several draws, as computing a prior is dear."""

_MANY = 4000
"""Faces of a cell, evenly spaced in the table, that its mean score is taken of."""

_FEW = 200
"""Faces of those, evenly spaced by score, that show how the mean moves with temperature and offsets."""

_SMALLEST = 1e-7
"""Lower limit on the prior mean of a class in a cell."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """What faces are, in each draw (or in the one draw of what is known): numbers of faces.

    ``right``, ``no_face`` and ``unsure`` (draws, classes + 1) are by label, the last one that of faces without a label;
    ``kinds`` (draws, classes + 2) by what a face is: a class, not a face, unsure.
    """

    right: Floats
    no_face: Floats
    unsure: Floats
    kinds: Floats


def recalibrated(review: Review) -> Recalibration:
    """Fit temperature and offsets to the blind answers that name a class."""
    named = review.blind >= 0
    weight = weights_of(review, named)
    return fit(review.probabilities[named], review.blind[named], weight)


def draw(review: Review, scores: Recalibration, inside: NDArray[np.bool_], seed: int, draws: int = DRAWS) -> Drawn:
    """Draw what the faces ``inside`` are that nobody has looked at; the same seed gives the same draws."""
    random = np.random.default_rng(seed)
    cells = count(review, inside)
    means = _means(review, scores, cells, inside, draws, random)
    classes = review.classes
    right, no_face, unsure = np.zeros((3, draws, classes + 1))
    kinds = np.zeros((draws, classes + 2))
    for cell in np.flatnonzero(cells.rest).tolist():
        place = int(cells.places[cell])
        shares = _shares(means[cell], cells.counts[cell], place if place < classes else None, random)
        found = random.multinomial(int(cells.rest[cell]), shares)
        if place < classes:
            right[:, place] += found[:, place]
        no_face[:, place] += found[:, -2]
        unsure[:, place] += found[:, -1]
        kinds += found
    return Drawn(right=right, no_face=no_face, unsure=unsure, kinds=kinds)


def _shares(means: Floats, counts: Floats, label: int | None, random: np.random.Generator) -> Floats:
    """Return draws (draws, kinds) of what the faces of a cell are; ``means`` are the prior's, in the same shape."""
    cards = counts.sum()
    factor = max((cards - 1) / (cards + PRIOR_CARDS), _LEAST)
    shares = random.gamma(factor * (KINDS + counts), size=means.shape) / (KINDS / means + cards)
    shares = np.maximum(shares, np.finfo(float).tiny)
    if label is not None:
        shares[:, label] = 0
        wrong = 1 - means[:, label]
        counts_right, counts_wrong = counts[label], cards - counts[label]
        of_wrong = random.gamma(factor * (RIGHT + counts_wrong), size=len(means)) / (RIGHT / wrong + cards)
        of_right = random.gamma(factor * (RIGHT + counts_right), size=len(means)) / (RIGHT / (1 - wrong) + cards)
        of_wrong = np.maximum(of_wrong, np.finfo(float).tiny)
        share = of_wrong / (of_wrong + of_right)
        shares *= (share / shares.sum(axis=1))[:, None]
        shares[:, label] = 1 - share
    return np.asarray(shares / shares.sum(axis=1, keepdims=True))


def _means(
    review: Review,
    scores: Recalibration,
    cells: Cells,
    inside: NDArray[np.bool_],
    draws: int,
    random: np.random.Generator,
) -> Floats:
    """Return the prior means (cells, draws, kinds) of what the faces of the rest are."""
    classes = review.classes
    middle, moved = _by_scores(review, scores, cells, inside, random)
    others = _shares_of_others(review)
    middle = np.concatenate([middle * (1 - others.sum()), np.broadcast_to(others, (len(middle), 2))], axis=1)
    middle = np.maximum(middle, _SMALLEST)
    labels = np.arange(classes + 2) == cells.places[:, None]
    labels[cells.places == classes] = False
    expected = (cells.cards[:, None] * middle * ~labels).sum(axis=0)
    seen = (cells.counts * ~labels).sum(axis=0)
    factors = random.gamma(POOLED + seen, 1 / (POOLED + expected), (draws, classes + 2))
    means = np.where(labels[:, None], middle[:, None], middle[:, None] * factors)
    means[..., :classes] *= moved[:, np.arange(draws) % moved.shape[1]]
    return np.asarray(np.maximum(means / means.sum(axis=2, keepdims=True), _SMALLEST))


def _by_scores(
    review: Review, scores: Recalibration, cells: Cells, inside: NDArray[np.bool_], random: np.random.Generator
) -> tuple[Floats, Floats]:
    """Return the mean of the recalibrated scores of each cell's rest, and the factors (cells, looks, classes) by which
    the uncertainty of temperature and offsets moves it.
    """
    rest, of = review.rest & inside, cells.of.astype(np.int16)[review.strata.of]
    middle = np.full((len(cells.rest), review.classes), 1 / review.classes)
    looks, moved = scores.draws(_LOOKS, random), np.ones((len(cells.rest), _LOOKS, review.classes))
    for cell in np.flatnonzero(cells.rest).tolist():
        own = np.flatnonzero(rest & (of == cell))
        many = review.probabilities[own[:: -(-len(own) // _MANY)]]
        middle[cell] = scores(many).mean(axis=0)
        few = many[np.argsort(many.max(axis=1), kind="stable")[:: max(len(many) // _FEW, 1)]]
        mean = apply(looks, logarithms(few)).mean(axis=1)
        moved[cell] = mean / np.maximum(scores(few).mean(axis=0), _SMALLEST)
    return middle, moved


def _shares_of_others(review: Review) -> Floats:
    """Return the prior shares of faces that are no face, and of those of which a person is unsure."""
    sampled = review.sampled
    kind, weight = truths(review.blind[sampled], review.classes), weights_of(review, sampled)
    sums = np.bincount(kind, weight, minlength=review.classes + 2)[review.classes :]
    cards = int(sampled.sum())
    return np.asarray((sums / max(weight.sum(), 1.0) * cards + _OTHERS) / (cards + 1))
