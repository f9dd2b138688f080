"""Views: the wanted rows in the wanted order, from any start."""

from __future__ import annotations

import math
import random
from pathlib import Path
from typing import Any

import numpy as np
import odd_rows
import pytest
from reviewing import hexed

from labeler.records import Row, Status
from labeler.review.current import Current, Said
from labeler.review.refused import Refused
from labeler.review.views import Views, Wanted, ascending
from labeler.tables import index
from labeler.tables.matching import Box
from labeler.tables.review_log import Log

NAMES = ("angry", "happy", "sad")


@pytest.fixture
def rows() -> list[Row]:
    chance = random.Random(8)
    found = []
    for number in range(300):
        row = Row(f"{chance.choice('abc')}/{number:03}.jpg", image_width=99, image_height=99, version="1-1")
        if chance.random() < 0.1:
            found.append(row.without_label(Status.NO_FACE, "no face found"))
            continue
        shares = [round(chance.random(), 2) + 0.01 for _ in NAMES]
        shares = [round(share / sum(shares), 3) for share in shares]
        row = row._replace(face=0, x=1.0, y=1.0, width=40.0, height=40.0)
        found.append(row.labelled(tuple(shares), NAMES, 0.4))
    return sorted(found, key=lambda row: row.file)


@pytest.fixture
def current(tmp_path: Path, rows: list[Row]) -> Current:
    table = tmp_path / "t.parquet"
    odd_rows.write_finished(table, odd_rows.record_of(NAMES), rows)
    return Current(index.load(table), Log.of(table), "ann", lambda _: None)


def view(current: Current, **wanted: Any) -> list[int]:
    views = Views(current, "x")
    name, count = views.make(Wanted.of(wanted))
    found = views.part(name, 0, 1000)
    assert len(found) == count
    return found


@pytest.mark.parametrize(
    "wanted",
    [
        {"label": "sad"},
        {"label": "uncertain"},
        {"label": ""},
        {"label": "unheard of"},
        {},
        {"status": "no_face"},
        {"status": "ok"},
        {"folder": "b"},
        {"folder": "b/0"},
        {"min_score": 0.5},
        {"max_score": 0.5},
        {"label": "happy", "folder": "a", "min_score": 0.4, "max_score": 0.6},
    ],
    ids=str,
)
def test_a_view_has_the_rows_that_are_wanted_and_no_other(
    current: Current, rows: list[Row], wanted: dict[str, Any]
) -> None:
    def fits(row: Row) -> bool:
        score = -1 if row.score is None else row.score
        return bool(
            wanted.get("label") in (None, row.label)
            and (row.label or not {"label", "status"}.isdisjoint(wanted))
            and wanted.get("status") in (None, row.status)
            and row.file.startswith(wanted.get("folder", "") + "/" if "folder" in wanted else "")
            and score >= wanted.get("min_score", -1)
            and ("max_score" not in wanted or 0 <= score <= wanted["max_score"])
        )

    assert view(current, **wanted) == [number for number, row in enumerate(rows) if fits(row)]


def test_the_orders_are_by_score_and_margin(current: Current, rows: list[Row]) -> None:
    def margin(row: Row) -> float:
        best, second, *_ = sorted(row.probabilities, reverse=True)
        return round(best - second, 3)

    numbers = [number for number, row in enumerate(rows) if row.label]
    assert view(current, order="surest") == sorted(numbers, key=lambda n: -(rows[n].score or -1))
    assert view(current, order="doubtful") == sorted(numbers, key=lambda n: rows[n].score or math.inf)
    found = [margin(rows[number]) for number in view(current, order="wrong")]
    assert found == sorted(found)
    assert view(current) == numbers


def test_random_is_another_order_of_all_rows_and_the_same_with_one_seed(current: Current, rows: list[Row]) -> None:
    first, again, other = (view(current, order="random", seed=seed) for seed in (1, 1, 2))

    assert first == again != other
    assert sorted(first) == sorted(other) == [number for number, row in enumerate(rows) if row.label]


def test_what_was_reviewed_is_found_by_its_new_label_and_its_reviewer(current: Current, rows: list[Row]) -> None:
    first, second = [number for number, row in enumerate(rows) if row.label == "sad"][:2]
    current.say(hexed(1), [Said(row=first, new="happy"), Said(row=second, new="sad")])

    assert view(current, reviewed=True) == view(current, reviewer="ann") == [first, second]
    assert view(current, reviewer="ben") == []
    assert first in view(current, label="happy")
    assert first not in view(current, label="sad")
    assert len(view(current, reviewed=False)) == sum(bool(row.label) for row in rows) - 2


def test_an_added_face_is_in_the_views_until_it_is_undone(current: Current, rows: list[Row]) -> None:
    number = current.add(hexed(1), Said(row=4, new="sad"), Box(50, 50, 30, 30))
    wanted = {"label": "sad", "folder": rows[4].file[0], "order": "surest", "status": "ok"}

    assert view(current, **wanted)[-1] == number == len(rows)
    assert number not in view(current, folder="elsewhere")
    assert number not in view(current, min_score=0.1)
    current.undo(hexed(2))
    assert number not in view(current, **wanted)
    assert number not in view(current)


def test_any_part_can_be_asked_for_and_a_forgotten_view_is_said_to_be_gone(current: Current) -> None:
    views = Views(current, "x")
    name, count = views.make(Wanted())

    assert views.part(name, count - 2, 100) == views.part(name, 0, count)[-2:]
    assert views.part(name, count, 100) == []
    for _ in range(10):
        views.make(Wanted())
    with pytest.raises(Refused, match="gone"):
        views.part(name, 0, 1)


@pytest.mark.parametrize(
    "wanted",
    [{"order": "newest"}, {"order": "alike"}, {"status": "fine"}, {"label": 3}, {"x": 1}, {"min_score": "1"}],
    ids=str,
)
def test_a_view_that_cannot_be_is_refused(current: Current, wanted: dict[str, Any]) -> None:
    with pytest.raises(Refused):
        Views(current, "x").make(Wanted.of(wanted))


@pytest.mark.parametrize("sign", [1, -1])
def test_numbers_are_sorted_as_numpy_sorts_them(sign: int) -> None:
    chance = np.random.default_rng(0)
    shares = np.round(chance.random(5000), 2)  # Many are equal.
    odd = np.array([0.0, -0.0, np.nan, -1.5, 1e-40, -1e-40, 3e38, -3e38, 1.0, np.nan, 0.5, 0.0])
    numbers = np.float32(sign) * np.concatenate((shares, odd, -shares)).astype(np.float32)

    assert ascending(numbers).tolist() == np.argsort(numbers, kind="stable").tolist()
    assert ascending(numbers[:0]).tolist() == []
