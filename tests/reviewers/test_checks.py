"""`labeler reviews show` says how careful each reviewer of blind cards was, and how far two of them agree."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import blind
import pytest
from blind import NAMES, Blind
from sklearn.metrics import cohen_kappa_score
from typer.testing import Result

from labeler.tables.review_log import Log
from labeler.tables.reviews import AGAIN, SENTINEL

Run = Callable[..., Result]


@pytest.fixture
def table(tmp_path: Path) -> Blind:
    return blind.write(tmp_path / "t.csv", 200)


def other(label: str) -> str:
    return "sad" if label != "sad" else "happy"


def test_each_reviewers_checks_are_told(table: Blind, run: Run) -> None:
    cards = table.cards(20)
    table.answer(20)
    table.answer(20, reviewer="bob", second=10)
    log = Log.of(table.path)
    truth = table.truth
    again = {"ann": 0, "bob": 2}
    for place, (who, differ) in enumerate(again.items()):
        said = [other(truth[row]) if at < differ else truth[row] for at, row in enumerate(cards[:8])]
        log.append(
            table.event(row, label, 40 + 10 * place + at / 10, reviewer=who, view=AGAIN, shown=False)
            for at, (row, label) in enumerate(zip(cards, said, strict=False))
        )
    one, two = (table.event(row, truth[row], 80 + row, reviewer="ann", view=SENTINEL) for row in cards[10:12])
    log.append([replace(one, old=other(one.new), id=""), replace(two, old=two.new, id="")])
    shown = run("reviews", "show", table.path)
    found = json.loads(run("reviews", "show", table.path, "--json").stdout)

    assert shown.exit_code == 0
    assert (
        "checks of ann: 0 of 8 cards shown twice answered differently, 1 of 2 labels that were wrong on purpose missed"
        in shown.stderr
    )
    assert "checks of bob: 2 of 8 cards shown twice answered differently\n" in shown.stderr
    assert found["checks"]["ann"] == {"twice": 8, "disagreed": 0, "sentinels": 2, "missed": 1}
    assert found["reviewed"] == 20


def test_the_agreement_of_two_on_what_both_saw_blind_is_cohens_kappa(table: Blind, run: Run) -> None:
    rows = table.cards(60)
    table.answer(60)
    table.answer(40, reviewer="bob", second=10, said=lambda row, label: other(label) if row % 4 == 0 else label)
    opened = [table.event(row, "fear", 50 + row, reviewer="bob") for row in table.cards(60)[40:50]]
    Log.of(table.path).append(opened)
    (found,) = json.loads(run("reviews", "show", table.path, "--json").stdout)["blind_pairs"]
    told = [(table.truth[row], other(table.truth[row]) if row % 4 == 0 else table.truth[row]) for row in rows[:40]]

    assert (found["reviewers"], found["n"]) == (["ann", "bob"], 40)
    expected = cohen_kappa_score(*zip(*told, strict=True), labels=[*NAMES, "not_a_face"])
    assert found["cohen_kappa"]["value"] == pytest.approx(expected)
    assert "reviewers, blind" in run("reviews", "show", table.path).stderr


def test_without_blind_cards_nothing_is_said_of_them(table: Blind, run: Run) -> None:
    Log.of(table.path).append(
        table.event(row, "fear", row, reviewer=who) for who in ("ann", "bob") for row in table.cards(20)
    )
    result = run("reviews", "show", table.path)

    assert result.exit_code == 0
    assert "blind" not in result.stderr
    assert "checks" not in result.stderr
