"""The progress of a command, on stderr: a bar on a terminal, else a log, or JSON for machines."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

from rich.console import Console, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, ProgressColumn, SpinnerColumn, Task, TextColumn
from rich.progress import Progress as Bars
from rich.text import Text

from labeler.records import Progress

Item = TypeVar("Item")

FIRST_S, LOG_S, JSON_S = 0.5, 10.0, 1.0
"""Seconds until the first line at the latest, between lines of a log, and between objects of JSON."""

_NO_RATE_S = 0.2
"""Seconds before which no rate is shown: it would be noise."""

_STYLES = {"ok": "green", "no_face": "yellow", "failed": "red"}


@dataclass(eq=False, kw_only=True)
class Meter:
    """The state of a command. The worker sets it as often as it likes, the display samples it at intervals."""

    doing: str
    done: int = 0
    total: int | None = None
    before: int = 0
    """Number of items in `done` that an earlier run did; they do not count for the rate."""
    counts: Mapping[str, int] = field(default_factory=dict)
    note: str = ""
    began: float = field(default_factory=time.monotonic)
    begun: threading.Event = field(default_factory=threading.Event)
    """Set as soon as there is something to show."""

    def set(self, done: int, total: int | None = None, doing: str = "", before: int = 0, **counts: int) -> None:
        """Set the state, and the number of items per outcome; another activity restarts the clock."""
        if doing and doing != self.doing:
            self.began, self.doing = time.monotonic(), doing
        self.done, self.total, self.before, self.counts = done, total, before, counts
        if not self.begun.is_set():  # Setting an event takes a lock.
            self.begun.set()

    def restart(self, doing: str, total: int, note: str = "") -> None:
        """Begin another activity."""
        self.note = note
        self.set(0, total, doing)

    @property
    def elapsed_s(self) -> float:
        """Return the seconds since the activity began."""
        return time.monotonic() - self.began

    @property
    def per_second(self) -> float:
        """Return the number of items per second in this run."""
        return (self.done - self.before) / self.elapsed_s if self.elapsed_s else 0.0

    @property
    def left_s(self) -> float | None:
        """Return the seconds left at this rate; None while the total or the rate is unknown."""
        return (self.total - self.done) / self.per_second if self.total and self.per_second else None

    def line(self) -> str:
        """Return the state as a line of a log."""
        if not self.done:
            return f"{self.doing} ..."
        total = "" if self.total is None else f"/{self.total:,}"
        left = f", {_clock(self.left_s)} left" if self.left_s else ""
        counts = "".join(f", {count:,} {name.replace('_', ' ')}" for name, count in self.counts.items())
        note = f", {self.note}" if self.note else ""
        rate = f", {self.per_second:,.0f}/s" if self.elapsed_s > _NO_RATE_S else ""
        return f"{self.doing}: {self.done:,}{total}{rate}{left}{counts}{note}"

    def as_json(self) -> dict[str, Any]:
        """Return the state as a JSON object."""
        return {
            "progress": self.doing,
            "done": self.done,
            "total": self.total,
            "seconds": round(self.elapsed_s, 3),
            "per_second": round(self.per_second, 3),
            "seconds_left": None if self.left_s is None else round(self.left_s, 1),
            **self.counts,
        }


def chosen(console: Console, form: Progress, *, quiet: bool) -> Progress:
    """Return the form in which progress is shown: the only place that resolves `AUTO`."""
    if form is not Progress.AUTO:
        return form
    return Progress.NONE if quiet else Progress.BAR if console.is_terminal else Progress.LOG


@contextmanager
def shown(doing: str, console: Console, form: Progress = Progress.AUTO, *, quiet: bool = False) -> Iterator[Meter]:
    """Yield a meter that is shown inside the block."""
    form = chosen(console, form, quiet=quiet)
    meter = Meter(doing=doing)
    if form is Progress.BAR:
        with _Bars(*_columns(), console=console, transient=True) as bars:
            bars.add_task(doing, total=None, meter=meter)
            yield meter
    elif form is Progress.NONE:
        yield meter
    else:
        with _lines(meter, console, as_json=form is Progress.JSON):
            yield meter


def tracked(
    items: Iterable[Item],
    doing: str,
    console: Console,
    total: int | None = None,
    form: Progress = Progress.AUTO,
    *,
    quiet: bool = False,
) -> Iterator[Item]:
    """Yield the items, and show how many there were."""
    with shown(doing, console, form, quiet=quiet) as meter:
        meter.total = total
        for done, item in enumerate(items, 1):
            yield item
            meter.set(done, total)


@contextmanager
def _lines(meter: Meter, console: Console, *, as_json: bool) -> Iterator[None]:
    """Print a line within a second, then at intervals; with JSON, the last state, too.

    Nothing is printed when the block fails before the first item, so that its error stands alone.
    """
    ended = threading.Event()
    told: list[str] = []

    def tell() -> None:
        told[:] = [json.dumps(meter.as_json()) if as_json else meter.line()]
        print(*told, file=console.file, flush=True)

    def tell_at_intervals() -> None:
        meter.begun.wait(FIRST_S)
        while not ended.is_set():
            tell()
            ended.wait(JSON_S if as_json else LOG_S)

    thread = threading.Thread(target=tell_at_intervals, daemon=True)
    thread.start()
    try:
        yield
    finally:
        begun = meter.begun.is_set()
        ended.set()
        meter.begun.set()
        thread.join()
        if begun and (as_json or not told):
            tell()


class _Bars(Bars):
    """A bar that samples its meter whenever it is drawn."""

    def get_renderables(self) -> Iterable[RenderableType]:
        """Return the bars for the current state."""
        for task in self.tasks:
            meter: Meter = task.fields["meter"]
            task.description, task.completed, task.total = meter.doing, meter.done, meter.total
        return super().get_renderables()


class _Figures(TextColumn):
    """Rate, time left, and number of items per outcome."""

    def __init__(self) -> None:
        super().__init__("")

    def render(self, task: Task) -> Text:
        """Return the text for the current state."""
        meter: Meter = task.fields["meter"]
        text = Text(f"{meter.per_second:,.0f}/s")
        if meter.left_s:
            text.append(f" {_clock(meter.left_s)}", "cyan")
        for name, count in meter.counts.items():
            text.append(f"  {count:,} {name.replace('_', ' ')}", _STYLES.get(name, ""))
        return text.append(f"  {meter.note}", "dim") if meter.note else text


def _columns() -> tuple[ProgressColumn, ...]:
    return (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(bar_width=None),
        MofNCompleteColumn(),
        _Figures(),
    )


def _clock(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}"
