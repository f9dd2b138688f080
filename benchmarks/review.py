"""Measure the page of `labeler review`, in a browser and on the real server, at a million rows.

The browser is Debian's chromium under Playwright (the extras `review` and `dev`); the page itself keeps the times. The
rows are face crops, each of a file of its own, with random scores; without `fer2013/` in --data they are generated.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import crops
import pages
import review_keys as keys
import review_moves as moves
import review_page
import review_table
from options import Options
from report import MEGABYTES, NO_NETWORK, Goal, at_least, below, print_goals, print_not_measured, print_section
from review_moves import Pair
from review_page import Page, Server

ROWS, QUICK_ROWS = 1_000_000, 20_000
START_GOALS_S = {".csv": 3.0, ".parquet": 1.5}
VIEW_GOAL_MS, JUMP_GOAL_MS, KEPT_GOAL_MS = 300.0, 200.0, 500.0
TASK_GOAL_MS, TILES_GOAL = 50.0, 401.0
PAINT_GOAL_MS, DISK_GOAL_MS = 50.0, 30.0
SERVER_GOAL_MB, TAB_GOAL_MB = 400.0, 250.0
WRONG_SHARES = (0.0, 0.01, 0.03, 0.1)

MILLISECONDS = "{:.0f} ms"
COUNT = "{:.0f}"
PERCENT = "{:.0%}"

WORK = "review"


def measure(options: Options) -> list[Goal]:
    """Measure everything; nothing where the browser or the server's packages are missing."""
    missing = review_page.absent()
    if missing:
        print_not_measured("Review", missing)
        return []
    photos, root = crops.tree(options), options.scratch / "many"
    count = options.size(ROWS, QUICK_ROWS)
    tables = [
        pages.write(options.scratch / f"many{suffix}", root, review_table.copies(photos, root, count))
        for suffix in START_GOALS_S
    ]
    subject = f"{count:,} rows of {crops.kind(options)} crops; chromium, {review_page.SIZE_IN_WORDS}"
    print_section("Review", subject, NO_NETWORK)
    with review_page.chromium() as browser:
        goals = [
            *starts(options, browser, tables),
            *million(options, browser, tables[0]),
            *costs(options, browser, photos),
            *crashes(options, browser, photos),
        ]
    for table in tables:
        table.unlink()
    print_goals(goals)
    return goals


def starts(options: Options, browser: Any, tables: Sequence[Path]) -> list[Goal]:
    """Open the page of each table in turn, without kept thumbnails, until each face on it has its picture."""
    seconds: dict[Path, list[float]] = {table: [] for table in tables}
    for _ in range(options.repetitions):
        for table in tables:
            review_page.forget(table)
            with review_page.opened(browser, table) as (_, page):
                seconds[table].append(page.usable_s)
    print("From the start of the command to a screen with all its pictures, the browser open before, s:\n")
    for table, each in seconds.items():
        print(f"- {table.suffix[1:]}: {', '.join(f'{one:.2f}' for one in each)}")
    print()
    return [
        below(WORK, f"usable screen, {table.suffix[1:]}", START_GOALS_S[table.suffix], statistics.median(each))
        for table, each in seconds.items()
    ]


def million(options: Options, browser: Any, table: Path) -> list[Goal]:
    """Move over the page of a million rows, give labels there, look at the memory, and at other pixel ratios."""
    review_page.forget(table)
    with review_page.opened(browser, table) as (server, page):
        goals = [
            *movements(options, page),
            *scrolling(options, page),
            *typing(options, server, page),
            *memory(server),
        ]
        print_busiest(options, page)  # Last: the trace stands in the memory of the tab.
    for ratio in (1, 2, 3):
        with review_page.opened(browser, table, "--read-only", ratio=ratio) as (_, page):
            there, asked = moves.reached(page, options.size(300, 20))
            what = f"rows reached of {asked}, pixel ratio {ratio}"
            goals.append(at_least(WORK, what, 1.0, there / asked, PERCENT))
    return goals


def movements(options: Options, page: Page) -> list[Goal]:
    """Choose orders and filters, and jump to rows, to the same ones again when the page has forgotten them."""
    spots = moves.spots(page, options.size(24, 6))
    measured = {"every order": moves.orders(page), "filters": moves.filters(page)}
    measured |= {"jumps": moves.jumps(page, spots), "the same jumps again": moves.jumps(page, spots)}
    print("| ms | faces known: median | worst | pictures painted: median | worst |\n|---|---|---|---|---|")
    for name, (known, shown) in measured.items():
        cells = [statistics.median(known), max(known), statistics.median(shown), max(shown)]
        print(f"| {len(known)} {name} | {' | '.join(f'{cell:.0f}' for cell in cells)} |")
    print()
    again = measured["the same jumps again"]
    return [
        *_worst("filter", VIEW_GOAL_MS, measured["filters"]),
        *_worst("order", VIEW_GOAL_MS, measured["every order"]),
        *_worst("jump", JUMP_GOAL_MS, measured["jumps"]),
        below(WORK, "jump, kept thumbnails painted, worst", KEPT_GOAL_MS, max(again[1]), MILLISECONDS),
    ]


def _worst(what: str, goal: float, measured: Pair) -> list[Goal]:
    return [below(WORK, f"{what}, faces known, worst", goal, max(measured[0]), MILLISECONDS)]


