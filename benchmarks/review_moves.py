"""Moving over the page of `labeler review`: filters, orders, jumps, scrolling, and whether every row can be reached."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import crops
from review_page import Page

ORDERS = ("surest", "doubtful", "wrong", "file", "random")
"""All that a table offers but the order *alike*, which is prepared, and that of an audit."""

Times = list[float]
Pair = tuple[Times, Times]
"""Milliseconds until the faces are known, and until their pictures are painted."""


def orders(page: Page) -> Pair:
    """Choose every order, each for the first time, and again."""
    return _pairs(page("([name]) => bench.choose('order', name)", [name]) for name in (*ORDERS[1:], *ORDERS))


def filters(page: Page) -> Pair:
    """Choose other labels, scores and folders, and whether they were reviewed."""
    chosen: list[tuple[str, object]] = [("label", name) for name in (*crops.CLASSES, None)]
    chosen += [("reviewed", None), ("folder", "0000"), ("folder", None), ("min_score", 30), ("min_score", "")]
    return _pairs(page("([name, value]) => bench.choose(name, value)", list(pair)) for pair in chosen)


def jumps(page: Page, tops: list[int]) -> Pair:
    """Drag the slider to rows of the grid, and press End and Home."""
    ends = [page("bench.press('End')"), page("bench.press('Home')")]
    return _pairs([*ends, *(page("(top) => bench.jump(top)", top) for top in tops)])


def spots(page: Page, count: int) -> list[int]:
    """Return rows of the grid all over the view."""
    last = int(page("Number(document.getElementById('slider').max)"))
    draw = random.Random(2)
    return [draw.randrange(last + 1) for _ in range(count)]


def reached(page: Page, count: int) -> tuple[int, int]:
    """Go to the first, the last and random rows; return how many were on the screen then, of how many."""
    faces = int(page("(async () => (await bench.state()).view.count)()"))
    draw = random.Random(3)
    positions = [0, faces - 1, *(draw.randrange(faces) for _ in range(count))]
    return sum(bool(page("(position) => bench.go(position)", position)) for position in positions), len(positions)


def scroll(page: Page, turns: int) -> int:
    """Turn the wheel down and, ten times as fast, up; return the most tiles in the document meanwhile."""
    page.page.mouse.move(600, 400)
    most = 0
    for turn in range(6 * turns):
        page.page.mouse.wheel(0, 240 if turn < 5 * turns else -2400)
        if turn % 10 == 0:
            most = max(most, int(page("document.querySelectorAll('.tile').length")))
    return most


def drag(page: Page, steps: int) -> None:
    """Drag the slider from the top to the end, a step a frame."""
    last = int(page("Number(document.getElementById('slider').max)"))
    for step in range(steps):
        page("(top) => bench.slide(top)", last * step // steps)
        time.sleep(1 / 60)


@contextmanager
def traced(page: Page, note: Callable[[Times], None]) -> Iterator[None]:
    """Note the processor time, in ms, of each task of the page's main thread: it leaves out the wait for a core."""
    session = page.context.new_cdp_session(page.page)
    events: list[dict[str, Any]] = []
    complete: list[object] = []
    session.on("Tracing.dataCollected", lambda found: events.extend(found["value"]))
    session.on("Tracing.tracingComplete", lambda _: complete.append(None))
    session.send("Tracing.start", {"traceConfig": {"includedCategories": ["toplevel"]}})
    yield
    session.send("Tracing.end")
    while not complete:
        page.page.wait_for_timeout(50)
    mains = {
        (one["pid"], one["tid"])
        for one in events
        if one["name"] == "thread_name" and one["args"]["name"] == "CrRendererMain"
    }
    tasks = (one for one in events if "tdur" in one and (one["pid"], one["tid"]) in mains)
    note([one["tdur"] / 1000 for one in tasks if one["name"] == "ThreadControllerImpl::RunTask"])


def _pairs(measured: Any) -> Pair:
    known, shown = zip(*measured, strict=True)
    return list(known), list(shown)
