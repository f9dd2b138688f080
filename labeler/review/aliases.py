"""Numbers that stand for a row of the table which is shown in another way: blind, a second time, or wrongly labelled.

To the page an alias is the number of a row like any other; what is said about it is written about the row that it
stands for.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from labeler.review.refused import Refused

_FIRST = 1 << 30
_SHIFT = 28
_ROWS = (1 << _SHIFT) - 1


class Alias(IntEnum):
    """How a row is shown."""

    CARD = 0
    """Without its label: a card of the sample."""
    AGAIN = 1
    """The same a second time."""
    SENTINEL = 2
    """With a label that is wrong on purpose."""


def number(alias: Alias, row: int) -> int:
    """Return the number of an alias of a row."""
    return _FIRST | alias << _SHIFT | row


def numbers(alias: Alias, rows: NDArray[np.integer]) -> NDArray[np.int32]:
    """Return the numbers of an alias of rows."""
    return (rows | number(alias, 0)).astype(np.int32)


def of(number: int) -> Alias | None:
    """Return which alias a number is; None of a row's own.

    Raises:
        Refused: there is no such alias.
    """
    if number < _FIRST:
        return None
    try:
        return Alias((number ^ _FIRST) >> _SHIFT)
    except ValueError as exc:
        raise Refused(404, f"there is no row {number}") from exc


def row(number: int) -> int:
    """Return the row that a number stands for."""
    return number & _ROWS if number >= _FIRST else number


def is_one(number: int) -> bool:
    """Say whether a number is an alias."""
    return number >= _FIRST


def is_blind(number: int) -> bool:
    """Say whether a number shows its row without its label."""
    return of(number) in {Alias.CARD, Alias.AGAIN}
