"""The page of a diff: what it says, what it refuses, and in a browser that nothing of a hostile table runs."""

from __future__ import annotations

import html
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hostile
import pytest
from conftest import ROOT, Folder, make_bundle
from typer.testing import CliRunner, Result

from labeler.cli.app import app
from labeler.tables import decided, run_record
from labeler.tables.comma_separated import Csv

Run = Callable[..., Result]


@pytest.fixture
def tables(run: Run, folder: Folder, model: Path, tmp_path: Path) -> tuple[Path, Path]:
    """Two tables of the same photos by two models with other weights."""
    for index in range(8):
        folder.noise(f"{index}.jpg", seed=index)
    made = []
    for name, bundle in (("a", model), ("b", make_bundle(tmp_path / "other.onnx", seed=8))):
        made.append(tmp_path / f"{name}.csv")
        assert run("classify", folder.path, "--out", made[-1], "--model", bundle, "-q").exit_code == 0
    return made[0], made[1]


def shown(page: Path) -> str:
    """Return the text of a page, with a space for each element."""
    content = re.sub(r"<style>.*?</style>", "", page.read_text("utf-8"), flags=re.S)
    return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", content)))


def test_the_page_says_what_is_printed_and_shows_the_faces(run: Run, tables: tuple[Path, Path], tmp_path: Path) -> None:
    page = tmp_path / "diff.html"
    result = run("diff", *tables, "--out", page)
    (agreement,) = re.findall(r"agreement ([\d.]+)", result.stderr)
    text = shown(page)

    assert (result.exit_code, f"drawn: {page}" in result.stderr.replace("\n", "")) == (0, True)
    assert f"{float(agreement):.1%}"[:3] in text
    assert "From A to B" in text
    assert page.read_text("utf-8").count("data:image/webp;base64") == 1
    assert "This page holds pictures of people." in text


def test_no_pictures_leaves_them_out_and_says_so_and_needs_no_photos(
    run: Run, tables: tuple[Path, Path], folder: Folder, tmp_path: Path
) -> None:
    shutil.rmtree(folder.path)
    page = tmp_path / "diff.html"
    with_pictures = run("diff", *tables, "--out", page)
    without = run("diff", *tables, "--out", page, "--no-pictures")

    assert (with_pictures.exit_code, "which is gone; name their folder: --root" in with_pictures.stderr) == (2, True)
    assert without.exit_code == 0
    assert "data:image/webp" not in page.read_text("utf-8")
    assert "Pictures were left out (--no-pictures)." in shown(page)


def test_photos_that_have_moved_are_found_by_their_root(
    run: Run, tables: tuple[Path, Path], folder: Folder, tmp_path: Path
) -> None:
    moved = folder.path.rename(tmp_path / "moved")
    page = tmp_path / "diff.html"

    assert run("diff", *tables, "--out", page, "--root", moved).exit_code == 0
    assert "data:image/webp" in page.read_text("utf-8")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        pytest.param("diff.txt", "name a file that ends in .html", id="suffix"),
        pytest.param("no/diff.html", "create it first: mkdir", id="missing folder"),
        pytest.param("mine.html", "exists and is no page of labeler", id="a file of the user"),
    ],
)
def test_a_place_where_no_page_may_be_is_refused_at_once(
    run: Run, tables: tuple[Path, Path], tmp_path: Path, name: str, message: str
) -> None:
    (tmp_path / "mine.html").write_text("<p>mine</p>")
    result = run("diff", *tables, "--out", tmp_path / name)

    assert (result.exit_code, message in result.stderr, "comparing" in result.stderr) == (2, True, False)
    assert (tmp_path / "mine.html").read_text() == "<p>mine</p>"


def test_a_page_of_ours_is_replaced(run: Run, tables: tuple[Path, Path], tmp_path: Path) -> None:
    page = tmp_path / "diff.html"
    run("diff", *tables, "--out", page)

    assert run("diff", tables[0], tables[0], "--out", page).exit_code == 0
    assert "No label changed." in shown(page)


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The diffs of two models on the example photos, and of two hostile tables."""
    place = tmp_path_factory.mktemp("pages")
    a = hostile.make_table(place / "hostile.csv")
    turned = [
        row._replace(label=hostile.CLASSES[(hostile.CLASSES.index(row.label) + 1) % 4], score=0.9)
        if row.label in hostile.CLASSES
        else row
        for row in decided.rows(a)
    ]
    b = place / "<script>window.ran=1<_script>.csv"
    b.write_bytes(Csv().header(hostile.CLASSES) + Csv().encode(turned[:-2], hostile.CLASSES))
    record = run_record.read(a)
    assert record
    run_record.write(b, record, "")
    photos = ROOT / "examples" / "photos"
    truth = place / "truth.csv"
    truth.write_text("file,label\nportraits/collins.jpg,happy\nportraits/hopper.jpg,neutral\n")
    for command in (
        ["classify", photos, "--out", place / "a.csv"],
        ["classify", photos, "--out", place / "b.csv", "--model", "documented"],
        ["diff", place / "a.csv", place / "b.csv", "--out", place / "examples.html", "--labels", truth],
        ["diff", a, b, "--out", place / "hostile.html"],
    ):
        assert CliRunner().invoke(app, list(map(str, command))).exit_code in {0, 1}
    return {name: place / f"{name}.html" for name in ("examples", "hostile")}


@pytest.mark.heavy
@pytest.mark.parametrize("forbidden", [True, False], ids=["as it is", "without its policy"])
def test_hostile_text_is_shown_and_never_run(chromium: Any, pages: dict[str, Path], forbidden: bool) -> None:
    context = chromium.new_context(bypass_csp=not forbidden)
    page = context.new_page()
    complaints: list[str] = []
    requests: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("dialog", lambda dialog: complaints.append(dialog.message))
    page.on("request", lambda request: requests.append(request.url))
    page.goto(pages["hostile"].as_uri())
    for summary in page.query_selector_all("summary"):
        summary.click()
    text = page.inner_text("body")
    ran = page.evaluate("window.ran")
    elements = page.evaluate("document.querySelectorAll('script, img, b b, body i, [onerror], [onfocus]').length")
    context.close()

    assert (ran, elements, complaints) == (None, 0, [])
    assert [url for url in requests if not url.startswith("data:")] == [pages["hostile"].as_uri()]
    assert [shown for shown in hostile.NAMES.values() if shown not in text] == []


@pytest.mark.heavy
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
    captions = page.evaluate("[...document.querySelectorAll('caption')].map(one => one.getBoundingClientRect().right)")
    assert max(captions) <= width
    needed = page.evaluate("document.documentElement.scrollWidth")
    context.close()

    assert [(one["id"], one["nodes"][0]["html"]) for one in found if one["impact"] in {"serious", "critical"}] == []
    assert needed <= width


@pytest.mark.heavy
def test_a_page_says_the_same_without_scripts(chromium: Any, pages: dict[str, Path]) -> None:
    texts = []
    for enabled in (True, False):
        context = chromium.new_context(java_script_enabled=enabled)
        page = context.new_page()
        page.goto(pages["examples"].as_uri())
        texts.append(page.locator("body").inner_text())
        context.close()

    assert texts[0] == texts[1]
    assert "Beside the truth" in texts[0]
