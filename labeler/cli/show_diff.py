"""What `diff` prints for people, on stderr: what only one table has, what changed, and how far they agree."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from labeler import console
from labeler.errors import printable
from labeler.evaluation import intervals
from labeler.evaluation.intervals import Interval
from labeler.records import EXAMPLES, Row
from labeler.tables import decided
from labeler.words import counted

if TYPE_CHECKING:  # For annotations only: this module loads the tables.
    from labeler.report.compare import Side
    from labeler.report.diff import Diff
    from labeler.tables.run_record import RunRecord

_MOST_COLUMNS, _CHANGES = 12, 12
"""Upper limits on the columns of the matrix, and on the changes that are listed where it has no room."""

_LONGEST_NAME = 60
"""Characters of a name or label that are printed, of a longer one its end or its beginning."""


def show(diff: Diff, out: Path | None = None) -> None:
    """Print the whole result; ``out`` is the page that was drawn."""
    _show_tables(diff)
    _show_files(diff)
    _show_labels(diff)
    _show_truth(diff)
    _show_flips(diff)
    if out:
        _say(f"drawn: {out}")


def _show_tables(diff: Diff) -> None:
    sides = (diff.comparison.a, diff.comparison.b)
    for name, table, record, side in zip("AB", diff.settings.names, diff.records, sides, strict=True):
        _say(f"{name}  {_table(table, record, side)}")
    for name, one, other in diff.differences:
        _say(f"differs: {name}: {_short(one)} in A, {_short(other)} in B")


def _table(table: str, record: RunRecord | None, side: Side) -> str:
    model = f", by the model {record.model!r}" if record else ""
    return f"{table}: {counted(side.faces, 'face')} in {counted(side.files, 'file')}{model}"


def _show_files(diff: Diff) -> None:
    found = diff.comparison
    only = [
        f"{side.only_files:,} only in {name}{_named(side.only_file_names, side.only_files)}"
        for name, side in (("A", found.a), ("B", found.b))
    ]
    _say(f"files: {found.both:,} in both, {', '.join(only)}")
    if found.changed:
        left = "compared all the same" if diff.settings.ignore_versions else "left out of all that follows"
        _say(
            f"changed between the runs, {left}: {counted(found.changed, 'file')}"
            f"{_named(found.changed_names, found.changed)}",
            "yellow",
        )
    if found.unchecked:
        _say(f"not checked whether they are the same, without a version: {counted(found.unchecked, 'file')}", "yellow")
    for (one, other), names in found.status_names.items():
        count = found.statuses[one, other]
        _say(f"status: {one} in A, {other} in B: {counted(count, 'file')}{_named(names, count)}")
    _say(f"faces: {found.matched:,} in both, {found.a.only_faces:,} only in A, {found.b.only_faces:,} only in B")


def _show_labels(diff: Diff) -> None:
    terminal = console.stderr()
    if found := diff.said:
        fits = (
            len(found) <= _MOST_COLUMNS and sum(len(_spelled(one)) + 3 for one in ("A \\ B", *found)) < terminal.width
        )
        terminal.print(_matrix(diff, found) if fits else _changes(diff))
    agreed = diff.agreement
    if agreed.share is None:
        _say("no face has a class in both tables")
        return
    kappa = "Cohen's kappa is not defined"
    if agreed.kappa:
        kappa = f"Cohen's kappa {agreed.kappa.value:.3f}{_interval(agreed.kappa.interval)}"
    _say(
        f"agreement {agreed.share:.3f}{_interval(agreed.interval)}, {kappa}, "
        f"n = {agreed.n:,} faces of both that have a class in both"
    )


def _matrix(diff: Diff, said: Sequence[str]) -> Table:
    """Return the faces by what A says (rows) and what B says (columns)."""
    table = Table(box=None, pad_edge=False)
    table.add_column("A \\ B")
    for one in said:
        table.add_column(Text(_spelled(one)), justify="right")
    for one in said:
        counts = [diff.comparison.labels[one, other] for other in said]
        cells = [
            Text(f"{count:,}" if count else "-", _style(one, to, count)) for to, count in zip(said, counts, strict=True)
        ]
        table.add_row(Text(_spelled(one)), *cells)
    return table


def _changes(diff: Diff) -> Table:
    changes = diff.changes
    table = Table(box=None, pad_edge=False)
    for name in ("in A", "in B"):
        table.add_column(name, overflow="fold")
    table.add_column("faces", justify="right")
    for one, other, count in changes[:_CHANGES]:
        table.add_row(Text(_spelled(one)), Text(_spelled(other)), f"{count:,}")
    if len(changes) > _CHANGES:
        rest = sum(count for *_, count in changes[_CHANGES:])
        table.add_row(f"{len(changes) - _CHANGES:,} more changes", "", f"{rest:,}")
    return table


def _show_truth(diff: Diff) -> None:
    answers, test = diff.comparison.answers, diff.mcnemar
    if not answers or not test:
        return
    accuracies = [
        f"{right / answers.n:.3f}{_interval(intervals.of_share(right, answers.n))} of {name}"
        for name, right in (("A", answers.right_a), ("B", answers.right_b))
    ]
    _say(f"accuracy {', '.join(accuracies)}, n = {answers.n:,} photos, against {diff.against}")
    _say(
        f"right only in A: {test.only_a:,}, only in B: {test.only_b:,}; McNemar's test, {test.test}: "
        f"p = {test.spelled_p}"
    )
    if answers.left_out:
        _say("left out: " + ", ".join(f"{count:,} {why}" for why, count in answers.left_out.items()))


def _show_flips(diff: Diff) -> None:
    flips = diff.comparison.flips
    if not flips:
        return
    table = Table(box=None, pad_edge=False)
    table.add_column("surest changes", overflow="fold")
    table.add_column("face", justify="right")
    for name in "AB":
        table.add_column(f"in {name}", overflow="fold")
        table.add_column("score", justify="right")
    for flip in flips:
        table.add_row(Text(_short(flip.a.file)), str(flip.a.face), *_said(flip.a), *_said(flip.b))
    console.stderr().print(table)


def _said(row: Row) -> tuple[Text, str]:
    score = decided.score_of(row)
    return Text(_spelled(row.label)), "" if score is None else f"{score:.2f}"


def _style(one: str, other: str, count: int) -> str:
    return "dim" if not count else "green" if one == other else "yellow"


def _spelled(said: str) -> str:
    shown = printable(said) or "no label"
    return shown if len(shown) <= _LONGEST_NAME else f"{shown[:_LONGEST_NAME]}..."


def _named(names: Iterable[str], count: int) -> str:
    found = ", ".join(map(_short, names))
    return f" ({found}{', ...' if count > EXAMPLES else ''})" if found else ""


def _short(name: str) -> str:
    shown = printable(name)
    return shown if len(shown) <= _LONGEST_NAME else f"...{shown[-_LONGEST_NAME:]}"


def _interval(interval: Interval | None) -> str:
    return f" ({interval[0]:.3f} to {interval[1]:.3f})" if interval else ""


def _say(line: str, style: str | None = None) -> None:
    console.stderr().print(printable(line), markup=False, style=style, soft_wrap=True)