def scrolling(options: Options, page: Page) -> list[Goal]:
    """Turn the wheel and drag the slider."""
    page("bench.take()")
    tiles = _scroll(options, page)
    long = page("bench.take().long")
    print(f"Tasks of more than 50 ms while scrolling, ms: {', '.join(f'{one:.0f}' for one in long) or 'none'}.\n")
    return [
        below(WORK, "scrolling, longest task", TASK_GOAL_MS, max(long, default=0.0), MILLISECONDS),
        below(WORK, "scrolling, tiles in the document", TILES_GOAL, tiles, COUNT),
    ]


def _scroll(options: Options, page: Page) -> int:
    tiles = moves.scroll(page, options.size(60, 10))
    moves.drag(page, options.size(120, 30))
    return tiles


def print_busiest(options: Options, page: Page) -> None:
    """Scroll again and say how much of a task is processor time: the rest of it waits for a core."""
    busy: list[float] = []
    with moves.traced(page, busy.extend):
        _scroll(options, page)
    print(
        f"Of {len(busy):,} tasks while scrolling, under a trace, the longest took {max(busy):.0f} ms of a processor.\n"
    )


def typing(options: Options, server: Server, page: Page) -> list[Goal]:
    """Give labels at 20 keys a second, in the grid and in the single view."""
    goals = []
    page("bench.press('Home')")
    print(
        "| 20 keys a second | keys | key to paint, ms: median | p95 | key to disk, ms: median | p95 | refused | lost |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for name, large in (("grid", False), ("single view", True)):
        done = keys.typed(server, page, options.size(600, 60), large=large)
        paint, disk = _p95(done.paints), _p95(done.disks)
        cells = [f"{statistics.median(done.paints):.0f}", f"{paint:.0f}"]
        cells += [f"{statistics.median(done.disks):.0f}", f"{disk:.0f}", str(done.refused), str(done.lost)]
        print(f"| {name} | {done.count} | {' | '.join(cells)} |")
        goals += [
            below(WORK, f"{name}, key to paint, p95", PAINT_GOAL_MS, paint, MILLISECONDS),
            below(WORK, f"{name}, key to disk, p95", DISK_GOAL_MS, disk, MILLISECONDS),
            below(WORK, f"{name}, keys lost at 20 a second", 1, done.lost, COUNT),
        ]
    print()
    return goals


def _p95(times: Sequence[float]) -> float:
    return sorted(times)[int(0.95 * (len(times) - 1))]


def memory(server: Server) -> list[Goal]:
    """Look at the memory after all of that."""
    (tab, resident), peak = review_page.tab_mb(), server.memory_mb("VmHWM")
    print(f"Memory after all of that: server {server.memory_mb('VmRSS'):.0f} MB, {peak:.0f} MB at its peak; tab")
    print(f"{tab:.0f} MB with its part of what processes share (PSS), {resident:.0f} MB with all of it (RSS).\n")
    return [
        below(WORK, "memory of the server, peak", SERVER_GOAL_MB, peak, MEGABYTES),
        below(WORK, "memory of the tab, PSS", TAB_GOAL_MB, tab, MEGABYTES),
    ]


def costs(options: Options, browser: Any, photos: Path) -> list[Goal]:
    """Answer screens with some wrong faces, at the speed of the machine: a person's eyes need longer."""
    most = options.size(10, 2)
    print("| wrong faces | screens | faces | keys and clicks | a face | ms a face | faces an hour at most |")
    print("|---|---|---|---|---|---|---|")
    broken = 0
    for share in WRONG_SHARES:
        table = options.scratch / f"screens-{share}.csv"
        pages.write(table, photos, review_table.screens(photos, 110 * most, share))
        review_page.forget(table)
        with review_page.opened(browser, table) as (_, page):
            done = keys.answer(page, most)
        each = done.passed_ms / done.faces
        cells = [f"{done.wrong / done.faces:.1%}", str(done.screens), str(done.faces), str(done.keys)]
        cells += [f"{done.keys / done.faces:.3f}", f"{each:.1f}", f"{3_600_000 / each:,.0f}"]
        print(f"| {' | '.join(cells)} |")
        broken += done.screens - done.as_promised
    print()
    return [below(WORK, "screens with k wrong that take more than k marks + 2 keys", 1, broken, COUNT)]


def crashes(options: Options, browser: Any, photos: Path) -> list[Goal]:
    """Kill the server again and again while labels are given."""
    table, times = options.scratch / "killed.csv", options.size(100, 3)
    pages.write(table, photos, review_table.screens(photos, 10 * times + 200, 0.0))
    review_page.forget(table)
    with review_page.opened(browser, table) as (server, page):
        done = keys.kill(server, page, times)
    waited = statistics.median(done.reconnected_s)
    print(
        f"{times} SIGKILLs of the server while {done.labels} labels were given, at 20 keys a second. Started again, it"
    )
    print(
        f"was found by the page itself, and had all that waited {waited:.1f} s after its address was printed (median)."
    )
    print(f"The page refused {done.refused} keys that came before the face that they were for.\n")
    return [below(WORK, f"labels lost by {times} SIGKILLs", 1, done.lost, COUNT)]
