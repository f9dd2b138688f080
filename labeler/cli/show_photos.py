"""What the commands for photos print: progress and summaries on stderr, a sort's plan on stdout."""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from rich.bar import Bar
from rich.table import Table
from rich.text import Text

from labeler import progress
from labeler.console import say, stderr
from labeler.errors import Interrupted, printable
from labeler.records import FAILURES, Progress, Row, Status, Tally
from labeler.storage.address import shown
from labeler.words import counted

if TYPE_CHECKING:  # For annotations only: these modules load the whole pipeline.
    from labeler.drawing import Annotated
    from labeler.job import Summary
    from labeler.parts.merge import Merged
    from labeler.profile import Profile
    from labeler.sorting.sort import Move, Plan
    from labeler.sources import Source
    from labeler.watched import Watched

_STATUS_STYLES = {Status.OK: "green", Status.NO_FACE: "yellow", Status.DAMAGED: "yellow"}
_MOST_LABELS = 30
"""Labels that are listed, the most frequent ones; --json has all."""


@contextmanager
def labeling_progress(
    form: Progress = Progress.AUTO, *, quiet: bool
) -> Iterator[Callable[[Tally, int | None], None] | None]:
    """Yield the callback of `pipeline.classify` that shows progress; None where nothing is shown or counted."""
    console = stderr()
    if progress.chosen(console, form, quiet=quiet) is Progress.NONE:
        yield None
        return
    with progress.shown("labeling", console, form, quiet=quiet) as meter:
        yield partial(_show_tally, meter)


def followed(
    rows: Iterable[Row], total: int | None = None, form: Progress = Progress.AUTO, *, quiet: bool
) -> Iterator[Row]:
    """Yield the rows, and show how many files they come from."""
    tally = Tally()
    with labeling_progress(form, quiet=quiet) as show:
        for row in rows:
            tally.add(row)
            if show:
                show(tally, total)
            yield row


def _show_tally(meter: progress.Meter, tally: Tally, total: int | None) -> None:
    reading = bool(tally.files) and tally.files == tally.resumed
    meter.set(
        tally.files,
        total,
        "reading the table" if reading else "labeling",
        0 if reading else tally.resumed,
        ok=tally.statuses[Status.OK],
        no_face=tally.statuses[Status.NO_FACE],
        failed=tally.failed,
    )


def show_summary(summary: Summary) -> None:
    """Print each label with its share, then the number of files by status; they add up to all files found."""
    console = stderr()
    tally = summary.tally
    found = f"{counted(tally.faces, 'face')} in {counted(tally.files, 'file')}"
    device = summary.profile.spent.device
    title = (
        f"{shown(str(summary.out))}: {found}, by the model {summary.model.name!r}{f' on {device}' if device else ''}"
    )
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
    spent = summary.profile.spent
    if spent.lost_crops:
        lost = f"not saved: {counted(spent.lost_crops, 'crop')}, the first of {spent.lost_crop}"
        console.print(lost, markup=False, style="red", soft_wrap=True)
    for told in _differences(summary):
        console.print(told, markup=False, style="yellow", soft_wrap=True)
    if summary.passed_over:
        packed = counted(summary.source.compressed, "compressed tar")
        advice = f", {packed} among them: unpack, or pack again as plain .tar" if summary.source.compressed else ""
        console.print(f"passed over: {counted(summary.passed_over, 'file')} without the suffix of an image{advice}")
    if summary.source.selection:
        console.print(_selection(summary.source), markup=False, soft_wrap=True)
    if summary.units:
        console.print(_units(*summary.units), style="" if summary.units[0] == summary.units[1] else "yellow")
    console.print(_made(summary))


def _differences(summary: Summary) -> Iterator[str]:
    """Yield what is in the table and not in the input, and the reverse."""
    if summary.vanished:
        named = ", ".join(summary.vanished_files) + (", ..." if summary.vanished > len(summary.vanished_files) else "")
        yield f"deleted since, kept in the table: {counted(summary.vanished, 'file')}: {named}"
    if summary.unlisted:
        yield f"no longer in the list, kept in the table: {counted(summary.unlisted, 'file')}"
    if summary.repeated:
        yield f"in the list more than once, labeled once: {counted(summary.repeated, 'repetition')}"


def _made(summary: Summary) -> str:
    if summary.complete_before:
        again = "choose another --out to label" if summary.units else "--overwrite labels"
        return f"the table was complete already; {again} all photos again"
    made = summary.tally.files - summary.tally.resumed
    rate = made / summary.profile.total_s
    return f"{counted(made, 'file')} in {summary.profile.total_s:,.1f} s, {rate:,.{0 if rate > 10 else 1}f} per second"


def show_merged(merged: Merged) -> None:
    """Print what was merged, and what is missing."""
    console = stderr()
    tally = merged.tally
    title = f"{merged.out}: {counted(tally.faces, 'face')} in {counted(tally.files, 'file')}"
    console.print(title, markup=False, soft_wrap=True)
    console.print(_reconciled(tally))
    console.print(_units(merged.units - len(merged.missing), merged.units), style="yellow" if merged.missing else "")


def _units(done: int, units: int) -> str:
    if done == units:
        return f"all {counted(units, 'unit')} done"
    return f"{done:,} of {counted(units, 'unit')} done; the same command, or its other shards, do the rest"


