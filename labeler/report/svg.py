"""Vector plots of aggregates. Each has a title and a description; the same numbers stand in a table beside it."""

from __future__ import annotations

import math
from collections.abc import Sequence

from labeler.report.page import Html, spelled, tag
from labeler.report.style import STEPS

Interval = tuple[float, tuple[float, float]]
"""A share, and the ends of its interval."""

_WIDTH, _LEFT, _RIGHT, _BOTTOM = 320, 38, 8, 30
"""Size of a chart in units that are about a pixel on a phone, and its margins for the axes."""

_LONGEST_LABEL = 28
"""Upper limit on the characters of a name in a chart: as many wide ones fill its width."""


def bar(part: float, longest: float) -> Html:
    """Return a bar for a cell of a table, as long as its share of the longest; the number stands beside it."""
    length = 100 * part / longest if longest else 0
    shown = max(length, 0.5) if part else 0
    return tag(
        "svg",
        tag("rect", width=_short(shown), height=10),
        viewBox="0 0 100 10",
        preserveAspectRatio="none",
        aria_hidden="true",
        height=10,
    )


def histogram(anchor: str, title: str, description: str, counts: Sequence[int]) -> Html:
    """Return a histogram of shares from 0 to 1, in bins of equal width."""
    width, height, floor = 160, 64, 48
    step, highest = width / len(counts), max([*counts, 1])
    bars = [
        tag(
            "rect",
            class_="bar",
            x=_short(place * step + 0.5),
            width=_short(step - 1),
            y=_short(floor - max(floor * count / highest, 1)),
            height=_short(max(floor * count / highest, 1)),
        )
        for place, count in enumerate(counts)
        if count
    ]
    ends = [
        tag("text", end, x=x, y=height - 3, text_anchor=anchor_)
        for end, x, anchor_ in (("0", 0, "start"), ("0.5", width / 2, "middle"), ("1", width, "end"))
    ]
    axis = tag("line", class_="axis", x1=0, x2=width, y1=floor + 0.5, y2=floor + 0.5)
    return chart(anchor, title, description, width, height, *bars, axis, *ends)


def heat_map(anchor: str, title: str, description: str, counts: Sequence[Sequence[int]], across: str, up: str) -> Html:
    """Return a grid of shares from 0 to 1 in both directions; ``counts`` has a row per bin upwards.

    The shade is the square root of the count, so that rare cells are seen beside frequent ones.
    """
    side, most = 28, max([count for row in counts for count in row] or [0], default=0)
    columns, rows = len(counts[0]), len(counts)
    cells = [
        tag(
            "rect",
            class_=f"s{shade(math.sqrt(count), math.sqrt(most))}",
            x=_LEFT + column * side + 1,
            y=(rows - 1 - row) * side + 1,
            width=side - 2,
            height=side - 2,
        )
        for row, found in enumerate(counts)
        for column, count in enumerate(found)
        if count
    ]
    width, height = columns * side, rows * side
    axes = (tag("line", class_="axis", x1=_LEFT, x2=_LEFT, y1=0, y2=height),
            tag("line", class_="axis", x1=_LEFT, x2=_LEFT + width, y1=height, y2=height))  # fmt: skip
    return chart(
        anchor,
        title,
        description,
        _LEFT + width + _RIGHT,
        height + _BOTTOM + 4,
        *cells,
        *axes,
        *_labels(width, height, across, up),
    )


def reliability(
    anchor: str, title: str, description: str, points: Sequence[tuple[float, float, tuple[float, float]]]
) -> Html:
    """Return a reliability diagram: for each bin its mean score, the share that is right, and its 95% interval."""
    width, height = _WIDTH - _LEFT - _RIGHT, 240

    def at(score: float, share: float) -> tuple[str, str]:
        return _short(_LEFT + width * score), _short(height - height * share)

    spreads = []
    dots = []
    for score, share, (low, high) in points:
        (x, bottom), (_, top) = at(score, low), at(score, high)
        spreads.append(tag("line", class_="spread", x1=x, x2=x, y1=bottom, y2=top))
        x, y = at(score, share)
        dots.append(tag("circle", class_="dot", cx=x, cy=y, r=3.5))
    curve = " ".join(",".join(at(score, share)) for score, share, _ in points)
    lines = [
        tag("line", class_="grid", x1=_LEFT, x2=_LEFT + width, y1=y, y2=y)
        for y in (0, height / 4, height / 2, height * 3 / 4)
    ]
    even = tag("line", class_="even", x1=_LEFT, y1=height, x2=_LEFT + width, y2=0)
    axis = tag("line", class_="axis", x1=_LEFT, x2=_LEFT + width, y1=height, y2=height)
    return chart(
        anchor,
        title,
        description,
        _WIDTH,
        height + _BOTTOM + 4,
        *lines,
        even,
        *spreads,
        tag("polyline", class_="curve", points=curve),
        *dots,
        axis,
        *_labels(width, height, "score", "share that is right"),
    )


