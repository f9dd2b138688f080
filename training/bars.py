"""The bars that a person sees while pictures are read, learnt or looked at; nothing without a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeRemainingColumn,
)

from training.reading import Progress as Reading


def bars(console: Console) -> Progress:
    """Return bars that have a field `note`."""
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(bar_width=None),
        MofNCompleteColumn(),
        TimeRemainingColumn(compact=True),
        TextColumn("[dim]{task.fields[note]}"),
        console=console,
        transient=True,
        disable=not console.is_terminal,
        expand=True,
    )


@contextmanager
def counting(console: Console, doing: str) -> Iterator[Reading]:
    """Show a bar inside the block, which tells it how many are done, and how many there are."""
    with bars(console) as progress:
        task = progress.add_task(doing, total=None, note="")
        yield lambda done, total: progress.update(task, completed=done, total=total)
