"""Make docs/review.webp, review-single.webp, review-phone.webp and review-card.webp: the page of `labeler review`.

The only faces are those of examples/photos, three persons who may be shown, cropped many times over
(tests/review/example_faces.py). The labels are what `classify` says of these, but for some smiling faces that are
called neutral by hand, so that there is something to correct.

Run it in the checkout after `make test`, which installs playwright; it needs Chromium: .venv/bin/python docs/review.py
"""

from __future__ import annotations

import csv
import io
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests" / "review")]

import example_faces  # noqa: E402
from opened import Opened, reviews  # noqa: E402

from labeler.certify.draw import Draw  # noqa: E402
from labeler.review import aliases, sample  # noqa: E402
from labeler.tables import index  # noqa: E402

PHONE = {
    "viewport": {"width": 390, "height": 844},
    "color_scheme": "dark",
    "device_scale_factor": 2,
    "is_mobile": True,
    "has_touch": True,
}


def make_table(folder: Path) -> tuple[Path, list[int]]:
    """Classify the photos, and call every eighth smiling crop neutral; return the places of these among the neutral."""
    photos, table = folder / "photos", folder / "labels.csv"
    example_faces.make(photos, 480)
    command = [sys.executable, "-m", "labeler", "classify", str(photos), "--out", str(table), "--quiet"]
    subprocess.run(command, cwd=ROOT, check=True)
    with table.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    wrong = [row for row in rows if row["label"] == "happy" and row["file"] != example_faces.GROUP][::8]
    for row in wrong:
        row["label"], row["happy"], row["neutral"] = "neutral", row["neutral"], row["happy"]
    with table.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    neutral = [row for row in rows if row["label"] == "neutral"]
    return table, [place for place, row in enumerate(neutral) if row in wrong]


def shot(opened: Opened, name: str) -> None:
    """Save what the browser shows."""
    opened.page.wait_for_timeout(300)
    image = Image.open(io.BytesIO(opened.page.screenshot()))
    image.save(ROOT / "docs" / f"{name}.webp", quality=70, method=6)


def order(opened: Opened) -> None:
    """Order the faces by file, and wait until they are."""
    with opened.page.expect_response("**/api/view"):
        opened.page.locator("select[name=order]").select_option("file", force=True)
    opened.page.wait_for_timeout(300)
    opened.sees()


def mark(opened: Opened, places: list[int]) -> None:
    """Mark faces on the screen."""
    for place in places:
        opened.page.locator(f"#face-{place}").click()


def copied(table: Path) -> Path:
    """Return a copy of a table that nobody has reviewed."""
    copy = table.with_name("photos.csv")
    for suffix in ("", ".run.json"):
        shutil.copyfile(f"{table}{suffix}", f"{copy}{suffix}")
    return copy


def answer(opened: Opened, cards: int) -> None:
    """Say of four cards in five what the table says, and sad of the fifth."""
    loaded = index.load(opened.server.table)
    draw = Draw.of(loaded)
    for alias in sample.upcoming([], draw.rows[draw.order], [])[:cards].tolist():
        opened.wait(f"document.querySelector('.box.here')?.dataset.row === '{alias}'")
        opened.wait("!document.getElementById('closeup').hidden")
        row = aliases.row(alias)
        label = loaded.labels[loaded.label[row]] if row % 5 else "sad"
        opened.press({"sad": "1", "surprise": "2"}.get(label, label[0]))
    opened.wait("document.getElementById('cards-line').textContent.includes('more narrow it to ±3 points')")
    opened.page.wait_for_timeout(3000)


def main() -> None:
    """Correct a screen, and half of the next one; look at one face of the photo with three; look at it on a phone."""
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        table, wrong = make_table(Path(folder))
        with reviews(browser, Path(folder)) as review:
            desktop = review(table, "--reviewer", "ann", color_scheme="light")
            screen = desktop.count(".tile")
            order(desktop)
            phone = Opened(browser.new_context(**PHONE), desktop.server).load()
            order(phone)
            mark(phone, [place for place in wrong if place < phone.count(".tile")])
            shot(phone, "review-phone")
            desktop.press("Home", "v")
            desktop.wait("!document.getElementById('closeup').hidden && document.querySelectorAll('.box').length === 3")
            shot(desktop, "review-single")
            desktop.press("Escape")
            mark(desktop, [place for place in wrong if place < screen])
            desktop.press("h", "Enter")
            desktop.hears("accepted")
            desktop.sees()
            later = [place for place in wrong if screen <= place < 2 * screen]
            mark(desktop, later[:4])
            desktop.press("h")
            mark(desktop, later[4:])
            shot(desktop, "review")
        with reviews(browser, Path(folder)) as review:
            card = review(copied(table), "--certify", "--reviewer", "ann", color_scheme="light")
            answer(card, 110)
            shot(card, "review-card")
        browser.close()


if __name__ == "__main__":
    main()
