"""The faces that are shown, section by section, and the photos that have none."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from labeler.records import FAILURES, Row, Status
from labeler.report.aggregates import CLOSE, NAMES, OTHERS, Aggregates, Reason, ranked
from labeler.report.page import Html, Section, details, joined, name, note, table, tag
from labeler.report.sprites import MOST_FACES, Album, Sprite, said, strip
from labeler.report.truth import MISTAKES
from labeler.words import counted

_PAIRS_SHOWN, _PER_PAIR, _REASONS_SHOWN = 6, 6, 40


class Strip(NamedTuple):
    """A heading, and the faces below it."""

    heading: Html
    rows: list[Row]


class Group(NamedTuple):
    """Strips of faces that share one sprite."""

    anchor: str
    heading: Html
    strips: list[Strip]
    caption: Callable[[Row], object] = said
    """Returns what is said of a face beside its file."""

    @property
    def rows(self) -> list[Row]:
        """Return all rows of the group."""
        return [row for strip in self.strips for row in strip.rows]


def per_strip(samples: int, labels: int) -> int:
    """Return how many faces each strip may have, so that the page keeps below `MOST_FACES`."""
    others = _PAIRS_SHOWN * _PER_PAIR + MISTAKES
    return min(samples, (MOST_FACES - others) // (3 * labels + 1))


def of_labels(aggregates: Aggregates, most: int) -> list[Group]:
    """Return the surest, the least sure and random faces of each label."""
    found = []
    for place, label in enumerate(ranked(aggregates.picked, aggregates.class_names)):
        picked = aggregates.picked[label]
        kinds = (
            ("surest", picked.surest.rows()),
            ("least sure", picked.least_sure.rows()),
            ("random sample", picked.sample.rows()),
        )
        strips = [Strip(Html(kind), rows[:most]) for kind, rows in kinds if rows[:most]]
        count = counted(aggregates.labels[label], "face")
        if strips and aggregates.labels[label] <= most:  # All faces are in each of the three.
            strips = [Strip(Html("all, the surest first"), strips[0].rows)]
        if strips:
            found.append(Group(f"label-{place}", joined(name(label), " ", tag("small", count)), strips))
    return found


def of_pairs(aggregates: Aggregates) -> list[Group]:
    """Return the faces whose two most probable classes are closest, for the most frequent pairs."""
    shown = [pair for pair, _ in aggregates.pairs.most_common() if pair[0] != OTHERS][:_PAIRS_SHOWN]
    strips = [
        Strip(
            joined(name(pair[0]), " / ", name(pair[1]), " ", tag("small", counted(aggregates.pairs[pair], "face"))),
            aggregates.pair_examples[pair].rows(),
        )
        for pair in shown
    ]
    return [Group("pairs", Html("Closest calls"), strips)] if strips else []


def of_photos_without_face(aggregates: Aggregates, most: int) -> list[Group]:
    """Return a random sample of photos in which no face was found."""
    rows = aggregates.without_face.rows()[:most]
    return [Group("no-face", Html("Photos without a face"), [Strip(Html("random sample"), rows)])] if rows else []


def shown(groups: Iterable[Group], album: Album | None) -> Iterator[Html]:
    """Yield each group as HTML: with its faces, or without an album as text alone."""
    for group in groups:
        sprite = Sprite(group.anchor, group.rows, album) if album else None
        yield tag("h3", group.heading)
        yield sprite.definition() if sprite else Html()
        for one in group.strips:
            yield joined(tag("h4", one.heading), strip(one.rows, sprite, group.caption))


def faces(groups: list[Group], album: Album | None, most: int, asked: int) -> Section:
    """Return the section of faces by label, and of the closest calls."""
    told = [
        f"Of each label: the faces with the highest and the lowest scores, and a random sample; up to {most} of each.",
        f" Closest calls: the two most probable classes are less than {CLOSE:g} apart.",
        f" {asked} were asked for; a page holds {MOST_FACES}." if most < asked else "",
    ]
    if not album:
        told.append(" Pictures were left out (--no-pictures).")
    elif album.changed:
        told.append(f" Changed since they were labelled: {len(album.changed):,} of these files.")
    content = joined(note(*told), *shown(groups, album))
    return Section(anchor="faces", title="Faces", content=content)


def without_label(aggregates: Aggregates, groups: list[Group], album: Album | None) -> Section | None:
    """Return the section on photos without a label, by reason; None where all have one and none is damaged."""
    order = {status: (status not in FAILURES, place) for place, status in enumerate(Status)}
    found = sorted(aggregates.reasons.values(), key=lambda one: (order[one.status], -one.count))
    if not found:
        return None
    rows = [(one.status, _with_names(one), one.count) for one in found[:_REASONS_SHOWN]]
    summary = table("Photos by status and reason", ("status", "reason", "photos"), rows, class_="reasons")
    more = len(found) - len(rows)
    told = note(f"{more:,} more reasons are left out.") if more > 0 else ""
    content = joined(summary, told, *shown(groups, album))
    return Section(anchor="without-label", title="Photos without a label", content=content)


def _with_names(reason: Reason) -> Html:
    """Return a reason, and the name of its file; the names of several are folded away."""
    count, why = reason.count, name(reason.reason or "no reason given")
    if count == 1:
        return joined(why, tag("div", name(reason.names[0]), class_="names"))
    first = counted(count, "name") if count <= NAMES else f"the first {NAMES} of {count:,} names"
    names = tag("ul", *(tag("li", name(file)) for file in reason.names), class_="names")
    return joined(why, details(first, names))
