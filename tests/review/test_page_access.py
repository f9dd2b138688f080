"""The page for everybody: axe finds nothing serious, the keyboard reaches all, fingers too, in light and dark."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from opened import Opened, counted, reviews

Review = Callable[..., Opened]

pytestmark = pytest.mark.heavy

PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True, "device_scale_factor": 2}


@pytest.fixture
def review(chromium: Any, tmp_path: Path) -> Iterator[Review]:
    with reviews(chromium, tmp_path) as open_review:
        yield open_review


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("options", [{}, PHONE], ids=["desktop", "phone"])
def test_axe_finds_nothing_serious_and_nothing_overflows(review: Review, options: dict[str, Any], scheme: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    opened = review(color_scheme=scheme, bypass_csp=True, **options)
    found: list[tuple[str, str, str]] = []

    def look(place: str) -> None:
        violations = axe.run(opened.page).response["violations"]
        bad = [one for one in violations if one["impact"] in {"serious", "critical"}]
        found.extend((place, one["id"], one["nodes"][0]["html"]) for one in bad)
        if opened.page.evaluate("document.documentElement.scrollWidth > innerWidth"):
            found.append((place, "overflow", ""))

    opened.press(" ", "ArrowRight", "a", " ")
    look("grid")
    opened.press("v")
    opened.wait("document.querySelectorAll('.box').length")
    look("single")
    opened.press("?")
    look("help")
    opened.press("Escape", "Escape")
    if options:
        opened.page.locator("#open-filters").click()
        look("filters")
        opened.page.locator("#close-filters").click()
    opened.page.locator("#filters-form [name=min_score]").evaluate(
        "(field) => { field.value = 100; field.dispatchEvent(new Event('input', { bubbles: true })); }"
    )
    opened.hears("0 faces")
    look("empty")

    assert found == []


def test_the_whole_loop_needs_no_mouse(review: Review) -> None:
    """Another label by the form, marks, a relabel, an acceptance, the single view and its way back, an undo."""
    opened = review()
    for _ in range(40):
        if opened.page.evaluate("document.activeElement.name") == "label":
            break
        opened.press("Shift+Tab")
    opened.press("ArrowUp")
    opened.hears("20 faces")
    for _ in range(40):
        if opened.page.evaluate("document.activeElement.id") == "grid":
            break
        opened.press("Tab")
    opened.sees()
    opened.press(" ", "ArrowRight", " ", "h", "Enter")
    opened.hears("18 faces accepted")
    opened.press("v", "s")
    opened.press("u")
    opened.hears("undone: 1 face")

    assert counted(opened.news())["angry", "happy"] == 2
    assert counted(opened.news())["angry", "angry"] == 18
    assert opened.page.evaluate("document.activeElement.id") in {"grid", "single"}


def test_a_screen_reader_hears_the_face_under_the_cursor(review: Review) -> None:
    opened = review()
    opened.press("ArrowRight", " ", "a")
    active = "document.getElementById(document.getElementById('grid').getAttribute('aria-activedescendant'))"
    opened.wait(f"{active}.getAttribute('aria-label').includes('angry')")
    label = opened.page.evaluate(f"{active}.getAttribute('aria-label')").replace("\u2068", "").replace("\u2069", "")

    assert label == "face 2, angry, was happy 98.8%, reviewed"
    assert opened.page.evaluate("document.getElementById('grid').getAttribute('aria-rowcount')") != "0"


def test_a_finger_marks_drags_and_opens(review: Review) -> None:
    opened = review(**PHONE)
    box = opened.page.locator(".tile").nth(6).bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    opened.page.touchscreen.tap(x, y)
    opened.hears("marked, 1 face in all")
    opened.page.locator("#labels-bar button").first.tap()
    opened.hears("1 face: ")
    touch = opened.context.new_cdp_session(opened.page)

    def send(kind: str, *points: tuple[float, float]) -> None:
        places = [{"x": x, "y": y} for x, y in points]
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": places})

    send("touchStart", (x, y + 200))
    for step in range(10):
        send("touchMove", (x, y + 200 - 25 * step))
    send("touchEnd")
    opened.wait("document.querySelector('.tile').id !== 'face-0'")
    send("touchStart", (x, y))
    opened.wait("!document.getElementById('single').hidden")
    send("touchEnd")

    assert counted(opened.news()) == {("happy", "angry"): 1}


def test_the_keys_are_explained_from_their_beginning_on_a_small_phone(review: Review) -> None:
    opened = review(**{**PHONE, "viewport": {"width": 360, "height": 640}})
    opened.press("?")
    opened.wait("document.getElementById('help').open")

    assert opened.page.evaluate("[help.scrollTop, help.scrollHeight > help.clientHeight]") == [0, True]
