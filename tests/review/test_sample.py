"""The order of blind cards: that of the draw, every tenth from the 30th on a second time, whatever interrupts it."""

from __future__ import annotations

import numpy as np
import pytest

from labeler.review import aliases
from labeler.review.aliases import Alias
from labeler.review.refused import Refused
from labeler.review.sample import upcoming

CARDS = np.random.default_rng(0).permutation(200).astype(np.int32)


def told(order: np.ndarray) -> list[tuple[Alias | None, int]]:
    return [(aliases.of(number), aliases.row(number)) for number in order.tolist()]


def test_every_tenth_card_from_the_thirtieth_on_is_followed_by_the_one_thirty_cards_before() -> None:
    found = told(upcoming([], CARDS, ()))
    again = {at: row for at, (alias, row) in enumerate(found) if alias is Alias.AGAIN}

    assert [row for alias, row in found if alias is Alias.CARD] == CARDS.tolist()
    assert list(again)[:3] == [30, 41, 52]
    assert list(again.values()) == CARDS[0:171:10].tolist()


@pytest.mark.parametrize("done", [0, 1, 29, 30, 31, 39, 40, 77])
def test_after_an_interruption_it_goes_on_as_if_there_had_been_none(done: int) -> None:
    whole = upcoming([], CARDS, ())
    seen = told(whole[: done + max(0, done - 20) // 10])
    cards = [row for alias, row in seen if alias is Alias.CARD]
    again = {row for alias, row in seen if alias is Alias.AGAIN}

    rest = upcoming(cards, CARDS[~np.isin(CARDS, cards)], again)
    assert rest.tolist() == whole[len(seen) :].tolist()


def test_a_second_look_that_was_not_answered_comes_first() -> None:
    assert told(upcoming(CARDS[:45].tolist(), CARDS[45:], {int(CARDS[0])}))[:2] == [
        (Alias.AGAIN, CARDS[10]),
        (Alias.CARD, CARDS[45]),
    ]


def test_few_or_no_cards_have_no_second_look() -> None:
    assert len(upcoming([], CARDS[:29], ())) == 29
    assert len(upcoming([], CARDS[:0], ())) == 0


def test_a_number_beyond_the_aliases_is_refused() -> None:
    assert aliases.of(5) is None
    assert aliases.row(aliases.number(Alias.SENTINEL, 123)) == 123
    with pytest.raises(Refused):
        aliases.of((1 << 30) | (3 << 28))
