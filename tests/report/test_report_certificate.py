"""The section of a report that says how right the labels are."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable
from pathlib import Path

import blind
import hostile
import pytest
from blind import Blind
from typer.testing import Result

from labeler.certify import certified
from labeler.tables import index
from labeler.tables.review_log import Log

Run = Callable[..., Result]


@pytest.fixture
def table(tmp_path: Path) -> Blind:
    return blind.write(tmp_path / "t.csv", 400)


def page_of(run: Run, table: Path, *options: object) -> str:
    page = table.with_name("report.html")
    result = run("report", table, "--out", page, "--no-pictures", *options)
    assert result.exit_code == 0, result.output
    return page.read_text("utf-8")


def section_of(page: str) -> str:
    """Return the text of the section."""
    found = re.search(r'<section id="right".*?</section>', page, re.S)
    assert found
    return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", found[0])))


def test_without_a_blind_card_a_line_says_how_to_get_one(run: Run, table: Blind) -> None:
    told = section_of(page_of(run, table.path))

    assert "nobody has looked at a random sample of the faces blind" in told
    assert "labeler review t.csv --certify" in told
    assert "%" not in told


def test_the_page_says_what_the_certificate_says(run: Run, table: Blind) -> None:
    table.answer(200)
    one = certified.of_table(table.path)
    assert one
    page = page_of(run, table.path)
    told = section_of(page)

    assert one.sentence() in told
    for figure in (one.certificate.now.accuracy, one.certificate.rest.accuracy):
        assert f"({certified.interval(figure)}) {certified.share(figure)}" in told
    assert all(note in told for note in one.notes())
    assert "ann 200" in told
    assert re.search(r"wrong labels that remain about \d+ \(\d+ to \d+\) of the 200 that nobody has looked at", told)
    for name, figures in zip(blind.NAMES, one.certificate.model.classes, strict=True):
        share = certified.share(figures.precision) if figures.precision.value is not None else "– too few cards"
        assert f"{name} {share}" in told


def test_the_chart_has_each_interval_and_says_where_there_are_too_few_cards(run: Run, table: Blind) -> None:
    table.answer(200)
    one = certified.of_table(table.path)
    assert one
    figures = [figure for each in one.certificate.model.classes for figure in (each.precision, each.recall)]
    known = sum(figure.value is not None for figure in figures)
    chart = re.search(r'<svg class="chart"[^>]*right-classes.*?</svg>', page_of(run, table.path), re.S)

    assert chart
    assert 0 < known < len(figures)
    assert chart[0].count('class="spread') == known
    assert chart[0].count("too few cards") == len(figures) - known


def test_too_few_cards_give_no_figure(run: Run, table: Blind) -> None:
    table.answer(5)
    told = section_of(page_of(run, table.path))

    assert "too few cards to say how right the labels are: 5 faces looked at blind" in told
    assert "%" not in re.sub(r"By class.*?Recall|0%|50%|100%|95%|errs on [^;]*", "", told)


def test_answers_of_a_table_that_changed_are_no_certificate(run: Run, tmp_path: Path) -> None:
    old = blind.write(tmp_path / "old.csv", 300)
    old.answer(60)
    new = blind.write(tmp_path / "t.csv", 400)
    Log.of(new.path).append(Log.of(old.path).read())
    told = section_of(page_of(run, new.path))

    assert "60 blind answers are of another draw" in told
    assert "labeler review t.csv --certify" in told


def test_without_reviews_nothing_is_said_of_them(run: Run, table: Blind) -> None:
    table.answer(100)

    assert 'id="right"' not in page_of(run, table.path, "--no-reviews")


def test_the_certificate_is_among_the_counts(run: Run, table: Blind) -> None:
    table.answer(100)
    result = run("report", table.path, "--out", table.path.with_name("r.html"), "--no-pictures", "--json")
    found = json.loads(result.stdout)["certificate"]

    assert found["cards"] == 100
    assert found["draw"] == table.draw.name


def test_hostile_classes_and_reviewers_are_text(run: Run, tmp_path: Path) -> None:
    table = Blind(path=hostile.make_table(tmp_path / "t.csv"), truth=hostile.CLASSES * 40)
    view = table.draw.view
    rows = [row for row in table.cards(12) if index.load(table.path).row(row).label in hostile.CLASSES][:8]
    reviewer = f"<script>{hostile.RUNS}</script>"
    events = [table.event(row, hostile.CLASSES[0], row, reviewer=reviewer, view=view, shown=False) for row in rows]
    Log.of(table.path).append(events)
    page = page_of(run, table.path)

    assert f"<script>{hostile.RUNS}</script> 8" in section_of(page).replace("  ", " ")
    assert "<script" not in page
