"""How labels, scores and faces are distributed: bars in tables, histograms, a heat map."""

from __future__ import annotations

from collections.abc import Sequence

from labeler.report import svg
from labeler.report.aggregates import (
    CLOSE,
    FACES,
    GRID_BINS,
    MOST_FOLDERS,
    OTHERS,
    SCORE_BINS,
    SIZES,
    Aggregates,
    ranked,
)
from labeler.report.page import Html, Section, details, joined, name, note, share, table, tag
from labeler.words import counted

_FOLDERS_SHOWN, _LABELS_BESIDE, _PAIRS_SHOWN = 50, 10, 10
"""Upper limits on the rows of the table of folders, on its columns of labels, and on the pairs."""


def labels(aggregates: Aggregates) -> Section:
    """Return the section on the labels: how many faces have each, and the scores of each."""
    order = [label for label, _ in aggregates.labels.most_common()]
    counts = table(
        "Faces by label",
        ("label", "faces", "share", "median score", ""),
        [
            (
                name(label),
                aggregates.labels[label],
                share(aggregates.labels[label], aggregates.faces),
                _median(aggregates.scores[label]),
                svg.bar(aggregates.labels[label], aggregates.labels[order[0]]),
            )
            for label in order
        ],
        class_="bars",
    )
    if not order:
        counts = note("No face was labelled.")
    return Section(anchor="labels", title="Labels", content=joined(counts, _scores(aggregates), _pairs(aggregates)))


def faces(aggregates: Aggregates) -> Section:
    """Return the section on the faces: sizes, faces per photo, score and detector confidence."""
    sizes = _binned("Size of the faces: the longer side of the box", "pixels", "faces", SIZES, aggregates.sizes)
    per_photo = _binned("Faces per photo", "faces", "photos", FACES, aggregates.photos_by_faces)
    whole = (
        note(f"{aggregates.whole:,} faces are whole photos, taken as face crops: no detector looked at them.")
        if aggregates.whole
        else ""
    )
    content = joined(tag("div", sizes, per_photo, class_="columns"), whole, _grid(aggregates))
    return Section(anchor="sizes", title="Sizes and detection", content=content)


def folders(aggregates: Aggregates) -> Section | None:
    """Return the section on folders and labels; None where there are not several."""
    found = aggregates.folders
    if len(found) < 2:
        return None
    beside = [label for label, _ in aggregates.labels.most_common(_LABELS_BESIDE)]
    shown = sorted(found, key=lambda one: (one == OTHERS, -found[one].photos, one))[:_FOLDERS_SHOWN]
    rows = [
        (
            name(one) if one else "(none)",
            found[one].photos,
            found[one].labels.total(),
            *(share(found[one].labels[label], found[one].labels.total()) for label in beside),
        )
        for one in shown
    ]
    head = ("folder", "photos", "faces", *map(name, beside))
    made = table("Labels by folder: shares of its faces", head, rows, wide=True, class_="numbers")
    left = len(found) - len(shown)
    more = f"The {len(shown)} largest of {len(found):,}{' or more' if len(found) > MOST_FOLDERS else ''} folders. "
    told = note(more if left else "", "A folder is the first part of a photo's name.")
    return Section(anchor="folders", title="Folders", content=joined(made, told))


def _scores(aggregates: Aggregates) -> Html:
    order = ranked(aggregates.scores, aggregates.class_names)
    charts = [
        tag(
            "li",
            tag("h4", name(label), " ", tag("small", counted(aggregates.labels[label], "face"))),
            svg.histogram(
                f"scores-{place}",
                f"Scores of {label}",
                f"Histogram of the scores of {aggregates.labels[label]:,} faces from 0 to 1; the median is "
                f"{_median(aggregates.scores[label])}.",
                aggregates.scores[label],
            ),
        )
        for place, label in enumerate(order)
    ]
    rows = [
        (_span(place, SCORE_BINS), *(aggregates.scores[label][place] for label in order))
        for place in range(SCORE_BINS)
        if any(aggregates.scores[label][place] for label in order)
    ]
    numbers = table("Faces by score and label", ("score", *map(name, order)), rows, wide=True, class_="numbers")
    if not order:
        return Html()
    told = note("A score is the probability of the label. Each histogram has a height of its own.")
    return joined(
        tag("h3", "Scores by label"),
        told,
        tag("ul", *charts, class_="charts"),
        details("The numbers of these charts", numbers),
    )


def _pairs(aggregates: Aggregates) -> Html:
    found = [(pair, count) for pair, count in aggregates.pairs.most_common() if pair[0] != OTHERS][:_PAIRS_SHOWN]
    if not found:
        return Html()
    rows = [
        (
            joined(name(one), " / ", name(other)),
            count,
            share(count, aggregates.faces),
            svg.bar(count, found[0][1]),
        )
        for (one, other), count in found
    ]
    caption = f"Classes that are often close: the two most probable, less than {CLOSE:g} apart"
    return joined(tag("h3", "Close calls"), table(caption, ("classes", "faces", "share", ""), rows, class_="bars"))


def _grid(aggregates: Aggregates) -> Html:
    grid = aggregates.grid
    total = sum(map(sum, grid))
    if not total:
        return Html()
    title = "Score beside detector confidence"
    plot = svg.heat_map(
        "grid",
        title,
        f"Number of faces by score, from left to right, and by detector confidence, upwards; {total:,} faces. The "
        "darker, the more.",
        grid,
        "score of the label",
        "detector confidence",
    )
    rows = [(_span(place, GRID_BINS), *grid[place]) for place in reversed(range(GRID_BINS)) if any(grid[place])]
    head = ("confidence", *(_span(place, GRID_BINS) for place in range(GRID_BINS)))
    caption = "Faces by detector confidence (rows) and score (columns)"
    numbers = table(caption, head, rows, wide=True, class_="numbers")
    return joined(tag("h3", title), plot, details("The numbers of this chart", numbers))


def _binned(caption: str, what: str, of: str, edges: Sequence[int], counts: Sequence[int]) -> Html:
    """Return a table of bins with bars, from the first to the last that is not empty."""
    filled = [place for place, count in enumerate(counts) if count]
    places = range(filled[0], filled[-1] + 1) if filled else range(0)
    total, highest = sum(counts), max([*counts, 1])
    rows = [
        (_bin_name(edges, place), counts[place], share(counts[place], total), svg.bar(counts[place], highest))
        for place in places
    ]
    return table(caption, (what, of, "share", ""), rows, class_="bars")


def _bin_name(edges: Sequence[int], place: int) -> str:
    if place == len(edges) - 1:
        return f"{edges[place]:,} or more"
    first, last = edges[place], edges[place + 1] - 1
    return f"{first:,}" if first == last else f"{first:,} to {last:,}"


def _span(place: int, bins: int) -> str:
    return f"{place / bins:.2f} to {(place + 1) / bins:.2f}"


def _median(counts: Sequence[int]) -> str:
    """Return the middle of the bin that holds the median."""
    half, passed = sum(counts) / 2, 0
    for place, count in enumerate(counts):
        passed += count
        if count and passed >= half:
            return f"{(place + 0.5) / len(counts):.2f}"
    return "–"
