"""Make docs/report.webp: the page of `labeler report` on examples/photos, on a screen and, dark, on a phone.

Run it in the checkout after `make test`, which installs playwright; it needs Chromium: .venv/bin/python docs/report.py
"""

from __future__ import annotations

import io
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import sync_playwright

ROOT = Path(__file__).parent.parent
PHOTOS = ROOT / "examples" / "photos"
HEIGHT, SCREEN, PHONE, GAP = 1500, 1100, 360, 24
"""Pixels of the picture, and of its two pages."""


def report(folder: Path) -> Path:
    """Classify the example photos, and return the page of their table."""
    table, page = folder / "labels.csv", folder / "report.html"
    labeler = [sys.executable, "-m", "labeler"]
    subprocess.run([*labeler, "classify", str(PHOTOS), "--out", str(table), "--quiet"], cwd=ROOT, check=False)
    subprocess.run([*labeler, "report", str(table), "--out", str(page), "--quiet"], cwd=ROOT, check=True)
    page.write_text(page.read_text("utf-8").replace(str(PHOTOS), "/home/me/photos"), "utf-8")
    return page


def shot(browser: Any, page: Path, width: int, scheme: str, anchor: str = "") -> Image.Image:
    """Return the part of a page that begins at an anchor."""
    context = browser.new_context(viewport={"width": width, "height": HEIGHT}, color_scheme=scheme)
    opened = context.new_page()
    opened.goto(page.as_uri() + anchor)
    image = Image.open(io.BytesIO(opened.screenshot()))
    context.close()
    return image


def main() -> None:
    """Draw both pages beside each other."""
    picture = Image.new("RGB", (SCREEN + GAP + PHONE, HEIGHT), "#c5ccd3")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        page = report(Path(folder))
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        picture.paste(shot(browser, page, SCREEN, "light"))
        picture.paste(shot(browser, page, PHONE, "dark", "#labels"), (SCREEN + GAP, 0))
        browser.close()
    picture.save(ROOT / "docs" / "report.webp", quality=82, method=6)


if __name__ == "__main__":
    main()
