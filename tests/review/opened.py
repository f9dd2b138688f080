"""The review of a table, as a person has it open: the server as a process, and its page in a browser."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from conftest import Folder

from labeler import storage
from labeler.records import Row
from labeler.tables import run_record
from labeler.tables.comma_separated import Csv
from labeler.tables.run_record import RunRecord

CLASSES = ("angry", "happy", "sad")
HAPPY = 240
"""Faces of the small table that are labelled happy: two screens, and a part of a third one."""


def small_table(folder: Path, classes: tuple[str, ...] = CLASSES) -> Path:
    """Write a table of photos of noise, the second class first and surest first, then a few of the others."""
    photos = Folder(folder / "photos")
    rows = []
    for index in range(HAPPY + 20):
        name = f"{'ab'[index % 2]}/{index:04}.png"
        photos.noise(name, seed=index)
        version = storage.at(str(photos.path)).version(name)
        score = 0.99 - index * 0.002
        rest = (1 - score) / 3
        shares = (2 * rest, score, rest) if index < HAPPY else (score, rest, 2 * rest)
        face = Row(name, 0, 4.0, 4.0, 40.0, 40.0, 0.9, image_width=48, image_height=48, version=version)
        rows.append(face.labelled(shares, classes, 0))
    return write(folder / "t.csv", photos.path, Csv().encode(rows, classes), classes)


def write(table: Path, root: Path, lines: bytes, classes: tuple[str, ...] = CLASSES) -> Path:
    """Write a table of finished lines, and its run record."""
    table.write_bytes(Csv().header(classes) + lines)
    record = RunRecord(
        version="0",
        schema_version=2,
        model="default",
        model_sha256="",
        class_names=classes,
        root=str(root),
        inputs=("x",),
        settings={"faces": "auto"},
        finished=True,
        counts={},
    )
    run_record.write(table, record, "")
    return table


class Server:
    """`labeler review` as a process."""

    def __init__(self, table: Path, *arguments: str) -> None:
        self.table, self._arguments = table, arguments
        self.start()

    def start(self) -> None:
        """Start it, always by the same command, and wait for its address."""
        command = [sys.executable, "-m", "labeler", "review", str(self.table), "--no-browser"]
        environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
        self._process = subprocess.Popen(
            [*command, *self._arguments], stdout=subprocess.PIPE, text=True, env=environment
        )
        assert self._process.stdout
        self.url = self._process.stdout.readline().strip()
        assert self.url.startswith("http"), self.url

    def kill(self) -> None:
        """End it by SIGKILL."""
        self._process.kill()
        self._process.wait()
        assert self._process.stdout
        self._process.stdout.close()

    def stop(self) -> int:
        """End it by SIGTERM, and return its exit code."""
        self._process.terminate()
        return self._process.wait(timeout=30)

    def events(self) -> list[dict[str, Any]]:
        """Return the lines of the table's reviews."""
        log = self.table.with_name(f"{self.table.name}.reviews.jsonl")
        return [json.loads(line) for line in log.read_text("utf-8").splitlines()] if log.exists() else []


class Opened:
    """A page of a review in a browser."""

    def __init__(self, context: Any, server: Server) -> None:
        self.context, self.server = context, server
        self.complaints: list[str] = []
        self.page = context.new_page()
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def load(self) -> Opened:
        """Open the address, and wait for the first screen."""
        self.page.goto(self.server.url)
        self.sees()
        return self

    def sees(self) -> None:
        """Wait until every face on the screen has its picture, and the grid the focus; or until a card is there."""
        tiles = "[...document.querySelectorAll('.tile:not([hidden])')]"
        grid = f"{tiles}.length && {tiles}.every((one) => one.matches('.shown'))"
        self.wait(f"document.body.matches('.cards') ? document.querySelector('.box') : {grid}")

    def wait(self, condition: str) -> None:
        """Wait until an expression is true on the page; its policy forbids Playwright's own way, which is `eval`."""
        end = time.monotonic() + 15
        while not self.page.evaluate(condition):
            assert time.monotonic() < end, f"{condition}; the page says: {self.text('body')}; {self.complaints}"
            self.page.wait_for_timeout(20)

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def hears(self, text: str) -> None:
        """Wait until the page says a text to a screen reader."""
        said = "document.getElementById('message').textContent.replace(/[\u2068\u2069]/g, '')"
        self.wait(f"{said}.includes({json.dumps(text)})")

    def settled(self) -> None:
        """Wait until the server has acknowledged everything."""
        self.wait("!Object.keys(sessionStorage).some((key) => key.startsWith('labeler.queue.'))")

    def count(self, selector: str) -> int:
        return int(self.page.locator(selector).count())

    def text(self, selector: str) -> str:
        """Return a text without the characters that isolate foreign ones."""
        return str(self.page.inner_text(selector)).replace("\u2068", "").replace("\u2069", "")

    def news(self) -> list[tuple[str, str]]:
        """Return old and new label of each event, once all are acknowledged."""
        self.settled()
        return [(event.get("old", ""), event.get("new", "")) for event in self.server.events()]

    def close(self) -> None:
        self.context.close()
        self.server.kill()


@contextmanager
def reviews(chromium: Any, folder: Path) -> Iterator[Callable[..., Opened]]:
    """Yield what opens the review of a table, by default of a small one.

    Options are those of a browser's context; ``before`` is a script that runs before those of the page.
    """
    opened: list[Opened] = []

    def open_review(table: Path | None = None, *arguments: str, before: str = "", **options: Any) -> Opened:
        context = chromium.new_context(**{"viewport": {"width": 1280, "height": 800}, **options})
        opened.append(Opened(context, Server(table or small_table(folder), *arguments)))
        if before:
            context.add_init_script(before)
        return opened[-1].load()

    try:
        yield open_review
    finally:
        for one in opened:
            one.close()


def counted(pairs: Iterable[tuple[str, str]]) -> dict[tuple[str, str], int]:
    """Return how often each pair is there."""
    every = list(pairs)
    return {pair: every.count(pair) for pair in every}