def intervals(
    anchor: str,
    title: str,
    description: str,
    pairs: Sequence[tuple[str, Interval | None, Interval | None]],
    names: tuple[str, str],
) -> Html:
    """Return two shares of each of some things with their intervals, from 0 to 1, one below the other.

    The first has a circle, the second, whose colour differs, a square. None is told as too few.
    """
    start, step, line = 6, 46, 12
    width, height = _WIDTH - start - _RIGHT, len(pairs) * step + 16

    def shown(share: Interval | None, y: float, *, second: bool) -> list[Html]:
        kind = " second" if second else ""
        if share is None:
            return [tag("text", f"{names[second]}: too few cards", x=start, y=y + 4)]
        value, ends = share
        low, high, at = (start + width * end for end in (*ends, value))
        spread = tag("line", class_=f"spread{kind}", x1=_short(low), x2=_short(high), y1=y, y2=y)
        square = tag("rect", class_=f"dot{kind}", x=_short(at - 3), y=_short(y - 3), width=6, height=6)
        return [spread, square if second else tag("circle", class_="dot", cx=_short(at), cy=y, r=3.5)]

    shapes = []
    for place, (label, first, second) in enumerate(pairs):
        top = 16 + place * step
        shapes.append(tag("text", spelled(label, _LONGEST_LABEL), class_="label", x=start, y=top + 10))
        shapes += [*shown(first, top + 10 + line, second=False), *shown(second, top + 10 + 2 * line, second=True)]
    lines = [
        tag("line", class_="grid", x1=_short(x), x2=_short(x), y1=12, y2=height)
        for x in (start + width * quarter / 4 for quarter in range(5))
    ]
    legend = [
        tag("circle", class_="dot", cx=start + 4, cy=2, r=3.5),
        tag("text", names[0], x=start + 12, y=6),
        tag("rect", class_="dot second", x=start + 85, y=-1, width=6, height=6),
        tag("text", names[1], x=start + 96, y=6),
    ]
    axis = tag("line", class_="axis", x1=start, x2=start + width, y1=height, y2=height)
    ends = [
        tag("text", f"{share}%", x=_short(start + width * share / 100), y=height + 14, text_anchor=anchor_)
        for share, anchor_ in ((0, "start"), (50, "middle"), (100, "end"))
    ]
    return chart(anchor, title, description, _WIDTH, height + 18, *legend, *lines, axis, *shapes, *ends)


def chart(anchor: str, title: str, description: str, width: float, height: float, *shapes: Html) -> Html:
    """Return an image made of shapes; a screen reader says its title and description."""
    return tag(
        "svg",
        tag("title", title, id=f"{anchor}-name"),
        tag("desc", description, id=f"{anchor}-description"),
        *shapes,
        class_="chart",
        role="img",
        aria_labelledby=f"{anchor}-name {anchor}-description",
        viewBox=f"0 -6 {_short(width)} {_short(height + 6)}",
        width=_short(width),
        height=_short(height + 6),
    )


def shade(count: float, most: float) -> int:
    """Return the step of a shade, 0 for nothing and else 1 to `STEPS`, by the share of the most."""
    return max(1, round(STEPS * count / most)) if count else 0


def _labels(width: float, height: float, across: str, up: str) -> list[Html]:
    """Return the ends and the names of both axes, from 0 to 1."""
    return [
        tag("text", "0", x=_LEFT, y=height + 14, text_anchor="start"),
        tag("text", "1", x=_LEFT + width, y=height + 14, text_anchor="end"),
        tag("text", across, x=_LEFT + width / 2, y=height + 26, text_anchor="middle"),
        tag("text", "0", x=_LEFT - 6, y=height, text_anchor="end"),
        tag("text", "1", x=_LEFT - 6, y=8, text_anchor="end"),
        tag("text", up, transform=f"translate(12 {_short(height / 2)}) rotate(-90)", text_anchor="middle"),
    ]


def _short(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
