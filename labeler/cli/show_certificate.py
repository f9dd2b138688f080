"""Print a certificate: how right the labels of a table are, what has to be known beside it, and groups of faces."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from labeler.words import counted

if TYPE_CHECKING:
    from labeler.certify.by import Group
    from labeler.certify.certified import Certified
    from labeler.certify.groups import Gap


def check(by: str) -> None:
    """Check that faces can be divided into groups so.

    Raises:
        LabelerError: it cannot.
    """
    from labeler.certify import by as grouping

    grouping.check(by)


def finish(table: Path, found: Certified, by: str) -> None:
    """Write a certificate into the record of its table, and print it.

    Raises:
        LabelerError: there is nothing to group ``by``.
        OutputError: the record cannot be written.
    """
    from labeler.certify import by as grouping
    from labeler.certify import certified

    certified.record(table, found)
    show(found)
    if by:
        show_groups(*grouping.certify(found.gathered, by))


def show(found: Certified) -> None:
    """Print the sentence, the threshold that gives the wanted accuracy, how many cards narrow it, and the notes."""
    first, *others = figures(found)
    if found.more:
        others.append(f"about {found.more:,} more cards narrow it to ±{100 * found.within:g} points")
    typer.echo(first)
    for line in [*others, *found.notes()]:
        typer.echo(f"  {line}")


def figures(found: Certified) -> list[str]:
    """Return the sentence, and the threshold that gives the wanted accuracy."""
    from labeler.certify.certified import interval, share

    told = [found.sentence()]
    certain = found.threshold
    if certain:
        accuracy = f"{share(certain.accuracy)} right ({interval(certain.accuracy)})"
        told.append(f"{certain.kept:.0%} of the faces have a score of at least {certain.score:.3f}: {accuracy}")
    elif found.certificate.model.accuracy.value is not None:
        told.append(f"no threshold makes it certain that {found.wanted:.0%} are right")
    return told


def show_groups(groups: list[Group], gap: Gap | None) -> None:
    """Print the accuracy of each group, and the largest gap between two."""
    from labeler.certify.certified import interval, share
    from labeler.errors import printable

    for one in groups:
        accuracy, faces = one.certificate.model.accuracy, one.certificate.model.faces
        told = "too few cards" if accuracy.value is None else f"{share(accuracy)} right ({interval(accuracy)})"
        cards = counted(one.certificate.cards, "card")
        typer.echo(f"  {printable(one.name)}: {told}, {cards} of {counted(faces, 'face')}")
    if not gap:
        typer.echo("  the groups cannot be compared: fewer than two have enough cards")
        return
    low, high = (100 * end for end in gap.interval)
    certain = "" if gap.certain else "; it may be chance"
    higher, lower = (printable(groups[place].name) for place in (gap.higher, gap.lower))
    typer.echo(
        f"  largest gap: {higher} over {lower} by {100 * gap.value:.1f} points ({low:.1f} to {high:.1f}){certain}"
    )
