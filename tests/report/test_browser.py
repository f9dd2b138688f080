"""The page in a browser: it loads nothing, runs nothing, says all without scripts; axe finds nothing serious."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import hostile
import pytest
from conftest import ROOT, Folder
from typer.testing import Result

Run = Callable[..., Result]

pytestmark = pytest.mark.heavy


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The report of the example photos beside a truth, and that of a hostile table."""
    from typer.testing import CliRunner

    from labeler.cli.app import app

    place = tmp_path_factory.mktemp("pages")
    photos, truth = ROOT / "examples" / "photos", place / "truth.csv"
    truth.write_text("file,label\nportraits/collins.jpg,happy\nportraits/hopper.jpg,neutral\nfaces/hopper.jpg,sad\n")
    table = hostile.make_table(place / "hostile.csv")
    picture = Folder(place).noise("picture.png", seed=1, side=100).read_bytes()
    for name in hostile.NAMES:
        if "/" not in name:
            Folder(place).file(name, picture)
    for command in (
        ["classify", photos, "--out", place / "t.csv"],
        ["report", place / "t.csv", "--out", place / "examples.html", "--labels", truth],
        ["report", table, "--out", place / "hostile.html"],
    ):
        assert CliRunner().invoke(app, list(map(str, command))).exit_code in {0, 1}
    return {name: place / f"{name}.html" for name in ("examples", "hostile")}


@pytest.mark.parametrize("name", ["examples", "hostile"])
def test_nothing_is_requested(chromium: Any, pages: dict[str, Path], name: str) -> None:
    page = chromium.new_page()
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    page.goto(pages[name].as_uri())
    for summary in page.query_selector_all("summary"):
        summary.click()
    page.wait_for_load_state("networkidle")
    page.close()

    assert {url for url in requests if not url.startswith("data:")} == {pages[name].as_uri()}


@pytest.mark.parametrize("forbidden", [True, False], ids=["as it is", "without its policy"])
def test_hostile_text_is_shown_and_never_run(chromium: Any, pages: dict[str, Path], forbidden: bool) -> None:
    context = chromium.new_context(bypass_csp=not forbidden)
    page = context.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("dialog", lambda dialog: complaints.append(dialog.message))
    page.goto(pages["hostile"].as_uri())
    for summary in page.query_selector_all("summary"):
        summary.click()
    text = page.inner_text("body")
    ran, isolated = page.evaluate("[window.ran, document.querySelectorAll('bdi').length]")
    elements = page.evaluate(
        "document.querySelectorAll('script, img, b b, body i, body u, [onerror], [onfocus]').length"
    )
    context.close()

    assert (ran, elements, complaints) == (None, 0, [])
    assert isolated > 3 * len(hostile.NAMES)
    assert [shown for shown in hostile.NAMES.values() if shown not in text] == []


def test_a_page_says_the_same_without_scripts(chromium: Any, pages: dict[str, Path]) -> None:
    texts = []
    for enabled in (True, False):
        context = chromium.new_context(java_script_enabled=enabled)
        page = context.new_page()
        page.goto(pages["examples"].as_uri())
        texts.append(page.locator("body").inner_text())
        context.close()

    assert texts[0] == texts[1]
    assert "16 files = 11 ok" in texts[0]


def test_every_face_is_drawn(chromium: Any, pages: dict[str, Path]) -> None:
    """A cell of a sprite has the colours of its face, not the gray of nothing."""
    page = chromium.new_page()
    page.goto(pages["examples"].as_uri())
    cells = page.query_selector_all(".faces svg")
    sizes = [len(cell.screenshot()) for cell in cells]
    page.close()

    assert len(cells) > 10
    assert min(sizes) > 2500  # A PNG of one colour has 300 bytes.


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 360])
@pytest.mark.parametrize("name", ["examples", "hostile"])
def test_axe_finds_nothing_serious_and_nothing_overflows(
    chromium: Any, pages: dict[str, Path], name: str, width: int, scheme: str
) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    context = chromium.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme, bypass_csp=True)
    page = context.new_page()
    page.goto(pages[name].as_uri())
    for summary in page.query_selector_all("summary"):
        summary.click()
    found = axe.run(page).response["violations"]
    needed = page.evaluate("document.documentElement.scrollWidth")
    context.close()

    assert [(one["id"], one["nodes"][0]["html"]) for one in found if one["impact"] in {"serious", "critical"}] == []
    assert needed <= width


def test_the_keyboard_reaches_the_content(chromium: Any, pages: dict[str, Path]) -> None:
    page = chromium.new_page()
    page.goto(pages["examples"].as_uri())
    page.keyboard.press("Tab")
    first = page.evaluate("document.activeElement.textContent")
    page.keyboard.press("Enter")
    address = page.url
    page.close()

    assert (first, address.endswith("#content")) == ("Skip to the content", True)


def test_folded_numbers_are_printed(chromium: Any, pages: dict[str, Path]) -> None:
    page = chromium.new_page()
    page.goto(pages["examples"].as_uri())
    visible = "[...document.querySelectorAll('details table')].map(table => table.checkVisibility())"
    on_screen = set(page.evaluate(visible))
    page.emulate_media(media="print")
    printed = set(page.evaluate(visible))
    page.close()

    assert (on_screen, printed) == ({False}, {True})
