"""Blind cards in a browser: a session by keyboard alone, a server that is killed, cards between faces, access."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from opened import CLASSES, HAPPY, Opened, reviews, small_table
from reviewing import event

from labeler.certify import certified
from labeler.certify.draw import Draw
from labeler.tables import index
from labeler.tables.matching import box_of
from labeler.tables.review_log import Log
from labeler.tables.reviews import AGAIN

Review = Callable[..., Opened]

pytestmark = pytest.mark.heavy

PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True, "device_scale_factor": 2}
ROW = "document.querySelector('.box.here')?.dataset.row"
IS_READY = "document.getElementById('single').ariaBusy === 'false'"

DRAWN = "new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)))"
CARD_PHOTO = "/\\/api\\/photo\\/\\d{9,}/"
IS_SHOWN = "!document.getElementById('photo').hidden"


@pytest.fixture
def review(chromium: Any, tmp_path: Path) -> Iterator[Review]:
    with reviews(chromium, tmp_path) as open_review:
        yield open_review


def answer(opened: Opened, key: str) -> None:
    """Answer the card that is shown, as soon as it is."""
    opened.page.evaluate(DRAWN)
    opened.wait(f"document.getElementById('verdict').textContent === 'What is it?' && {IS_READY} && {IS_SHOWN}")
    opened.press(key)


def test_a_session_of_cards_needs_no_mouse_and_outlives_a_kill(review: Review, tmp_path: Path) -> None:
    """Its answers, the second look among them, are those that were given; Enter accepts nothing; an undo goes back."""
    opened = review(None, "--certify")
    for _ in range(12):
        answer(opened, "s")
    opened.press("Enter")
    opened.hears("nothing to accept")
    opened.press("u")
    opened.hears("undone: 1 face")
    answer(opened, "h")
    opened.settled()
    opened.server.kill()
    for _ in range(2):  # Those that the page has fetched ahead.
        answer(opened, "a")
    opened.wait("document.getElementById('unsent').textContent === '2 actions unsent'")
    opened.server.start()
    opened.settled()
    for _ in range(17):
        answer(opened, "q")
    opened.settled()
    events = [event for event in opened.server.events() if event["kind"] == "label"]
    found = certified.gather(tmp_path / "t.csv")
    views = [event["view"] for event in events]

    assert [event["new"] for event in events] == ["sad"] * 12 + ["happy"] + ["angry"] * 2 + ["uncertain"] * 17
    assert found
    assert (len(found.cards), views.count(AGAIN), {event["shown"] for event in events}) == (30, 1, {False})
    assert all("ERR_CONNECTION" in one for one in opened.complaints)


def test_nothing_on_the_page_of_a_card_tells_its_label(review: Review) -> None:
    opened = review(None, "--certify")
    opened.wait(IS_READY)
    before = opened.text("body")
    answer(opened, "x")
    opened.settled()
    opened.press("ArrowLeft")
    opened.wait("document.getElementById('verdict').textContent === 'answered'")
    after = opened.text("#single")

    assert not re.search(r"\d%|\.png", before)
    assert [name for name in (*CLASSES, "not a face") if name in opened.text("#single")] == []
    assert "answered" in after


def test_a_reload_goes_on_and_an_undo_after_it_goes_back(review: Review) -> None:
    opened = review(None, "--certify")
    opened.wait(f"{ROW} !== undefined && {IS_READY}")
    first = opened.page.evaluate(ROW)
    answer(opened, "s")
    opened.wait(f"![undefined, '{first}'].includes({ROW}) && {IS_READY}")
    row = opened.page.evaluate(ROW)
    answer(opened, "h")
    opened.settled()
    second = opened.server.events()[1]["file"]
    opened.page.reload()
    opened.sees()
    opened.wait(IS_READY)
    opened.press("u")
    opened.hears("undone: 1 face")
    opened.wait(f"{ROW} === '{row}' && {IS_READY}")
    answer(opened, "a")
    opened.settled()

    assert [event["file"] for event in opened.server.events() if event.get("new") == "angry"] == [second]


def test_after_nine_faces_a_card_comes_in_between_and_then_the_list_goes_on(review: Review) -> None:
    opened = review()
    opened.press("v")
    for place in range(1, 10):
        opened.wait(f"document.getElementById('place').textContent.startsWith('Face {place} ') && {IS_READY}")
        opened.press("Enter")
    opened.hears("a blind card")
    answer(opened, "a")
    opened.wait("document.getElementById('place').textContent.startsWith('Face 10 ')")
    opened.press("u")
    opened.hears("undone: 1 face")
    opened.wait("document.getElementById('place').textContent === 'Blind card'")
    answer(opened, "s")
    opened.wait("document.getElementById('place').textContent.startsWith('Face 10 ')")
    opened.settled()
    events = [event for event in opened.server.events() if event["kind"] == "label"]

    assert [event["new"] for event in events] == ["happy"] * 9 + ["angry", "sad"]
    assert [event["shown"] for event in events] == [True] * 9 + [False] * 2
    assert events[9]["view"].startswith("certify ")


def test_the_picture_of_a_card_that_comes_in_between_is_fetched_before_its_turn(review: Review) -> None:
    opened = review()
    opened.press("v")
    for place in range(1, 9):
        opened.wait(f"document.getElementById('place').textContent.startsWith('Face {place} ') && {IS_READY}")
        opened.press("Enter")
    opened.wait(f"performance.getEntriesByType('resource').some(({{ name }}) => {CARD_PHOTO}.test(name))")

    assert opened.text("#place").startswith("Face 9 ")


def test_a_card_whose_picture_did_not_come_gets_it_once_the_server_answers(review: Review) -> None:
    opened = review()
    for path in ("face", "photo", "sprite"):
        opened.page.route(f"**/api/{path}**/**", lambda route: route.abort())
        opened.page.route(f"**/api/{path}?**", lambda route: route.abort())
    opened.page.locator("#open-cards").click()
    opened.wait("document.getElementById('verdict').textContent === 'What is it?'")
    opened.press("s")
    opened.hears("wait: the picture has not arrived")
    opened.page.unroute_all()
    answer(opened, "s")
    opened.settled()

    assert [event["new"] for event in opened.server.events() if event["kind"] == "label"] == ["sad"]


def test_a_face_whose_label_waits_does_not_come_again_after_a_kill(review: Review) -> None:
    opened = review()
    opened.press("v")
    opened.wait(f"{IS_READY} && {IS_SHOWN}")
    opened.server.kill()
    opened.press("s")
    opened.wait("document.getElementById('unsent').textContent !== '' || sessionStorage.length > 1")
    opened.server.start()
    opened.settled()
    opened.wait(f"document.getElementById('place').textContent.startsWith('Face 1 of {HAPPY - 1}') && {IS_READY}")
    opened.press("s")
    opened.settled()
    events = opened.server.events()

    assert len({event["file"] for event in events}) == len(events) == 2


def test_after_a_kill_the_face_that_was_next_is_still_next(review: Review) -> None:
    """One before it was passed over, and the card that was answered between them stood far behind."""
    opened = review()
    opened.press("v")
    opened.wait(f"{IS_READY} && {IS_SHOWN}")
    opened.press("ArrowRight")
    for place in range(2, 11):
        opened.wait(f"document.getElementById('place').textContent.startsWith('Face {place} ') && {IS_READY}")
        opened.press("Enter")
    opened.hears("a blind card")
    opened.server.kill()
    answer(opened, "a")
    opened.server.start()
    opened.settled()
    opened.wait(f"document.getElementById('place').textContent.startsWith('Face 2 ') && {IS_READY}")
    shown = opened.text("#file")
    opened.press("s")
    opened.wait(f"document.getElementById('place').textContent.startsWith('Face 3 ') && {IS_READY}")
    opened.settled()
    labels = [event for event in opened.server.events() if event["kind"] == "label" and event["shown"]]

    assert (labels[-1]["file"], labels[-1]["new"]) == (shown, "sad")
    assert len({event["file"] for event in labels}) == len(labels) == 10


def test_a_button_goes_to_the_cards_and_a_key_back_to_the_list(review: Review) -> None:
    opened = review()
    opened.page.locator("#open-cards").click()
    answer(opened, "s")
    opened.settled()
    opened.press("Escape")
    opened.sees()
    opened.wait("document.getElementById('cards-count').textContent === '1'")

    assert opened.page.evaluate("document.activeElement.id") == "grid"
    assert opened.page.evaluate("document.querySelector('#labels :checked').value") == '"happy"'


def test_without_cards_the_page_offers_none(review: Review) -> None:
    opened = review(None, "--no-cards")
    opened.press("?")

    assert not opened.page.locator("#open-cards").is_visible()
    assert not opened.page.locator("#about-cards").is_visible()


def test_a_card_without_a_picture_is_passed_over(review: Review, tmp_path: Path) -> None:
    opened = review(None, "--certify")
    for photo in (tmp_path / "photos").glob("*/*.png"):
        photo.unlink()
    opened.page.reload()
    opened.sees()
    opened.wait("document.getElementById('missing').textContent.startsWith('No picture')")
    opened.press("s")
    opened.hears("this card has no picture")
    opened.press("Enter")
    opened.hears("passed over")
    opened.wait(f"document.getElementById('missing').textContent.startsWith('No picture') && {IS_READY}")
    opened.press("q")

    assert [new for _, new in opened.news()] == ["uncertain"]


@pytest.mark.parametrize(
    "options", [{"color_scheme": "light"}, {**PHONE, "color_scheme": "dark"}], ids=["desktop", "phone"]
)
def test_axe_finds_nothing_serious_and_nothing_overflows(review: Review, options: dict[str, Any]) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    opened = review(None, "--certify", bypass_csp=True, **options)
    opened.wait(IS_READY)
    found: list[str] = []
    for keys in ((), ("s",), ("?",)):
        opened.press(*keys)
        violations = axe.run(opened.page).response["violations"]
        found += [one["id"] for one in violations if one["impact"] in {"serious", "critical"}]
        assert not opened.page.evaluate("document.documentElement.scrollWidth > innerWidth")

    assert found == []
    assert opened.page.locator("#about-cards").is_visible()


def test_a_sentinel_is_one_of_the_screen_and_what_slips_through_is_counted(review: Review, tmp_path: Path) -> None:
    table = small_table(tmp_path)
    draw = Draw.of(index.load(table))
    rows = [draw.index.row(int(draw.rows[place])) for place in draw.order[:40]]
    about = {"view": draw.view, "shown": False, "reviewer": "bob"}
    said = [(event_of(row.file, row.version, box_of(row)), number) for number, row in enumerate(rows)]
    Log.of(table).append(event("sad", number, **known, **about) for known, number in said)
    opened = review(table)
    screen = opened.count(".tile")
    opened.press("Enter")
    opened.hears("faces accepted")
    opened.sees()  # What has no picture yet is not accepted.
    opened.press("Enter")
    opened.hears("faces accepted")
    opened.settled()
    events = opened.server.events()[40:]
    found = certified.gather(table)

    assert found
    assert (len(events), len({event["file"] for event in events})) == (2 * screen, 2 * screen)
    slipped = [event for event in events if event["view"] == "sentinel"]
    assert {(event["old"], event["new"]) for event in slipped} == {("happy", "happy")}
    assert found.checks.missed == found.checks.sentinels == len(slipped) >= 1
    assert opened.text("#reviewed") == f"{40 + 2 * screen - len(slipped)} of 260 reviewed"


def event_of(file: str, version: str, box: object) -> dict[str, object]:
    return {"file": file, "version": version, "box": box}
