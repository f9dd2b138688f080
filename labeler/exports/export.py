"""Export a table as a data set: choose its items, place or pack their pictures, write what stands beside them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

from labeler import storage
from labeler.errors import LabelerError, NoPicturesError, printable
from labeler.executors.threads import ahead
from labeler.exports import card, croissant, marker, settings
from labeler.exports.card import Counts
from labeler.exports.chosen import Chosen
from labeler.exports.format import Format
from labeler.exports.formats import FORMATS, suited
from labeler.exports.imagefolder import MOST_FILES
from labeler.exports.item import Item, Plan
from labeler.exports.pictures import Pictures
from labeler.exports.placing import Placing
from labeler.exports.settings import ExportSettings
from labeler.images.picture import ImageError
from labeler.records import EXAMPLES, Mode
from labeler.storage import atomic
from labeler.storage.address import is_remote
from labeler.storage.names import ADVICE
from labeler.watched import Watched, unwatched


@dataclass(kw_only=True)
class Exported:
    """What an export holds, and what it does not."""

    out: Path
    format: str
    pictures: dict[str, dict[str, int]]
    """Their number by subset and class; an export that is not split has one subset, without a name."""
    faces: int
    left_out: dict[str, int]
    """The number of files and faces that have no class to export, by reason."""
    unreadable: int
    """How many pictures could not be read."""
    examples: list[str]
    """The first few of those, with the reason."""
    groups: int = 0
    """How many groups of near copies, of faces of one photo, and of files with one key a split keeps whole."""
    hashes_not_kept: str = ""
    """Why the hashes that a split needs have to be computed again next time; empty if they have not."""
    complete_before: bool = False
    """Whether an earlier run had finished it."""

    @property
    def exit_code(self) -> int:
        """Return 0, or 1 if pictures could not be read."""
        return 1 if self.unreadable else 0

    def as_json(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {**asdict(self), "out": str(self.out)}


def export(wanted: ExportSettings, watched: Watched = unwatched) -> Exported:
    """Export a table into a folder. The same command continues a run that was stopped.

    Raises:
        LabelerError: the table cannot be read, its files are not where they were, options contradict each other, or
            the folder holds something else.
        NoPicturesError: no face has a class to export.
        OutputError: the export cannot be written.
    """
    plan = settings.plan(wanted)
    with marker.opened(wanted.out, settings.identity(wanted, plan)) as mark:
        if mark.figures is not None:
            return _finished(wanted.out, mark.figures)
        made = _made(wanted, plan, watched)
        kept = asdict(made)
        mark.write({name: kept[name] for name in kept if name not in {"out", "complete_before"}})
    return made


def _finished(out: Path, figures: dict[str, Any]) -> Exported:
    try:
        return Exported(out=out, complete_before=True, **figures)
    except TypeError as exc:
        raise LabelerError(f"{out / marker.NAME} is of another version of labeler; choose another --out") from exc


def _made(wanted: ExportSettings, plan: Plan, watched: Watched) -> Exported:
    chosen = Chosen(wanted, plan, watched)
    plan = _suited(plan, chosen)
    counts = Counts(left_out=chosen.assigned.unreadable if chosen.assigned else 0)
    examples: list[str] = []
    reads = plan.crops or plan.mode is Mode.COPY
    with (
        FORMATS[plan.format](plan) as form,
        ahead(_work(form, plan, wanted), threaded=reads, waiting=is_remote(plan.root)) as working,
    ):
        for item, work in working.of(chosen.items("exporting")):
            try:
                _add(form, plan, item, work)
            except ImageError as exc:
                counts.left_out += 1
                if len(examples) < EXAMPLES:
                    examples.append(printable(f"{item.file}: {exc.reason}"))
            else:
                counts.add(item)
        if not counts.pictures:
            raise NoPicturesError(_nothing(chosen, counts))
    atomic.write(plan.out / card.NAME, card.card(plan, counts), ADVICE)
    croissant.write(plan, counts)
    return Exported(
        out=plan.out,
        format=plan.format,
        pictures=_by_subset(plan, counts),
        faces=counts.faces,
        left_out=dict(chosen.left_out),
        unreadable=counts.left_out,
        examples=examples,
        groups=chosen.assigned.groups if chosen.assigned else 0,
        hashes_not_kept=chosen.assigned.not_kept if chosen.assigned else "",
    )


def _suited(plan: Plan, chosen: Chosen) -> Plan:
    """Return the plan in the format that suits so many items."""
    few = 0 < (chosen.most or 0) <= MOST_FILES
    if few or plan.mode is not Mode.COPY or suited(plan.format, MOST_FILES + 1) == plan.format:
        return plan
    number = sum(1 for _ in islice(chosen.items("counting"), MOST_FILES + 1))
    return replace(plan, format=suited(plan.format, number))


def _work(form: Format, plan: Plan, wanted: ExportSettings) -> Callable[[Item], Any]:
    """Return what is done about the picture of an item: read it to pack it, or place it."""
    read = Pictures(storage.at(plan.root), wanted.max_pixels, keep_metadata=wanted.keep_metadata).read
    if form.packs:
        return read
    placing = Placing(plan, read)
    return lambda item: placing.place(item, form.path(item))


def _add(form: Format, plan: Plan, item: Item, work: Callable[[], Any]) -> None:
    """Add an item to the export, once its picture is placed; a format that packs it asks for it.

    Raises:
        ImageError: its picture cannot be read.
    """
    if plan.mode and form.packs:
        item = replace(item, content=work)
    elif plan.mode:
        work()
    form.add(item)


def _by_subset(plan: Plan, counts: Counts) -> dict[str, dict[str, int]]:
    return {
        subset: {name: counts.pictures[subset, name] for name in plan.class_names}
        for subset in plan.subsets or ("",)
    }  # fmt: skip


def _nothing(chosen: Chosen, counts: Counts) -> str:
    why = [f"{number:,} {reason}" for reason, number in chosen.left_out.most_common()]
    if counts.left_out:
        why.append(f"{counts.left_out:,} could not be read")
    return f"there is nothing to export: {', '.join(why) or 'the table has no rows'}"
