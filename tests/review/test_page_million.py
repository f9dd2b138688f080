"""The page of a million rows: few elements, few requests, and every row reachable on every screen."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from opened import Opened, reviews, write

Review = Callable[..., Opened]

pytestmark = pytest.mark.heavy

ROWS = 1_000_000
FACE = ",0,4.0,4.0,40.0,40.0,0.900000,happy,0.600000,0.200000,0.600000,0.200000,48,48,1-1,ok,\n"


@pytest.fixture(scope="module")
def million(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table whose photos do not exist: their tiles are gray."""
    folder = tmp_path_factory.mktemp("million")
    lines = "".join(f"{index // 1000:04}/{index:07}.jpg{FACE}" for index in range(ROWS))
    return write(folder / "m.csv", folder, lines.encode())


@pytest.fixture
def review(chromium: Any, tmp_path: Path) -> Iterator[Review]:
    with reviews(chromium, tmp_path) as open_review:
        yield open_review


@pytest.mark.parametrize("ratio", [1, 2, 3])
def test_every_row_is_reachable(review: Review, million: Path, ratio: int) -> None:
    opened = review(million, "--read-only", device_scale_factor=ratio)
    most = [opened.count(".tile")]
    opened.press("End")
    opened.wait("document.getElementById('under').textContent.includes('0999999.jpg')")
    most.append(opened.count(".tile"))
    cursor = opened.page.locator(".tile.cursor").bounding_box()
    opened.page.locator("#position").fill("500001")
    opened.press("Enter")
    opened.wait("document.getElementById('under').textContent.includes('0500000.jpg')")
    tallest = opened.page.evaluate("Math.max(...[...document.querySelectorAll('*')].map((one) => one.scrollHeight))")

    assert opened.page.evaluate("document.activeElement.id") == "grid"
    assert 0 < cursor["y"] < 800
    assert max(most) <= 400
    assert tallest < 8_000_000


COUNTING = """
const real = window.fetch;
window.sprites = { running: 0, most: 0, asked: 0 };
window.fetch = async (path, options) => {
  if (!path.startsWith("/api/sprite")) return real(path, options);
  sprites.asked += 1;
  sprites.most = Math.max(sprites.most, ++sprites.running);
  try {
    return await real(path, options);
  } finally {
    sprites.running -= 1;
  }
};
"""


def test_at_most_two_sprites_are_asked_for_at_once(review: Review, million: Path) -> None:
    opened = review(million, "--read-only", before=COUNTING)
    opened.page.mouse.move(600, 400)
    for _ in range(60):
        opened.page.mouse.wheel(0, 900)
    opened.press("End", "Home", "PageDown", "PageDown", "End")
    opened.wait("document.querySelector('.tile.cursor.missing')")
    asked, most = opened.page.evaluate("[sprites.asked, sprites.most]")

    assert (most, asked > 10) == (2, True)
