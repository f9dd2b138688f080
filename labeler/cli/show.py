"""The command that says what a table is: show."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterable, Iterator
from itertools import accumulate
from typing import TYPE_CHECKING, Annotated, Any

import typer

from labeler.cli.options import Json, Reviews, Root, Table
from labeler.cli.review import By, Wanted, Within
from labeler.errors import LabelerError
from labeler.words import counted

if TYPE_CHECKING:
    from labeler.certify.certified import Certified
    from labeler.certify.figures import Figure
    from labeler.certify.summary import Summary

_WIDTH = 80
_HEIGHT = 23
"""Lines of a screen of 24, less the one of the prompt."""

_MOST_LABELS = 10
"""Labels that are listed; a screen has no room for more, --json has all."""

_MOST_LINES = 2
"""Lines of what can be long: labels, a folder, reviewers; --json has all of it."""


def show(
    table: Table,
    root: Root = "",
    reviews: Reviews = None,
    wanted: Wanted = 0.95,
    within: Within = 0.03,
    by: By = "",
    classes: Annotated[
        bool, typer.Option("--classes", help="Print precision, recall and share of each class, and all notes.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Say what a table is: its faces, model and settings, how right it is, its reviews, and what could be done next.

    How right the labels are is known only where a random sample was looked at blind: `labeler review TABLE --certify`.
    --by gives it for each folder, or for groups that you know: cameras, years, the age that persons gave of themselves.

    Example: labeler show labels.csv
    """
    from labeler.certify import summary
    from labeler.cli import show_certificate
    from labeler.tables import remote

    with remote.local(table, reviews) as path:
        found = summary.summarize(path, root, wanted, within, by, named=table)
    if as_json:
        typer.echo(json.dumps(found.as_json()))
        return
    if (by or classes) and not found.certified:
        raise LabelerError(
            f"nobody has looked at {table} blind, so no figure can be given: labeler review {table} --certify"
        )
    told, following = [*_lines(found), *_certificate(found)], [*_next(found)]
    notes = found.certified.notes() if found.certified else []
    told += _fitting(notes, len(notes) * _HEIGHT if classes else _HEIGHT - len(told) - len(following))
    for line in told:
        typer.echo(line)
    if found.certified and classes:
        _show_classes(found.certified)
    if by:
        show_certificate.show_groups(found.groups, found.gap)
    for line in following:
        typer.echo(line)


def _lines(found: Summary) -> Iterator[str]:
    from labeler.errors import printable

    yield f"{printable(found.named)}: {counted(found.faces, 'face')} in {counted(found.photos, 'photo')}"
    if found.is_begun:
        yield from _named("begun", "a run that will add to this table, or replace it, has not ended")
    yield from _named("photos", ", ".join(f"{count:,} {status}" for status, count in found.statuses.items()))
    if found.faces:
        listed = list(found.labels.items())[:_MOST_LABELS]
        told = ", ".join(f"{printable(label)} {count:,} ({count / found.faces:.0%})" for label, count in listed)
        yield from _named("labels", told + (", ..." if len(found.labels) > _MOST_LABELS else ""), _MOST_LINES)
    yield from _named("model", _model(found), _MOST_LINES)
    yield from _named("settings", _settings(found.record.settings, found.record.root), _MOST_LINES)
    done = found.record.calibrated
    if done:
        yield from _named("scores", f"recalibrated by {done.get('cards')} cards, temperature {done.get('temperature')}")
    reviews = found.found
    if reviews:
        who = ", ".join(f"{printable(name)} {count:,}" for name, count in reviews.voters.most_common(5))
        told = f"{counted(reviews.looked, 'face')} ({who}); {reviews.changed:,} changed, {reviews.added:,} added"
        lost = f"; {counted(reviews.orphans, 'event')} of no face of this table" if reviews.orphans else ""
        yield from _named("reviews", told + lost, _MOST_LINES)


