"""Make docs/review.webp, docs/review-single.webp and docs/review-phone.webp: the page of `labeler review`.

The only faces are those of examples/photos, three persons who may be shown. So that a screen is full, each is cropped
many times: at other offsets, angles and sizes, mirrored, in other light. The labels are what `classify` says of these,
but for some smiling faces that are called neutral by hand, so that there is something to correct.

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

import numpy as np
from PIL import Image, ImageEnhance, ImageOps
from playwright.sync_api import sync_playwright

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests" / "review")]

from opened import Opened, reviews  # noqa: E402

PORTRAITS = ROOT / "examples" / "photos" / "portraits"
FACES = {"collins": (154, 122, 110), "hopper": (196, 168, 160), "photographer": (205, 118, 74)}
"""The middle of each face in its portrait, and its height, in pixels."""
COUNT, SIDE = 480, 96
"""Photos that are made, and their side in pixels: so small that each is one face crop."""
PHONE = {
    "viewport": {"width": 390, "height": 844},
    "color_scheme": "dark",
    "device_scale_factor": 2,
    "is_mobile": True,
    "has_touch": True,
}


def make_photos(folder: Path) -> None:
    """Write the crops, and the three portraits side by side as one photo."""
    random = np.random.default_rng(2)
    for number in range(COUNT):
        path = folder / ("office", "party", "street")[number % 7 % 3] / f"{number:04}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        crop(list(FACES)[number % len(FACES)], random).save(path, quality=92)
    group = Image.new("RGB", (1200, 500))
    for place, name in enumerate(FACES):
        portrait = Image.open(PORTRAITS / f"{name}.jpg").convert("RGB")
        group.paste(ImageOps.fit(portrait, (400, 500)), (400 * place, 0))
    group.save(folder / "group.jpg", quality=92)


def crop(name: str, random: np.random.Generator) -> Image.Image:
    """Return a square about a face, moved, turned, mirrored and in another light by chance."""
    x, y, height = FACES[name]
    reach = height * random.uniform(0.56, 0.8)
    across, down = height * random.uniform(-0.1, 0.1, 2)
    portrait = Image.open(PORTRAITS / f"{name}.jpg").convert("RGB")
    turned = portrait.rotate(random.uniform(-11, 11), Image.Resampling.BICUBIC, center=(x, y))
    left = min(max(x + across - reach, 0), portrait.width - 2 * reach)
    top = min(max(y + down - reach, 0), portrait.height - 2 * reach)
    box = (left, top, left + 2 * reach, top + 2 * reach)
    image = turned.resize((SIDE, SIDE), Image.Resampling.LANCZOS, box=box)
    if random.random() < 0.5:
        image = ImageOps.mirror(image)
    if random.random() < 0.25:
        image = ImageOps.grayscale(image).convert("RGB")
    image = ImageEnhance.Contrast(image).enhance(random.uniform(0.7, 1.25))
    return ImageEnhance.Brightness(image).enhance(random.uniform(0.65, 1.35))


def make_table(folder: Path) -> tuple[Path, list[int]]:
    """Classify the photos, and call every eighth smiling crop neutral; return the places of these among the neutral."""
    photos, table = folder / "photos", folder / "labels.csv"
    make_photos(photos)
    command = [sys.executable, "-m", "labeler", "classify", str(photos), "--out", str(table), "--quiet"]
    subprocess.run(command, cwd=ROOT, check=True)
    with table.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    wrong = [row for row in rows if row["label"] == "happy" and row["file"] != "group.jpg"][::8]
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
            desktop.wait(
                "document.getElementById('closeup').complete && document.querySelectorAll('.box').length === 3"
            )
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
        browser.close()


if __name__ == "__main__":
    main()
