"""The page in a browser, on a real server: marks, keys, undo, a server that is killed, hostile names."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hostile_review
import pytest
from conftest import Folder
from opened import CLASSES, HAPPY, Opened, counted, reviews, small_table
from review_server import write_table

from labeler import storage
from labeler.records import Row, Status
from labeler.tables.comma_separated import Csv

Review = Callable[..., Opened]

pytestmark = pytest.mark.heavy


@pytest.fixture
def review(chromium: Any, tmp_path: Path) -> Iterator[Review]:
    with reviews(chromium, tmp_path) as open_review:
        yield open_review


def test_a_screen_with_three_wrong_faces_costs_three_marks_and_two_keys(review: Review) -> None:
    opened = review()
    screen = opened.count(".tile")
    for index in (3, 10, 20):
        opened.page.locator(".tile").nth(index).click()
    opened.press("a", "Enter")
    opened.hears(f"{screen - 3} faces accepted")

    assert counted(opened.news()) == {("happy", "angry"): 3, ("happy", "happy"): screen - 3}
    assert len({event["action"] for event in opened.server.events()}) == 2
    assert opened.page.locator(".tile").first.get_attribute("id") == f"face-{screen}"


def test_what_was_accepted_is_shown_as_reviewed_and_not_as_changed(review: Review) -> None:
    opened = review()
    opened.press("Enter")
    opened.settled()
    opened.press("PageUp")
    opened.hears("accepted")
    opened.wait("document.querySelectorAll('.tile.reviewed').length === document.querySelectorAll('.tile').length")

    assert opened.count(".tile.changed") == 0


def test_faces_are_marked_by_arrows_space_and_shift(review: Review) -> None:
    opened = review()
    opened.press("ArrowRight", " ", "ArrowRight", "ArrowRight", " ", "Shift+ArrowRight", "Shift+ArrowRight")
    opened.hears("4 faces marked")
    opened.press("s")

    assert counted(opened.news()) == {("happy", "sad"): 4}


def test_without_a_mark_a_key_labels_the_face_under_the_cursor(review: Review) -> None:
    opened = review()
    opened.press("End", "w")
    opened.hears("1 face: ")

    assert opened.news() == [("happy", "angry")]
    assert opened.text(".tile.cursor .tag") == "angry"


def test_the_single_view_takes_one_key_for_each_face(review: Review) -> None:
    opened = review()
    opened.press("v", "a", "Enter", "x", "q", "Escape")

    assert opened.news() == [("happy", "angry"), ("happy", "happy"), ("happy", "not_a_face"), ("happy", "uncertain")]
    assert [event["view"] for event in opened.server.events()] == ["single"] * 4
    assert all(isinstance(event["ms"], int) for event in opened.server.events())


def test_an_undo_and_a_redo_are_shown(review: Review) -> None:
    opened = review()
    opened.press("a", "u")
    opened.hears("undone: 1 face")
    undone = opened.count(".tile.changed")
    opened.press("Shift+U")
    opened.hears("done again: 1 face")

    assert (undone, opened.count(".tile.changed")) == (0, 1)


def test_keys_act_only_in_the_grid_and_the_single_view(review: Review) -> None:
    opened = review()
    opened.page.locator("select[name=order]").focus()
    opened.press("a", "x", "u")
    opened.page.locator("#position").focus()
    opened.press("a", "x")

    assert opened.news() == []


def test_nothing_is_lost_when_the_server_is_killed(review: Review) -> None:
    """What was done meanwhile arrives, once, when the same command runs again: the tab finds it by itself."""
    opened = review()
    opened.press("a")
    opened.settled()
    opened.server.kill()
    opened.press("ArrowRight", "s", "ArrowRight", "x", "Enter")
    opened.wait("document.getElementById('connection').textContent.includes('Reconnecting')")
    shown = opened.count(".tile.reviewed"), opened.text("#unsent")
    opened.server.start()
    opened.wait("document.getElementById('connection').hidden")
    news = opened.news()

    assert shown[1] == "3 actions unsent"
    assert news[:3] == [("happy", "angry"), ("happy", "sad"), ("happy", "not_a_face")]
    assert len(news) == opened.count(".tile")
    assert len({(event["file"], event["action"]) for event in opened.server.events()}) == len(news)


def test_a_second_kill_does_not_keep_the_tab_from_the_third_server(review: Review) -> None:
    opened = review()
    for key in "as":
        opened.server.kill()
        opened.press(key, "ArrowRight")
        with opened.page.expect_response("**/api/view/*"):  # The faces are asked for again, when all else is sent.
            opened.server.start()
        opened.settled()
        opened.sees()

    assert opened.news() == [("happy", "angry"), ("happy", "sad")]


def test_no_key_labels_a_face_again_while_the_next_one_has_not_arrived(review: Review) -> None:
    """A view that is made again, by a server that was started again, has none of its faces yet."""
    opened = review()
    opened.press("v")
    opened.wait("document.getElementById('verdict').textContent.includes('happy')")
    held, late = [True], []
    opened.page.route("**/api/view/*", lambda route: late.append(route) if held else route.continue_())
    opened.server.kill()
    opened.wait("!document.getElementById('connection').hidden")
    opened.server.start()
    opened.wait("document.getElementById('connection').hidden")
    opened.press("s")
    opened.hears("1 face: sad")
    opened.press("a", "w", "Enter")
    opened.hears("wait: the next face has not arrived")
    held.clear()
    for route in late:
        route.continue_()
    opened.wait("document.getElementById('file').textContent === 'b/0001.png'")
    opened.press("a")
    news = opened.news()

    assert news == [("happy", "sad"), ("happy", "angry")]
    assert [event["file"] for event in opened.server.events()] == ["a/0000.png", "b/0001.png"]


def test_a_page_that_is_loaded_again_sends_what_waited(review: Review) -> None:
    opened = review()
    opened.server.kill()
    opened.press("a", "ArrowRight", "s")
    opened.server.start()
    opened.page.goto("about:blank")
    opened.page.goto(opened.server.url)
    opened.sees()

    assert opened.news() == [("happy", "angry"), ("happy", "sad")]


def test_what_the_server_refuses_is_taken_back_and_said(review: Review) -> None:
    opened = review()
    refusal = json.dumps({"error": {"message": "because"}})
    opened.page.route("**/api/events", lambda route: route.fulfill(status=409, body=refusal))
    opened.press("a")
    opened.wait("!document.getElementById('error').hidden")

    assert opened.text("#error-text") == "Not done: because"
    assert (opened.count(".tile.changed"), opened.news()) == (0, [])


def test_a_missed_face_is_drawn_by_keyboard(review: Review) -> None:
    opened = review()
    opened.press("v")
    opened.wait("document.querySelectorAll('.box').length === 1")
    opened.press("b", "ArrowLeft", "Shift+ArrowDown", "s")
    opened.wait("document.querySelectorAll('.box').length === 2")
    opened.settled()
    (event,) = opened.server.events()

    assert (event["kind"], event["new"], event["file"]) == ("add", "sad", "a/0000.png")
    assert event["box"] == [17, 18, 12, 13]


def test_the_name_of_a_face_that_fills_its_photo_can_be_seen(review: Review, tmp_path: Path) -> None:
    table = tmp_path / "whole.csv"
    write_table(Folder(tmp_path / "photos"), table)
    opened = review(table)
    opened.press("v")
    opened.wait("document.querySelectorAll('.box .name').length === 1")
    bottom = "document.querySelector('{}').getBoundingClientRect().bottom"

    assert opened.page.evaluate(f"{bottom.format('.box .name')} <= {bottom.format('#frame')}")


def test_a_blind_view_shows_no_label_and_writes_that(review: Review) -> None:
    opened = review()
    opened.page.locator("#blind").check()
    opened.page.locator("#grid").focus()
    opened.press("v")
    opened.wait("document.getElementById('verdict').checkVisibility()")
    shown = opened.text("#single")
    opened.press("s")
    opened.settled()

    assert "happy" not in shown
    assert [event["shown"] for event in opened.server.events()] == [False]


def test_filters_choose_and_stay_over_a_reload(review: Review) -> None:
    opened = review()
    opened.page.locator("select[name=folder]").select_option(label="b (130)")
    opened.hears("120 faces")
    opened.page.locator("input[name=min_score]").fill("90")
    opened.hears("23 faces")
    opened.page.reload()
    opened.hears("23 faces")
    opened.page.locator("#reset").click()
    opened.hears(f"{HAPPY} faces")


def test_a_choice_that_a_later_one_overtook_is_not_shown(review: Review) -> None:
    opened = review()
    late: list[Any] = []
    opened.page.route("**/api/view", lambda route: late.append(route) if not late else route.continue_())
    opened.page.locator("#labels label", has_text="angry").click()
    opened.wait("document.querySelector('#labels :checked').value === '\"angry\"'")
    opened.page.locator("#labels label", has_text="every label").click()
    opened.hears("every label: 260 faces")
    with opened.page.expect_response("**/api/view"):
        late[0].continue_()
    opened.page.locator("#grid").focus()
    opened.press("ArrowRight")
    opened.wait("document.querySelector('#face-1.cursor')")

    assert opened.text("#count") == "of 260"
    assert opened.page.evaluate("document.querySelector('#labels :checked').value") == "null"


def test_one_key_goes_on_to_the_next_label(review: Review) -> None:
    opened = review()
    opened.press(".")
    opened.hears("angry: 20 faces")
    opened.press(".")
    opened.hears(f"happy: {HAPPY} faces")

    assert opened.page.evaluate("document.activeElement.id") == "grid"


def test_a_label_of_which_all_is_reviewed_is_passed_over(review: Review) -> None:
    opened = review()
    opened.press("s")
    opened.settled()
    opened.press(".")
    opened.hears("angry: 20 faces")


def test_a_key_can_be_changed_and_stays(review: Review) -> None:
    opened = review()
    opened.press("?")
    opened.page.get_by_role("button", name="change the key of sad, now s").click()
    opened.press("j")
    opened.page.get_by_role("button", name="change the key of sad, now j").wait_for()
    opened.press("Escape")
    opened.page.reload()
    opened.sees()
    opened.press("s", "j")

    assert opened.news() == [("happy", "sad")]


def test_a_read_only_review_takes_nothing(review: Review) -> None:
    opened = review(None, "--read-only")
    opened.press("a", "Enter")
    opened.hears("read only")

    assert (opened.news(), opened.count(".tile.reviewed")) == ([], 0)
    assert opened.page.locator("#labels-bar button").first.is_disabled()


def test_the_token_leaves_the_address_and_stays_in_the_tab(review: Review) -> None:
    opened = review()

    assert "token" not in opened.page.url
    assert opened.page.evaluate("sessionStorage.getItem('labeler.token')") == opened.server.url.partition("token=")[2]
    assert opened.page.evaluate("document.cookie + Object.keys(localStorage)") == ""


def test_hostile_names_are_shown_and_never_run(review: Review, tmp_path: Path) -> None:
    opened = review(hostile_review.make_table(tmp_path), bypass_csp=True)
    opened.page.get_by_label("every label").check()
    opened.hears(f"{hostile_review.ROWS} faces")
    texts = [opened.text("body")]
    opened.page.locator("#grid").focus()
    opened.press("?")
    texts.append(opened.text("#help"))
    opened.press("Escape")
    for index in range(hostile_review.ROWS):
        opened.press("v")
        opened.wait(f"document.querySelector('#place').textContent.startsWith('Face {index + 1} ')")
        texts.append(opened.text("body"))
        opened.press("Escape", "ArrowRight")
    ran, elements = opened.page.evaluate(
        "[window.ran, document.querySelectorAll('#work script, img[src=x], b b').length]"
    )

    assert (ran, elements) == (None, 0)
    assert [name for name in hostile_review.shown() if not any(name in text for text in texts)] == []


def test_a_key_that_is_held_down_labels_once(review: Review) -> None:
    opened = review()
    opened.press("v")
    for _ in range(5):
        opened.page.keyboard.down("s")  # Playwright marks the second one and those after it as repeated.
    opened.page.keyboard.up("s")

    assert opened.news() == [("happy", "sad")]


def test_a_face_without_a_picture_is_accepted_by_no_key_and_labelled_where_it_is_marked(
    review: Review, tmp_path: Path
) -> None:
    """Nobody has seen it: its photo went away, or cannot be decoded."""
    table = small_table(tmp_path)
    (tmp_path / "photos" / "a" / "0002.png").unlink()
    damaged = tmp_path / "photos" / "b" / "0005.png"
    found = damaged.stat()
    damaged.write_bytes(bytes(found.st_size))
    os.utime(damaged, ns=(found.st_atime_ns, found.st_mtime_ns))
    opened = review(table)
    opened.wait("document.querySelectorAll('.tile.missing').length === 2")
    screen = opened.count(".tile")
    opened.press("Control+a")
    opened.hears(f"{screen - 2} faces marked, 2 faces without a picture left out")
    opened.press("Escape", "Enter")
    opened.hears(f"{screen - 2} faces accepted, 2 faces without a picture left out")
    opened.settled()
    accepted = {event["file"] for event in opened.server.events()}
    opened.press("Home", "Enter")
    opened.hears("nothing was left to accept, 2 faces without a picture left out")
    for index, key in ((2, "Enter"), (5, "Enter"), (5, "s")):
        opened.press("Home")
        opened.page.locator(f"#face-{index}").dblclick()
        opened.wait(f"document.getElementById('place').textContent.startsWith('Face {index + 1} ')")
        opened.wait("document.getElementById('missing').textContent.startsWith('No picture')")
        opened.press(key)
        if key == "Enter":
            opened.hears("not accepted: it has no picture")
        opened.press("Escape")
    opened.settled()

    assert len(accepted) == screen - 2
    assert accepted.isdisjoint({"a/0002.png", "b/0005.png"})
    assert [(event["file"], event["new"]) for event in opened.server.events()[screen - 2 :]] == [("b/0005.png", "sad")]


def test_a_photo_without_a_face_takes_a_box_and_no_label(review: Review, tmp_path: Path) -> None:
    table = small_table(tmp_path)
    Folder(tmp_path / "photos").noise("none.png", seed=1)
    row = Row.of_image("none.png", 48, 48, storage.at(str(tmp_path / "photos")).version("none.png") or "")
    with table.open("ab") as file:
        file.write(Csv().encode([row.without_label(Status.NO_FACE, "")], CLASSES))
    opened = review(table)
    opened.page.get_by_label("every label").check()
    opened.page.locator("select[name=status]").select_option(label="no_face (1)")
    opened.hears("every label: 1 face")
    opened.page.locator("#grid").focus()
    opened.press("a")
    opened.hears("no face here")
    opened.press("v")
    opened.wait("document.getElementById('single').ariaBusy === 'false'")
    opened.press("b", "a")
    opened.wait("document.querySelectorAll('.box').length === 1")

    assert opened.news() == [("", "angry")]


def test_a_page_without_trouble_writes_nothing_into_the_console(review: Review) -> None:
    """A style or a script that the policy forbids would."""
    opened = review()
    opened.press("a", "v", "s", "b", "Escape", "Escape", "?")

    assert opened.complaints == []


def test_a_table_with_odd_class_names_has_a_key_for_each(review: Review, tmp_path: Path) -> None:
    opened = review(small_table(tmp_path, ("ärger", "Happy", "happy 2")))
    keys: list[Any] = opened.page.evaluate(
        "[...document.querySelectorAll('#labels-bar kbd')].map((one) => one.textContent)"
    )

    assert len(set(keys)) == 3
    assert all(len(key) == 1 for key in keys)
