"""What the commands for reviews print for people, on stderr."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from labeler import console
from labeler.errors import printable
from labeler.evaluation.intervals import Interval
from labeler.records import EXAMPLES, UNCERTAIN
from labeler.tables.reviews import NOT_A_FACE
from labeler.words import counted

if TYPE_CHECKING:  # For annotations only: this module loads the reviews.
    from labeler.evaluation.agreement import Agreement
    from labeler.evaluation.raters import Coefficient
    from labeler.reviewers.importing import Imported
    from labeler.reviewers.merge import Merged
    from labeler.reviewers.votes import Votes

_MOST = 15
"""Upper limit on the pairs of reviewers, and on the pairs of labels, that are listed; `--json` has all."""


def show(votes: Votes) -> None:
    """Print who said what, and how far they agree."""
    decided = f", {votes.decided:,} of them decided by `reviews merge`" if votes.decided else ""
    _say(f"reviewed: {counted(votes.reviewed, 'face')} by {counted(len(votes.reviewers), 'reviewer')}{decided}")
    _show_reviewers(votes)
    _show_checks(votes)
    _show_agreement(votes)
    if votes.unknown:
        _say(f"votes for labels that are no class of the table: {_named(votes.unknown)}", "yellow")
    if votes.orphans:
        _say(
            f"belong to no face of the table, and are kept: {counted(votes.orphans.total(), 'event')} of "
            f"{counted(len(votes.orphans), 'file')}: {_some(votes.orphans)}",
            "yellow",
        )


def show_merged(merged: Merged) -> None:
    """Print what was appended, and what `show` does."""
    for path, (number, new) in merged.events.items():
        if path != merged.path:
            _say(f"{path}: {counted(number, 'event')}, {new:,} new")
    for who, paths in merged.twice.items():
        names = ", ".join(map(str, paths))
        _say(
            f"{who} said different things in {names}: counted as one person, whose latest word counts. If they are "
            "two, give one of them another name in the file, before it is merged",
            "yellow",
        )
    if merged.decisions:
        _say(f"recorded about the votes: {counted(merged.decisions, 'decision')}")
    show(merged.votes)
    _say(f"reviews: {merged.path}")


def show_imported(imported: Imported) -> None:
    """Print what was imported, and what was not, and why."""
    who = ", ".join(imported.reviewers) or "nobody"
    _say(f"{counted(imported.new, 'event')} new, by {who}: {imported.path}")
    found = [f"{name.replace('_', ' ')} {count:,}" for name, count in imported.counts.items() if count]
    if found:
        _say(f"faces: {', '.join(found)}")
    if imported.counts["missing"]:
        _say(
            f"{counted(imported.counts['missing'], 'face')} of these photos are not in the file, and nobody can tell "
            "whether they were taken out or never shown. With --from cvat, --export FOLDER tells",
            "yellow",
        )
    for reason, count in imported.left.counts.most_common():
        examples = imported.left.examples[reason]
        more = ", ..." if count > len(examples) else ""
        _say(f"left out, {reason}: {count:,} ({', '.join(examples)}{more})", "yellow")


def _show_reviewers(votes: Votes) -> None:
    if not votes.reviewers:
        return
    table = Table(box=None, pad_edge=False)
    table.add_column("reviewer", overflow="fold")
    for name in ("faces", "changed", "unsure", "not a face"):
        table.add_column(name, justify="right")
    for who, said in sorted(votes.reviewers.items(), key=lambda one: (-one[1].total(), one[0])):
        numbers = said.total(), votes.changed[who], said[UNCERTAIN], said[NOT_A_FACE]
        table.add_row(Text(printable(who)), *(f"{number:,}" for number in numbers))
    console.stderr().print(table)


def _show_agreement(votes: Votes) -> None:
    found = votes.raters
    if not found:
        if len(votes.reviewers) > 1:
            _say("no face has the votes of two reviewers, so there is no agreement to measure")
        return
    _say(f"agreement on {counted(found.faces, 'face')} with two votes or more (95% intervals):")
    figures = {"raw": found.raw, "Krippendorff's alpha": found.alpha, "Gwet's AC1": found.ac1}
    for name, figure in figures.items():
        _say(f"  {name} {_coefficient(figure)}")
    _show_pairs("reviewers", votes.agreements)
    if votes.blind_pairs:
        _say("agreement on faces that both were shown blind:")
        _show_pairs("reviewers, blind", votes.blind_agreements)
    differ = [f"{printable(one)} or {printable(other)} {count:,}" for one, other, count in votes.disagreements]
    if differ:
        _say(f"differ most between: {', '.join(differ[:_MOST])}")


def _show_pairs(title: str, pairs: Mapping[tuple[str, str], Agreement]) -> None:
    table = Table(box=None, pad_edge=False)
    table.add_column(title, overflow="fold")
    for name in ("faces", "raw agreement", "Cohen's kappa"):
        table.add_column(name, justify="right")
    for (one, other), agreed in list(pairs.items())[:_MOST]:
        kappa = f"{agreed.kappa.value:.3f}{_interval(agreed.kappa.interval)}" if agreed.kappa else "not defined"
        share = f"{agreed.share or 0:.3f}{_interval(agreed.interval)}"
        table.add_row(Text(printable(f"{one}, {other}")), f"{agreed.n:,}", share, kappa)
    console.stderr().print(table)
    if len(pairs) > _MOST:
        _say(f"{len(pairs) - _MOST:,} more pairs: --json")


def _show_checks(votes: Votes) -> None:
    """Print what tells how careful each reviewer was."""
    for who, one in sorted(votes.checked.items()):
        told = []
        if one.twice:
            told.append(f"{one.disagreed:,} of {counted(one.twice, 'card')} shown twice answered differently")
        if one.sentinels:
            told.append(f"{one.missed:,} of {counted(one.sentinels, 'label')} that were wrong on purpose missed")
        if told:
            _say(f"checks of {who}: {', '.join(told)}")


def _coefficient(found: Coefficient | None) -> str:
    return f"{found.value:.3f}{_interval(found.interval)}" if found else "not defined: all votes are for one label"


def _interval(interval: Interval | None) -> str:
    return f" ({interval[0]:.3f} to {interval[1]:.3f})" if interval else ""


def _named(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in sorted(counts.items()))


def _some(names: Iterable[str]) -> str:
    found = sorted(names)
    return ", ".join(found[:EXAMPLES]) + (", ..." if len(found) > EXAMPLES else "")


def _say(line: str, style: str | None = None) -> None:
    console.stderr().print(printable(line), markup=False, style=style, soft_wrap=True)
