"""What a person sees while and after a command runs. Rich, on stderr only."""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from rich.bar import Bar
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from labeler.errors import Interrupted, printable
from labeler.records import FAILURES, Row, Status, Tally

if TYPE_CHECKING:  # Only to say what comes in: these two load the whole pipeline.
    from labeler.annotation import Annotated
    from labeler.pipeline import Summary
    from labeler.sorting import Move, Plan, Watched
    from labeler.timings import Profile

Item = TypeVar("Item")

_STATUS_STYLES = {Status.OK: "green", Status.NO_FACE: "yellow"}


def stderr(*, quiet: bool = False) -> Console:
    """Return a console on stderr; 100 columns where there is no terminal to ask."""
    console = Console(stderr=True, highlight=False, quiet=quiet)
    return console if console.is_terminal else Console(stderr=True, highlight=False, width=100, quiet=quiet)


def say(message: str) -> None:
    """Print one line."""
    stderr().print(message, markup=False, soft_wrap=True)


@contextmanager
def labeling_progress(*, quiet: bool) -> Iterator[Callable[[Tally, int | None], None] | None]:
    """Show a bar with rate, time left and counts on a terminal; nothing elsewhere."""
    console = stderr()
    if quiet or not console.is_terminal:
        yield None
        return
    columns = (
        SpinnerColumn(),
        BarColumn(bar_width=None),
        MofNCompleteColumn(),
        _Rate(),
        TimeRemainingColumn(compact=True),
        TextColumn("[green]{task.fields[ok]} ok"),
        TextColumn("[yellow]{task.fields[no_face]} no face"),
        TextColumn("[red]{task.fields[failed]} failed"),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("labeling", total=None, ok=0, no_face=0, failed=0, resumed=0)

        def show(tally: Tally, total: int | None) -> None:
            ok, no_face = tally.statuses[Status.OK], tally.statuses[Status.NO_FACE]
            progress.update(
                task,
                completed=tally.files,
                total=total,
                ok=f"{ok:,}",
                no_face=f"{no_face:,}",
                failed=f"{tally.failed:,}",
                resumed=tally.resumed,
            )

        yield show


def followed(rows: Iterable[Row], *, quiet: bool) -> Iterator[Row]:
    """Pass rows on, with a bar on a terminal."""
    tally = Tally()
    with labeling_progress(quiet=quiet) as progress:
        for row in rows:
            tally.add(row)
            if progress and tally.files % 64 == 0:
                progress(tally, None)
            yield row


class _Rate(TextColumn):
    """Pictures per second of this run; those that stood in the table before do not count."""

    def __init__(self) -> None:
        super().__init__("")

    def render(self, task: Task) -> Text:
        made = task.completed - task.fields["resumed"]
        rate = made / task.elapsed if task.elapsed else 0.0
        return Text(f"{rate:,.0f}/s")


def show_summary(summary: Summary) -> None:
    """Print the labels with their share, then the files by status, which add up to all that were found."""
    console = stderr()
    tally = summary.tally
    found = f"{_count(tally.faces, 'face')} in {_count(tally.files, 'file')}"
    device = summary.profile.spent.device
    title = f"{summary.out}: {found}, by the model {summary.model.name!r}{f' on {device}' if device else ''}"
    console.print(title, markup=False, soft_wrap=True)
    if tally.faces:
        console.print(_labels(tally))
    console.print(_reconciled(tally))
    for row in tally.examples:
        console.print(Text(f"  {row.status}: {row.file}: {row.reason}", "red"), soft_wrap=True)
    if tally.failed > len(tally.examples):
        console.print(f"  ... and {tally.failed - len(tally.examples):,} more: see the column `status` of the table")
    for folder in summary.unreadable_folders:
        console.print(f"not listed: {folder}", markup=False, style="red", soft_wrap=True)
    if summary.vanished:
        named = ", ".join(summary.vanished_files) + (", ..." if summary.vanished > len(summary.vanished_files) else "")
        gone = f"gone since, kept in the table: {_count(summary.vanished, 'file')}: {named}"
        console.print(gone, markup=False, style="yellow", soft_wrap=True)
    if summary.passed_over:
        console.print(f"passed over: {_count(summary.passed_over, 'file')} not named like a picture")
    if summary.complete_before:
        console.print("the table was complete already; --overwrite labels everything again")
    else:
        made = tally.files - tally.resumed
        rate = made / summary.profile.total_s
        console.print(
            f"{_count(made, 'file')} in {summary.profile.total_s:,.1f} s, {rate:,.{0 if rate > 10 else 1}f} per second"
        )


def show_profile(profile: Profile) -> None:
    """Print where the time of a run went, over all its processes, and what held it up."""
    console = stderr()
    table = Table(box=None, pad_edge=False)
    table.add_column("stage")
    table.add_column("seconds", justify="right")
    table.add_column("", width=24)
    longest = max(profile.stages.values()) or 1.0
    for name, seconds in profile.stages.items():
        table.add_row(name, f"{seconds:,.2f}", Bar(longest, 0, seconds, color="cyan"))
    console.print(table)
    console.print(
        f"{profile.total_s:,.2f} s with {_count(profile.workers, 'worker')}, busy {profile.busy:.0%} of it; "
        f"the first rows came after {profile.first_rows_s:,.2f} s"
    )
    console.print(f"bottleneck: {profile.bottleneck}", soft_wrap=True)


def show_plan(plan: Plan, into: Path, *, as_json: bool) -> None:
    """Print one line a move on stdout, for people or machines, and the number of moves on stderr."""
    for move in plan:
        target = os.path.join(into, move.target)
        if as_json:
            text = json.dumps(move._asdict() | {"target": target})
        else:
            text = printable(f"{move.mode}  {move.source}  ->  {target}  ({move.outcome})")
        sys.stdout.write(text + "\n")  # Not by rich, which takes 100 microseconds a line.
    say(f"{_count(len(plan), 'file')}; nothing was changed")


def show_moves(moves: Iterator[Move], total: int, into: Path, *, doing: str = "sorting", quiet: bool) -> Counter[str]:
    """Follow moves with a bar on a terminal, name those that were left or kept, and return the outcomes, counted.

    Raises:
        Interrupted: Ctrl-C.
    """
    console = stderr()
    outcomes: Counter[str] = Counter()
    folders: Counter[str] = Counter()
    try:
        for move in _tracked(moves, doing, console, total, quiet=quiet):
            outcomes[move.outcome] += 1
            if not move.outcome.notable:
                folders[move.target.partition("/")[0]] += 1
            else:
                console.print(f"{move.source}: {move.outcome}", markup=False, style="yellow", soft_wrap=True)
    except KeyboardInterrupt:
        raise Interrupted(f"stopped after {_count(outcomes.total(), 'file')}; the same command continues") from None
    if not quiet:
        for folder, count in sorted(folders.items()):
            console.print(f"{count:>9,}  {into / folder}", markup=False, soft_wrap=True)
        found = " + ".join(f"{count:,} {outcome}" for outcome, count in outcomes.items())
        console.print(f"{_count(outcomes.total(), 'file')} = {found or 0}", markup=False, soft_wrap=True)
    return outcomes


def show_annotated(drawn: Iterator[Annotated], out: Path, *, quiet: bool) -> int:
    """Follow the drawing, name the files that gave no picture and return how many they are.

    Raises:
        Interrupted: Ctrl-C.
    """
    console = stderr()
    made = left = 0
    try:
        for one in _tracked(drawn, "drawing", console, quiet=quiet):
            made += not one.reason
            left += bool(one.reason)
            if one.reason:
                console.print(f"{one.file}: {one.reason}", markup=False, style="yellow", soft_wrap=True)
    except KeyboardInterrupt:
        raise Interrupted(f"stopped after {_count(made, 'picture')} in {out}") from None
    if not quiet:
        console.print(f"{_count(made, 'picture')} in {out}", markup=False, soft_wrap=True)
    return left


def watching(*, quiet: bool) -> Watched:
    """Return what passes things on, and shows how many they are so far."""
    return lambda items, doing: _tracked(items, doing, stderr(), quiet=quiet)


def _tracked(
    items: Iterable[Item], doing: str, console: Console, total: int | None = None, *, quiet: bool
) -> Iterable[Item]:
    """Pass items on, with a bar and a count on a terminal that go when they are done."""
    if quiet or not console.is_terminal:
        yield from items
        return
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        yield from progress.track(items, total, description=doing)


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def _labels(tally: Tally) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("label")
    table.add_column("faces", justify="right")
    table.add_column("share", justify="right")
    table.add_column("", width=24)
    ranked = tally.labels.most_common()
    for label, count in ranked:
        bar = Bar(ranked[0][1], 0, count, color="cyan")
        table.add_row(Text(label), f"{count:,}", f"{count / tally.faces:.1%}", bar)
    return table


def _reconciled(tally: Tally) -> Text:
    """Return `files found = ok + no_face + each failure`, the closing line of every run."""
    line = Text(f"{_count(tally.files, 'file')} = ")
    shown = [status for status in Status if tally.statuses[status] or status is Status.OK]
    for index, status in enumerate(shown):
        style = "red" if status in FAILURES else _STATUS_STYLES[status]
        line.append(" + " if index else "").append(f"{tally.statuses[status]:,} {status}", style)
    return line
