"""`labeler review` as a process, and its page in a browser, which keeps the times itself."""

from __future__ import annotations

import importlib.util
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from processes import LABELER, ROOT, environment, family, status_field

from labeler.tables.review_log import Log
from labeler.tables.reviews import Event

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
SIZE = {"width": 1280, "height": 800}
SIZE_IN_WORDS = "{width} x {height} pixels".format(**SIZE)
_LONGEST_S = 60.0

CLOCKS = """
window.bench = (() => {
  const long = [], paints = [], disks = [], actions = [], sent = new Map();
  let keys = 0, last = 0;
  const observe = (type, note, more) =>
    new PerformanceObserver((list) => list.getEntries().forEach(note)).observe({ type, buffered: true, ...more });
  observe("longtask", ({ duration }) => long.push(duration));
  observe("event", ({ name, duration }) => name === "keydown" && paints.push(duration), { durationThreshold: 16 });
  addEventListener("keydown", ({ timeStamp }) => { keys += 1; last = timeStamp; }, true);
  const { setItem, removeItem } = Storage.prototype;
  Storage.prototype.setItem = function (key, value) {
    setItem.call(this, key, value);
    if (!key.startsWith("labeler.queue.")) return;
    sent.set(key, last);
    const { action, events } = JSON.parse(value).body;
    actions.push([action, events?.[0].new]);
  };
  Storage.prototype.removeItem = function (key) {
    removeItem.call(this, key);
    if (sent.has(key)) disks.push(performance.now() - sent.get(key));
    sent.delete(key);
  };

  const frame = () => new Promise((resolve) => requestAnimationFrame(resolve));
  const tiles = () => [...document.querySelectorAll(".tile:not([hidden])")];
  const known = () => document.querySelector(".tile.cursor:not([hidden])")
    && tiles().every((one) => one.getAttribute("aria-label") !== "loading");
  const shown = () => known()
    && tiles().every((one) => one.matches(".shown"));
  const until = async (condition) => {
    do await frame(); while (!condition());
    const { port1, port2 } = new MessageChannel();
    await new Promise((resolve) => { port1.onmessage = resolve; port2.postMessage(0); }); // It comes after the paint.
  };
  const timed = async (act, changed = () => true) => {
    const began = performance.now(), passed = () => performance.now() - began;
    act();
    await until(() => changed() && known());
    const faces = passed();
    await until(shown);
    return [faces, passed()];
  };
  const state = async () => (await import("/static/state.js")).state;
  const at = (id) => document.getElementById(id);
  const ready = () => at("connection").hidden && at("single").ariaBusy === "false" && !at("photo").hidden;
  const set = (id, value) => { at(id).value = value; at(id).dispatchEvent(new Event("input")); };
  return {
    until, known, shown, ready, state, actions,
    take: () => {
      const taken = { long: long.splice(0), paints: paints.splice(0), disks: disks.splice(0), keys };
      keys = 0;
      return taken;
    },
    waiting: () => sent.size,
    slide: (top) => set("slider", top),
    jump: (top) => timed(() => set("slider", top)),
    press: (key) => timed(() => at("grid").dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }))),
    choose: async (name, value) => {
      const page = await state(), before = page.view.id, form = at("filters-form");
      const plain = ["order", "min_score", "max_score"].includes(name);
      return timed(() => {
        form.elements[name].value = plain ? value : JSON.stringify(value);
        form.dispatchEvent(new Event("input"));
      }, () => page.view.id !== before);
    },
    go: async (position) => {
      const field = at("position");
      field.value = position + 1;
      field.dispatchEvent(new Event("change"));
      await until(known);
      const there = document.getElementById(`face-${position}`)?.getBoundingClientRect();
      return Boolean(there) && there.top >= 0 && there.bottom <= innerHeight && there.width > 0;
    },
    faces: async () => {
      const { between } = await import("/static/faces.js");
      const { screen } = await import("/static/state.js");
      const open = between(...screen()).filter(([, { reviewed }]) => !reviewed);
      return open.map(([position, { file, label }]) => [position, file, label]);
    },
  };
})();
"""


