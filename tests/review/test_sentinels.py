"""Sentinels: which wrong label a face shows, where it stands, and in which views."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import odd_rows
import pytest

from labeler.records import Face, Row
from labeler.review import aliases, sentinels
from labeler.review.aliases import Alias
from labeler.review.views import Wanted
from labeler.tables import index
from labeler.tables.index import Index

NAMES = ("angry", "happy", "sad")


@pytest.fixture
def table(tmp_path: Path) -> Index:
    shares = [(0.1, 0.7, 0.2), (0.6, 0.3, 0.1)]
    rows = [
        Row.of_image(f"{at}/a.jpg", 48, 48, "1-1").located(0, Face(1, 1, 40, 40)).labelled(one, NAMES, 0)
        for at, one in enumerate(shares)
    ]
    odd_rows.write_finished(tmp_path / "t.csv", odd_rows.record_of(NAMES), rows)
    return index.load(tmp_path / "t.csv")


def test_a_mistake_of_the_model_is_shown_as_it_is(table: Index) -> None:
    found = sentinels.wrong(table, 0, "sad")

    assert found
    assert (found.label, found.is_model, found.probabilities) == ("happy", True, table.shares(0))


def test_where_the_model_was_right_the_most_probable_other_class_takes_its_place(table: Index) -> None:
    found = sentinels.wrong(table, 0, "happy")

    assert found
    assert (found.label, found.is_model, NAMES[found.second]) == ("sad", False, "happy")
    assert found.probabilities == pytest.approx((0.1, 0.2, 0.7), abs=1e-4)
    assert found.score == max(found.probabilities)


def test_only_those_that_the_filters_would_let_pass_are_shown(table: Index) -> None:
    some = [one for one in (sentinels.wrong(table, 0, "happy"), sentinels.wrong(table, 1, "sad")) if one]

    def rows(**wanted: object) -> list[int]:
        return [one.row for one in sentinels.fitting(some, Wanted.of(wanted), table)]

    assert rows() == rows(status="ok") == [0, 1]
    assert (rows(label="sad"), rows(label="angry"), rows(label="happy")) == ([0], [1], [])
    assert (rows(folder="1"), rows(min_score=0.65), rows(max_score=0.65)) == ([1], [0], [1])
    assert rows(status="no_face") == []


def test_about_one_in_a_hundred_is_a_sentinel_at_a_place_of_its_own() -> None:
    rows = np.arange(1000, 3000, dtype=np.int32)
    some = [
        sentinels.Wrong(row=row, label="a", score=0.5, probabilities=(0.5, 0.5), is_model=row < 5, place=0)
        for row in range(90)
    ]
    found = sentinels.mixed(rows, some, [7])
    places = [at for at, number in enumerate(found.tolist()) if aliases.is_one(number)]
    shown = [aliases.row(found[at]) for at in places]

    assert 20 <= len(places) <= 21
    assert all(aliases.of(int(found[at])) is Alias.SENTINEL for at in places)
    assert sorted(shown)[:5] == [0, 1, 2, 3, 4]
    assert len({at % 101 for at in places}) > 10
    assert [number for number in found.tolist() if not aliases.is_one(number)] == rows.tolist()
    assert found.tolist() == sentinels.mixed(rows, some, [7]).tolist()
    assert len(sentinels.mixed(rows[:0], some, [7])) <= 1
