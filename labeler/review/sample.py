"""The order in which a reviewer looks at blind cards: those of the draw, and some of them a second time."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import NDArray

from labeler.certify.queue import SECOND_LOOKS
from labeler.review import aliases
from labeler.review.aliases import Alias

Rows = NDArray[np.int32]

_LATER = 30
"""Cards between the two looks at one: too many to remember what was said."""


def upcoming(answered: Sequence[int], left: Rows, again: Collection[int]) -> Rows:
    """Return the aliases that are still to be looked at, in their order.

    ``answered`` are the rows of the cards that this reviewer has answered, in the order in which he did; ``left`` those
    that nobody has; ``again`` those that he has answered a second time. The cards of a reviewer are numbered through,
    so that each is shown again at the same place however often the review was interrupted.
    """
    cards = np.concatenate((np.array(answered, np.int32), left))
    ends = np.arange(_LATER, len(cards) + 1, SECOND_LOOKS)
    twice = cards[ends - _LATER]
    is_open = ~np.isin(twice, np.array(sorted(again), np.int32))
    ends, twice = ends[is_open], twice[is_open]
    places = np.maximum(ends - len(answered), 0)  # Those whose place has passed come first.
    return np.insert(aliases.numbers(Alias.CARD, left), places, aliases.numbers(Alias.AGAIN, twice))
