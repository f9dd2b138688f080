"""Keys on the page of `labeler review`: how fast they act, what they cost, and whether a kill loses one."""

from __future__ import annotations

import random
import subprocess
import threading
import time
from dataclasses import dataclass
from itertools import cycle, islice

from review_page import Page, Server

from labeler.tables.reviews import Event

EVERY_S = 1 / 20
FRAME_MS = 16.0
"""The browser names no key that was painted sooner."""

KEYS_A_KILL = 8
LABELS = ("a", "d", "h", "n")
"""Keys of classes of FER-2013; those that share an initial have digits."""


@dataclass(frozen=True, slots=True)
class Typed:
    """What came of keys: the milliseconds until they were painted and until they were on the disk."""

    paints: list[float]
    disks: list[float]
    count: int
    refused: int
    """Keys for a label of which the page said at once that they do nothing: the face or its picture was not there."""
    lost: int
    """See `lost`."""


def typed(server: Server, page: Page, count: int, *, large: bool) -> Typed:
    """Give faces a label, 20 keys a second. In the grid every second key moves on; in the single view each does."""
    said, taken = len(server.events()), len(page("bench.actions"))
    if large:
        single(page)
    else:
        page("document.getElementById('grid').focus()")
    page("bench.take()")
    keys = [*islice(cycle(LABELS if large else [two for key in LABELS for two in (key, "ArrowRight")]), count)]
    press(page, keys)
    page.settled()
    clocks, labels = page("bench.take()"), page("bench.actions")[taken:]
    if large:
        page.page.keyboard.press("Escape")
    paints = clocks["paints"] + [FRAME_MS] * (clocks["keys"] - len(clocks["paints"]))
    refused = sum(key in LABELS for key in keys) - len(labels)
    return Typed(paints, clocks["disks"], len(keys), refused, lost(labels, server.events()[said:]))


def press(page: Page, keys: list[str]) -> None:
    """Press keys, 20 a second."""
    began = time.monotonic()
    for number, key in enumerate(keys):
        time.sleep(max(0.0, began + number * EVERY_S - time.monotonic()))
        page.page.keyboard.press(key)


@dataclass(slots=True)
class Answered:
    """Screens that were answered: faces, wrong ones, keys and clicks, and milliseconds."""

    screens: int = 0
    faces: int = 0
    wrong: int = 0
    keys: int = 0
    passed_ms: float = 0.0
    as_promised: int = 0
    """Screens that took a mark for each wrong face, a key for each class of them, and one for the rest."""


def answer(page: Page, most_screens: int) -> Answered:
    """Answer screens as one who sees at once what is wrong: mark it by clicks, give the label, accept the rest.

    What is right is the folder that a face comes from.
    """
    done = Answered()
    page("document.getElementById('grid').focus()")
    keys = page("(async () => (await bench.state()).table.keys)()")
    while done.screens < most_screens and (faces := page("bench.faces()")):
        began, before = time.perf_counter(), done.keys
        wrong: dict[str, list[int]] = {}
        for position, file, label in faces:
            truth = file.partition("/")[0]
            if truth != label:
                wrong.setdefault(truth, []).append(position)
        for label, positions in wrong.items():
            for position in positions:
                page.page.locator(f"#face-{position}").click()
            page.page.keyboard.press(keys[label])
            done.keys += len(positions) + 1
        page.page.keyboard.press("Enter")
        page("bench.until(bench.shown)")
        done.passed_ms += 1000 * (time.perf_counter() - began)
        done.keys += 1
        done.screens += 1
        done.faces += len(faces)
        done.wrong += sum(map(len, wrong.values()))
        done.as_promised += done.keys - before == sum(map(len, wrong.values())) + len(wrong) + 1
    page.settled()
    return done


@dataclass(frozen=True, slots=True)
class Killed:
    """What came of keys while the server was killed again and again."""

    labels: int
    refused: int
    """As in `Typed`."""
    lost: int
    """See `lost`."""
    reconnected_s: list[float]
    """From the address of the server that was started again until the page had sent what waited."""


def kill(server: Server, page: Page, times: int) -> Killed:
    """Press 20 keys a second, kill the server meanwhile, and start it again; the page has to go on by itself."""
    draw, keys = random.Random(4), cycle(LABELS)
    waits: list[float] = []
    single(page)
    for _ in range(times):
        timer = threading.Timer(draw.uniform(0, KEYS_A_KILL * EVERY_S), server.process.kill)
        timer.start()
        press(page, list(islice(keys, KEYS_A_KILL)))
        timer.join()
        server.end(subprocess.Popen.kill)
        server.start()
        began = time.perf_counter()
        page.settled()
        waits.append(time.perf_counter() - began)
        page("bench.until(bench.ready)")
    taken = page("bench.actions")
    return Killed(len(taken), times * KEYS_A_KILL - len(taken), lost(taken, server.events()), waits)


def single(page: Page) -> None:
    """Go to the single view."""
    page("document.getElementById('grid').focus()")
    page.page.keyboard.press("v")
    page("bench.until(() => !document.getElementById('single').hidden)")


def lost(taken: list[list[str]], events: list[Event]) -> int:
    """Return how many labels that the page took, each with its action, the log does not have exactly once.

    Nor may two be on one face; blind cards are shown twice on purpose.
    """
    right = {(event.action, event.new) for event in events} & {(action, label) for action, label in taken}
    return max(len(taken), len(events)) - min(len(right), len({(event.file, event.view) for event in events}))