class Server:
    """`labeler review` of a table, on a port that stays."""

    def __init__(self, table: Path, *arguments: str) -> None:
        self.table, self._arguments = table, arguments
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port = free.getsockname()[1]
        self.start()

    def start(self) -> None:
        """Start it, and wait for its address."""
        command = [*LABELER, "review", str(self.table), "--no-browser", "--port", str(self._port), *self._arguments]
        self.started = time.perf_counter()
        self.process = subprocess.Popen(command, cwd=ROOT, env=environment(), stdout=subprocess.PIPE, text=True)
        assert self.process.stdout
        self.url = self.process.stdout.readline().strip()

    def end(self, end: Callable[[subprocess.Popen[str]], None] = subprocess.Popen.terminate) -> None:
        """End it, by SIGTERM or otherwise."""
        end(self.process)
        self.process.communicate()

    def memory_mb(self, name: str) -> float:
        """Return a figure of its memory: VmRSS, or its peak VmHWM."""
        return status_field(Path(f"/proc/{self.process.pid}/status"), name) / 1024

    def events(self) -> list[Event]:
        """Return the events in the log of its table."""
        return Log.of(self.table).read()


class Page:
    """The page of a server in a browser."""

    def __init__(self, browser: Any, server: Server, ratio: int = 1) -> None:
        self.context = browser.new_context(viewport=SIZE, device_scale_factor=ratio)
        self.context.add_init_script(CLOCKS)
        self.usable_s = 0.0
        """From the start of the command until every face on the screen had its picture."""
        self.page = self.context.new_page()
        self.page.set_default_timeout(1000 * _LONGEST_S)
        self.page.goto(server.url)

    def __call__(self, expression: str, argument: object = None) -> Any:
        """Return the value of an expression on the page; ``bench`` is what it keeps the times with."""
        return self.page.evaluate(expression, argument)

    def settled(self) -> None:
        """Wait until the server has acknowledged everything."""
        end = time.monotonic() + _LONGEST_S
        while self("bench.waiting()"):
            if time.monotonic() > end:
                raise SystemExit("corrections were not acknowledged")
            time.sleep(0.01)


@contextmanager
def opened(browser: Any, table: Path, *arguments: str, ratio: int = 1) -> Iterator[tuple[Server, Page]]:
    """Yield a server and its page with the first screen, and end both."""
    server = Server(table, *arguments)
    try:
        page = Page(browser, server, ratio)
        page("bench.until(bench.shown)")
        page.usable_s = time.perf_counter() - server.started
        yield server, page
        page.context.close()
    finally:
        server.end()


def forget(table: Path) -> None:
    """Remove corrections and thumbnails of a table, as if it had just been made."""
    Log.of(table).path.unlink(missing_ok=True)
    shutil.rmtree(f"{table}.cache", ignore_errors=True)


def tab_mb() -> tuple[float, float]:
    """Return PSS and RSS of the largest renderer among the processes of this one."""
    return max(map(memory_of, renderers()))


def renderers() -> Iterator[int]:
    """Yield the renderers among the processes of this one."""
    for pid in family(os.getpid()):
        try:
            if "--type=renderer" in Path(f"/proc/{pid}/cmdline").read_text("utf-8", "replace"):
                yield pid
        except OSError:
            continue


def memory_of(pid: int) -> tuple[float, float]:
    """Return PSS and RSS of a process."""
    file = Path(f"/proc/{pid}/smaps_rollup")
    return status_field(file, "Pss") / 1024, status_field(file, "Rss") / 1024


@contextmanager
def chromium() -> Iterator[Any]:
    """Yield Debian's chromium under Playwright."""
    from playwright.sync_api import sync_playwright  # Deferred: whoever measures other things need not have it.

    with sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


def absent() -> str:
    """Say what is missing for this; nothing if all is there."""
    if not CHROMIUM:
        return "no chromium (apt-get install chromium)"
    packages = [name for name in ("playwright", "starlette", "uvicorn") if importlib.util.find_spec(name) is None]
    return f"no {', '.join(packages)} (pip install -e '.[dev,review]')" if packages else ""
