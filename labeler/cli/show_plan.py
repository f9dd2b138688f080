"""What `labeler plan` prints: a table of what a run would cost, and what the figures rest on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

from labeler.errors import printable
from labeler.words import counted

if TYPE_CHECKING:  # For annotations only: it loads the whole pipeline.
    from labeler.cost.estimate import Cost
    from labeler.cost.measure import Measured

_WAITING_SHARE = 0.25
"""Share of the measured time, spent on waiting for files or for a free core, above which it is told."""

_WIDTH = 100
"""Columns without a terminal."""

_SIZES = ((10**15, "PB"), (10**12, "TB"), (10**9, "GB"), (10**6, "MB"), (10**3, "KB"))
_DURATIONS = ((86_400, "days"), (3600, "h"), (60, "min"))
_MOST_BELOW = 2
"""A duration is told in a unit of which it has this many."""
_LEAST = 0.001
"""A smaller figure is not told."""


def show(cost: Cost) -> None:
    """Print what a run would cost, on stdout."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=_WIDTH)
    console.print(", ".join(map(_place, cost.source.inputs)), markup=False, soft_wrap=True)
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column()
    table.add_column(justify="right", no_wrap=True)
    table.add_column()
    for name, figure, rest in (*_listed(cost), *_estimated(cost)):
        table.add_row(name, Text(figure), Text(rest))
    console.print(table)
    for line in _notes(cost):
        console.print(line, markup=False, soft_wrap=True)


def _listed(cost: Cost) -> Iterator[tuple[str, str, str]]:
    """Yield the name, the figure and the explanation of each line about the files."""
    listing = cost.listing
    yield "files", f"{listing.files:,}", f"listed in {duration(listing.seconds)}"
    yield "bytes", size(listing.size) if listing.size else "?", "" if listing.size else "not told for single files"
    if listing.shards:
        yield "shards", f"{listing.shards:,}", f"of these files, {size(listing.shard_size)}; see below"
    unit = f"of up to {counted(cost.unit_files, 'photo')}"
    yield "units", f"{listing.units:,}", f"{unit}, or one shard" if listing.shards else unit


def _estimated(cost: Cost) -> Iterator[tuple[str, str, str]]:
    """Yield the name, the figure and the explanation of each line about time and money."""
    if not cost.measured or not cost.core_hours:
        return
    each = [one * 3600 / cost.listing.photos for one in cost.core_hours]
    reads = f"; it reads {size(cost.measured.bytes_per_s)}/s" if cost.measured.size else ""
    yield "one core", f"{_figure(1 / each[0])}/s", f"photos, each {1000 * each[0]:,.2f} ms{reads}"
    hours = cost.core_hours
    yield "core-hours", _figure(hours[0]), _between(f"{_figure(hours[1])} to {_figure(hours[2])}", cost.measured)
    best, low, high = (duration(one * 3600 / cost.cores) for one in hours)
    yield "time", best, f"{low} to {high} on {counted(cost.cores, 'core')} like this one"
    if cost.price is not None:
        price, cheapest, dearest = (f"{one * cost.price:,.2f}" for one in hours)
        unit = f" {printable(cost.currency)}" if cost.currency else ""
        yield "price", f"{price}{unit}", f"{cheapest} to {dearest}, at {cost.price:g}{unit} a core-hour"


def _between(interval: str, measured: Measured) -> str:
    """Return the interval, and what it rests on."""
    if len(measured.seconds) == 1:
        return "by one photo: how far others lie from it is not known"
    return f"{interval} (95% interval), by {counted(len(measured.seconds), 'random photo')}"


def _notes(cost: Cost) -> Iterator[str]:
    """Yield what the table does not say."""
    measured, listing = cost.measured, cost.listing
    if listing.shards:
        what = "they are" if not measured else "time and price are without them, as they are"
        yield f"{counted(listing.shards, 'shard')}: the number of photos inside is not known until {what} read"
    if measured:
        if failed := measured.failed:
            first = f"{printable(failed[0].file)}: {printable(failed[0].reason)}"
            yield f"in the sample, {counted(len(failed), 'file')} cannot be used; the first is {first}"
        if measured.waited > _WAITING_SHARE:
            yield f"{measured.waited:.0%} of the time is waiting for files: as many processes as cores leave cores idle"
        if measured.crowded > _WAITING_SHARE:
            yield f"this machine is busy: the sample waited {measured.crowded:.0%} of the time for a core, not counted"
        yield "not counted: the start of each process, and the listing; nothing was written"
    for folder in cost.source.unreadable:
        yield f"not listed: {folder}"
    if cost.source.passed_over:
        yield f"passed over: {counted(cost.source.passed_over, 'file')} without the suffix of an image"


def _place(address: str) -> str:
    """Return an address without its options."""
    from labeler.storage.address import is_remote, parse  # Deferred: it loads what reads files.

    return printable(parse(address).place if is_remote(address) else address)


def size(count: float) -> str:
    """Return a number of bytes as people read it."""
    for unit, name in _SIZES:
        if count >= unit:
            return f"{_figure(count / unit)} {name}"
    return f"{count:,.0f} bytes"


def duration(seconds: float) -> str:
    """Return a duration as people read it."""
    for unit, name in _DURATIONS:
        if seconds >= _MOST_BELOW * unit:
            return f"{seconds / unit:,.1f} {name}"
    return f"{seconds:,.1f} s" if seconds >= 1 else f"{1000 * seconds:,.0f} ms"


def _figure(number: float) -> str:
    """Return a number with about three digits that count."""
    return f"{number:,.0f}" if number >= 100 else f"{number:.{2 if number >= 1 else 4}f}"
