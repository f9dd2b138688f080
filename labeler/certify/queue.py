"""Put the faces of a table into one order of which every beginning is a stratified random sample."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from labeler.certify.keys import Keys
from labeler.certify.strata import Strata

FOR_LABELS = 0.5
"""Share of the cards that is divided evenly among the labels, for the precision of rare ones; the rest is Neyman's."""

SECOND_LOOKS = 10
"""Cards for each that is shown a second time: one in ten tells the reviewer's errors, and costs as much time."""

_LEAST = 0.5
"""Lower limit on a stratum's share of the cards, in units of an even share: none may be left to chance."""


def order(strata: Strata, keys: Keys, for_labels: float = FOR_LABELS) -> NDArray[np.int32]:
    """Return the faces in the order in which they are looked at; the first n are the sample of n cards.

    Within a stratum the keys alone decide, so its cards are a simple random sample of it and a longer sample holds
    every shorter one. Between strata the n cards are shared out by `shares`, to within one card each.
    """
    ranked, turn = np.empty(len(keys), np.int32), np.empty(len(keys))
    end = 0
    for stratum, share in enumerate(shares(strata, for_labels)):
        own = np.flatnonzero(strata.of == stratum)
        begin, end = end, end + len(own)
        ranked[begin:end] = own[np.argsort(keys[own], kind="stable")]
        turn[begin:end] = (np.arange(len(own)) + 0.5) / share
    return np.asarray(ranked[np.argsort(turn, kind="stable")])


def shares(strata: Strata, for_labels: float = FOR_LABELS) -> NDArray[np.float64]:
    """Return the share of the cards of each stratum.

    Neyman's allocation (1934) is in proportion to size times standard deviation. A part is shared out so among all
    strata, the other among those of each label.
    """
    weight = strata.size * strata.spread
    _, label = np.unique(strata.label, return_inverse=True)
    of_label = np.bincount(label, weight)
    share = (1 - for_labels) * weight / weight.sum() + for_labels * weight / of_label[label] / len(of_label)
    share = np.maximum(share, _LEAST / len(share))
    return np.asarray(share / share.sum())
