"""What the command export reads from its options and prints."""

from __future__ import annotations

from rich.table import Table
from rich.text import Text

from labeler.console import stderr
from labeler.errors import LabelerError
from labeler.exports.export import Exported


def shares(text: str) -> tuple[float, ...]:
    """Return the shares of the subsets that ``text`` names; none for an empty text.

    Raises:
        LabelerError: they are no numbers.
    """
    try:
        return tuple(float(share) for share in text.split(",")) if text else ()
    except ValueError:
        raise LabelerError(f"--split {text}: write shares with commas between them, such as 0.8,0.1,0.1") from None


def show(made: Exported) -> None:
    """Print how many pictures of each class the export has, and how many it has not, and why."""
    console = stderr()
    total = sum(sum(counts.values()) for counts in made.pictures.values())
    faces = f" with {made.faces:,} faces" if made.faces != total else ""
    console.print(f"{made.out}: {total:,} pictures{faces}, as {made.format}", markup=False, soft_wrap=True)
    console.print(_classes(made))
    if made.groups:
        console.print(f"split into whole groups of near copies and faces of one photo: {made.groups:,}")
    if made.hashes_not_kept:
        console.print(f"hashes not kept: {made.hashes_not_kept}", markup=False, style="yellow", soft_wrap=True)
    if made.left_out:
        why = ", ".join(f"{number:,} {reason}" for reason, number in sorted(made.left_out.items()))
        console.print(f"left out: {why}", markup=False, soft_wrap=True)
    if made.unreadable:
        console.print(f"could not be read: {made.unreadable:,}", style="red", soft_wrap=True)
    for example in made.examples:
        console.print(Text(f"  {example}", "red"), soft_wrap=True)
    if made.complete_before:
        console.print("the export was complete already")


def _classes(made: Exported) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("label")
    for subset in made.pictures:
        table.add_column(subset or "pictures", justify="right")
    for name in next(iter(made.pictures.values())):
        numbers = [counts[name] for counts in made.pictures.values()]
        if any(numbers):
            table.add_row(Text(name), *(f"{number:,}" for number in numbers))
    return table