def show_profile(profile: Profile) -> None:
    """Print the seconds of each stage, summed over all processes, and the bottleneck."""
    console = stderr()
    table = Table(box=None, pad_edge=False)
    table.add_column("stage")
    table.add_column("seconds", justify="right")
    table.add_column("", width=24)
    longest = max(profile.stages.values()) or 1.0
    for name, seconds in profile.stages.items():
        table.add_row(name, f"{seconds:,.2f}", _bar(longest, seconds))
    console.print(table)
    console.print(
        f"{profile.total_s:,.2f} s with {counted(profile.workers, 'worker')}, busy {profile.busy:.0%} of it; "
        f"the first rows came after {profile.first_rows_s:,.2f} s"
    )
    console.print(f"bottleneck: {profile.bottleneck}", soft_wrap=True)


def show_plan(plan: Plan, into: Path, *, as_json: bool) -> None:
    """Print one line per move on stdout, as text or JSON, and the number of moves on stderr."""
    for move in plan:
        target = os.path.join(into, move.target)
        if as_json:
            text = json.dumps(move._asdict() | {"target": target})
        else:
            text = printable(f"{move.mode}  {move.source}  ->  {target}  ({move.outcome})")
        sys.stdout.write(text + "\n")  # Rich would take 100 microseconds a line.
    say(f"{counted(len(plan), 'file')}; nothing was changed")


def show_moves(
    moves: Iterator[Move],
    total: int,
    into: Path,
    form: Progress = Progress.AUTO,
    *,
    doing: str = "sorting",
    quiet: bool,
) -> Counter[str]:
    """Show the progress of moves, print those that were left or kept, and return the number of each outcome.

    Raises:
        Interrupted: Ctrl-C.
    """
    console = stderr()
    outcomes: Counter[str] = Counter()
    folders: Counter[str] = Counter()
    try:
        for move in progress.tracked(moves, doing, console, total, form, quiet=quiet):
            outcomes[move.outcome] += 1
            if not move.outcome.notable:
                folders[move.target.partition("/")[0]] += 1
            else:
                console.print(f"{move.source}: {move.outcome}", markup=False, style="yellow", soft_wrap=True)
    except KeyboardInterrupt:
        raise Interrupted(f"stopped after {counted(outcomes.total(), 'file')}; the same command continues") from None
    if not quiet:
        for folder, count in sorted(folders.items()):
            console.print(f"{count:>9,}  {into / folder}", markup=False, soft_wrap=True)
        found = " + ".join(f"{count:,} {outcome}" for outcome, count in outcomes.items())
        console.print(f"{counted(outcomes.total(), 'file')} = {found or 0}", markup=False, soft_wrap=True)
    return outcomes


def show_annotated(drawn: Iterator[Annotated], out: Path, form: Progress = Progress.AUTO, *, quiet: bool) -> int:
    """Show the progress of drawing, print the files that could not be drawn, and return their number.

    Raises:
        Interrupted: Ctrl-C.
    """
    console = stderr()
    made = left = 0
    try:
        for one in progress.tracked(drawn, "drawing", console, None, form, quiet=quiet):
            made += not one.reason
            left += bool(one.reason)
            if one.reason:
                console.print(f"{one.file}: {one.reason}", markup=False, style="yellow", soft_wrap=True)
    except KeyboardInterrupt:
        raise Interrupted(f"stopped after {counted(made, 'photo')} in {out}") from None
    if not quiet:
        console.print(f"{counted(made, 'photo')} in {out}", markup=False, soft_wrap=True)
    return left


def _selection(source: Source) -> str:
    """Return how many files were selected, out of how many if known, and by which options."""
    files = f"the first {counted(source.selected, 'file')}"
    if source.found is not None:
        files = f"{source.selected:,} of {counted(source.found, 'file')}"
    return f"a selection: {files} ({source.selection})"


def watching(form: Progress = Progress.AUTO, *, quiet: bool) -> Watched:
    """Return a function that yields items and shows how many there were so far, and of how many."""
    return lambda items, doing, total=None: progress.tracked(items, doing, stderr(), total, form, quiet=quiet)


def _labels(tally: Tally) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("label")
    table.add_column("faces", justify="right")
    table.add_column("share", justify="right")
    table.add_column("", width=24)
    ranked = tally.labels.most_common()
    for label, count in ranked[:_MOST_LABELS]:
        table.add_row(Text(label), f"{count:,}", f"{count / tally.faces:.1%}", _bar(ranked[0][1], count))
    if others := ranked[_MOST_LABELS:]:
        count = sum(count for _, count in others)
        table.add_row(f"{len(others):,} others", f"{count:,}", f"{count / tally.faces:.1%}", "")
    return table


def _bar(longest: float, length: float) -> Bar | str:
    """Return a bar, or nothing where the encoding has no characters for it."""
    return Bar(longest, 0, length, color="cyan") if stderr().encoding.startswith("utf") else ""


def _reconciled(tally: Tally) -> Text:
    """Return `files = ok + no_face + damaged + each failure`, the last count of every run."""
    line = Text(f"{counted(tally.files, 'file')} = ")
    shown = [status for status in Status if tally.statuses[status] or status is Status.OK]
    for index, status in enumerate(shown):
        style = "red" if status in FAILURES else _STATUS_STYLES[status]
        line.append(" + " if index else "").append(f"{tally.statuses[status]:,} {status}", style)
    return line