def _model(found: Summary) -> str:
    record, figures = found.record, found.record.model_figures
    name = record.model or "unknown"
    if record.model_sha256:
        name += f" ({record.model_sha256[:12]})"
    if not isinstance(figures.get("accuracy"), float):
        return name
    return f"{name}: {figures['accuracy']:.1%} on {figures.get('data', 'other photos')}, not on these"


def _settings(settings: dict[str, Any], root: str) -> str:
    from labeler.errors import printable

    told = [
        f"{name.replace('_', '-')} {settings[name]}"
        for name in ("threshold", "faces", "resize", "min_face")
        if settings.get(name) is not None
    ]
    told += ["a prior of its own"] if settings.get("prior") else []
    return ", ".join([*told, f"photos in {printable(root)}" if root else "no run record"])


def _certificate(found: Summary) -> Iterator[str]:
    from labeler.certify.certified import interval, share
    from labeler.cli.show_certificate import figures

    one = found.certified
    if not one:
        kept = found.record.certificate or {}
        yield from _named("right", str(kept.get("sentence", "not known: nobody has looked blind")))
        if found.found and found.found.earlier:
            told = f"{counted(found.found.earlier, 'blind answer')} are of another draw"
            yield from _named("", f"{told}: the table grew, was made anew or recalibrated")
        return

    first, *others = figures(one)
    yield from _named("right", first)
    now, rest = one.certificate.now, one.certificate.rest
    if now.accuracy.value is not None:
        yield from _named("", f"as corrected {share(now.accuracy)} ({interval(now.accuracy)})")
    if rest.accuracy.value is not None:
        left = counted(rest.labelled, "face")
        yield from _named(
            "", f"of the {left} that nobody has looked at {share(rest.accuracy)} ({interval(rest.accuracy)})"
        )
    for line in others:
        yield from _named("", line)


def _fitting(notes: Iterable[str], room: int) -> Iterator[str]:
    """Yield the lines of the notes that have room, and how many others there are."""
    each = [list(_named("", note)) for note in notes]
    ends = list(accumulate(map(len, each)))
    kept = len(each) if not each or ends[-1] <= room else sum(end < room for end in ends)
    for lines in each[:kept]:
        yield from lines
    if kept < len(each):
        yield from _named("", f"{counted(len(each) - kept, 'more note' if kept else 'note')}: --classes")


def _next(found: Summary) -> Iterator[str]:
    """Yield the commands of use, each with its reason as a comment of the shell, where both fit on a line."""
    yield "next"
    for command, reason in found.next:
        line = f"  {command}  # {reason}"
        yield from [line] if len(line) <= _WIDTH else [f"  {command}", f"      # {reason}"]


def _show_classes(one: Certified) -> None:
    from labeler.errors import printable

    names = one.gathered.draw.index.class_names
    width = max(map(len, (*names, "class")))
    typer.echo(f"  {'class':{width}}  {'precision':24}{'recall':24}share")
    for name, figures in zip(names, one.certificate.model.classes, strict=True):
        cells = "".join(f"{_cell(figure):24}" for figure in (figures.precision, figures.recall, figures.share))
        typer.echo(f"  {printable(name):{width}}  {cells}".rstrip())


def _cell(figure: Figure) -> str:
    from labeler.certify.certified import interval, share

    if figure.value is None:
        return f"too few cards ({figure.cards})"
    return f"{share(figure)} ({interval(figure)})"


def _named(name: str, text: str, most_lines: int | None = None) -> Iterator[str]:
    """Yield lines of at most 80 columns, the name of what they are about in front of the first."""
    from labeler.errors import printable

    yield from textwrap.wrap(
        printable(text),
        _WIDTH,
        initial_indent=f"  {name:10}",
        subsequent_indent=" " * 12,
        break_on_hyphens=False,
        max_lines=most_lines,
        placeholder=" ...",
    )
