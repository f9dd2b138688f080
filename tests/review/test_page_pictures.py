"""Where the page shows the picture of each face, and which of its own files it asks for early."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import Folder
from opened import CLASSES, Opened, reviews, write
from PIL import Image

from labeler.records import Row
from labeler.review.routes import STATIC
from labeler.tables.comma_separated import Csv

Review = Callable[..., Opened]

FACES = 200
TOLERANCE = 12
"""JPEG, twice, moves a colour by a few of its 256 steps."""


def colour(index: int) -> tuple[int, int, int]:
    """Return the colour of the photo of a face, another one for each."""
    return 20 + 40 * (index % 6), 20 + 40 * (index // 6 % 6), 20 + 40 * (index // 36)


@pytest.fixture
def coloured(tmp_path: Path) -> Path:
    """A table of photos of one colour each, in their order."""
    photos = Folder(tmp_path / "photos")
    rows = []
    for index in range(FACES):
        photos.picture(f"{index:03}.png", colour(index))
        face = Row(f"{index:03}.png", 0, 0.0, 0.0, 48.0, 48.0, 0.9, image_width=48, image_height=48)
        score = 0.99 - 0.002 * index
        rows.append(face.labelled(((1 - score) / 2, score, (1 - score) / 2), CLASSES, 0))
    return write(tmp_path / "t.csv", photos.path, Csv().encode(rows, CLASSES))


@pytest.fixture
def review(chromium: Any, tmp_path: Path) -> Iterator[Review]:
    with reviews(chromium, tmp_path) as open_review:
        yield open_review


def screenshot(opened: Opened) -> Image.Image:
    return Image.open(io.BytesIO(opened.page.screenshot())).convert("RGB")


def shows(image: Image.Image, x: float, y: float, index: int) -> bool:
    """Say whether a pixel has the colour of the photo of a face."""
    pixel = image.getpixel((round(x), round(y)))
    assert isinstance(pixel, tuple)
    return max(abs(one - other) for one, other in zip(pixel, colour(index), strict=True)) <= TOLERANCE


def wrong(opened: Opened, ratio: float, inset: float = 9) -> list[int]:
    """Return the positions on the screen whose tile has another colour than their photo near its left or right side."""
    image = screenshot(opened)
    places = opened.page.evaluate(
        f"const inset = {inset};"
        """[...document.querySelectorAll(".tile:not([hidden])")].map((one) => {
             const { left, right, top, bottom } = one.getBoundingClientRect();
             const [position, middle] = [Number(one.id.slice("face-".length)), (top + bottom) / 2];
             return [left + inset, right - inset].map((x) => [position, x, middle]);
           }).flat()"""
    )
    assert len(places) > 60
    return [index for index, x, y in places if not shows(image, x * ratio, y * ratio, index)]


@pytest.mark.heavy
@pytest.mark.parametrize("ratio", [1, 1.5, 2])
def test_every_tile_shows_its_own_face(review: Review, coloured: Path, ratio: float) -> None:
    opened = review(coloured, "--read-only", device_scale_factor=ratio)
    opened.press("Space", "ArrowDown", "Space")
    first = wrong(opened, ratio)
    opened.press("End")
    opened.sees()
    last = wrong(opened, ratio)
    opened.page.set_viewport_size({"width": 900, "height": 700})
    inside = "(({ right, bottom }) => right < 900 && bottom < 700)"
    opened.wait(f"[...document.querySelectorAll('.tile')].every((one) => {inside}(one.getBoundingClientRect()))")
    opened.sees()

    assert (first, last, wrong(opened, ratio)) == ([], [], [])


@pytest.mark.heavy
def test_every_tile_of_a_phone_shows_its_own_face(review: Review, coloured: Path) -> None:
    opened = review(coloured, "--read-only", viewport={"width": 390, "height": 844}, has_touch=True)
    opened.page.wait_for_timeout(200)  # The slider appears, and the last of them is drawn.

    assert wrong(opened, 1, inset=4) == []


@pytest.mark.heavy
def test_the_single_view_shows_photo_and_face_of_its_own(review: Review, coloured: Path) -> None:
    opened = review(coloured, "--read-only")
    opened.press("v")
    found = []
    for index in (*range(10), *reversed(range(9))):
        opened.wait(f"document.getElementById('file').textContent === '{index:03}.png'")
        opened.wait("!document.querySelector('#photo[hidden], #closeup[hidden]')")
        boxes = [opened.page.locator(name).bounding_box() for name in ("#photo", "#closeup")]
        image = screenshot(opened)
        found += [shows(image, box["x"] + box["width"] / 4, box["y"] + box["height"] / 2, index) for box in boxes]
        opened.press("ArrowRight" if len(found) < 20 else "ArrowLeft")

    assert found == [True] * 38


def test_every_module_is_asked_for_with_the_page() -> None:
    """One that is left out is asked for only when the module that imports it has arrived."""
    page = (STATIC / "index.html").read_text("utf-8")
    loaded = re.findall(r'<(?:script type="module" src|link rel="modulepreload" href)="/static/(.*?)"', page)

    assert sorted(loaded) == sorted(path.name for path in STATIC.glob("*.js"))
