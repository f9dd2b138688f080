"""How right the labels are, by a random sample looked at blind: figures, a chart, what has to be known."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from labeler.certify.certified import Certified, interval, share
from labeler.certify.figures import ClassFigures, Figure
from labeler.report import svg
from labeler.report.aggregates import Aggregates
from labeler.report.page import Cell, Html, Section, facts, figures, joined, name, note, table, tag
from labeler.words import counted

_MOST_DRAWN, _MOST_LISTED = 20, 60
"""Upper limits on the classes of the chart, those with the most cards, and of the table."""


def section(found: Aggregates, table_name: str) -> Section | None:
    """Return the section; one line of advice where there is no blind card, and None where there is no face."""
    if not found.faces:
        return None
    one = found.certified
    content = _certified(one, found.class_names) if one else _unknown(found.earlier, table_name)
    return Section(anchor="right", title="How right the labels are", content=content)


def _unknown(earlier: int, table_name: str) -> Html:
    told = "not known: nobody has looked at a random sample of the faces blind"
    if earlier:
        told = f"not known: {counted(earlier, 'blind answer')} are of another draw, before the table was changed"
    command = tag("code", name(f"labeler review {shlex.quote(table_name)} --certify"))
    return note(f"That is {told}. ", command, " shows one.")


def _certified(one: Certified, class_names: Sequence[str]) -> Html:
    model, now, rest = one.certificate.model, one.certificate.now, one.certificate.rest
    big = [
        _figure("right as the model labelled", model.accuracy),
        _figure("right as corrected", now.accuracy),
        _figure(f"right of the {counted(rest.labelled, 'face')} that nobody has looked at", rest.accuracy),
    ]
    return joined(
        tag("p", one.sentence(), class_="lead"),
        figures([pair for pair in big if pair]),
        facts(_facts(one)),
        *map(note, one.notes()),
        _classes(model.classes, class_names),
    )


def _figure(what: str, figure: Figure) -> tuple[object, object] | None:
    return None if figure.value is None else (f"{what} ({interval(figure)})", share(figure))


def _facts(one: Certified) -> list[tuple[str, object]]:
    certificate, certain = one.certificate, one.threshold
    checks = certificate.reviewer.checks
    above = (
        f"{certain.score:.3f}, which {certain.kept:.0%} of the faces reach: {share(certain.accuracy)} of their labels "
        f"are right ({interval(certain.accuracy)})"
        if certain
        else "none makes it certain"
    )
    by = [joined(", " if place else "", name(who), f" {count:,}")
          for place, (who, count) in enumerate(one.gathered.reviewers.most_common(_MOST_DRAWN))]  # fmt: skip
    left = certificate.rest.accuracy
    return [
        ("looked at blind", f"{counted(certificate.cards, 'face')} of {certificate.model.faces:,}"),
        ("by", joined(*by)),
        ("wrong labels that remain", _remaining(left, certificate.rest.labelled)),
        ("no faces", _share_of_faces(certificate.model.not_a_face)),
        ("not to be told", _share_of_faces(certificate.model.unsure)),
        (f"score for {one.wanted:.0%} right", above if certificate.model.accuracy.value is not None else ""),
        (f"more cards for ±{100 * one.within:g} points", f"about {one.more:,}" if one.more else ""),
        ("cards shown twice", f"{checks.disagreed:,} of {checks.twice:,} answered differently" if checks.twice else ""),
        ("wrong labels on purpose", f"{checks.missed:,} of {checks.sentinels:,} missed" if checks.sentinels else ""),
    ]


def _remaining(right: Figure, labelled: int) -> str:
    if right.value is None or right.interval is None or not labelled:
        return ""
    low, high = right.interval
    few, most, about = (round(labelled * (1 - end)) for end in (high, low, right.value))
    return f"about {about:,} ({few:,} to {most:,}) of the {labelled:,} that nobody has looked at"


def _share_of_faces(figure: Figure) -> str:
    return "" if figure.value is None else f"{share(figure)} of the faces ({interval(figure)})"


def _classes(classes: Sequence[ClassFigures], class_names: Sequence[str]) -> Html:
    named = list(zip(class_names, classes, strict=True))
    named.sort(key=lambda one: -(one[1].precision.cards + one[1].recall.cards))
    listed = {label for label, _ in named[:_MOST_LISTED]}
    drawn = {label for label, _ in named[:_MOST_DRAWN]}
    in_order = [(label, one) for label, one in zip(class_names, classes, strict=True) if label in listed]
    rows = [(name(label), *_told(one.precision), *_told(one.recall), *_told(one.share)) for label, one in in_order]
    head = ("class", "precision", "95% interval", "recall", "95% interval", "share", "95% interval")
    more = len(named) - len(in_order)
    plot = svg.intervals(
        "right-classes",
        "Precision and recall of each class",
        "For each class a line from the lower to the upper end of the 95% interval, with the figure on it: precision, "
        "a circle, above; recall, a square, below.",
        [(label, _ends(one.precision), _ends(one.recall)) for label, one in in_order if label in drawn],
        ("precision", "recall"),
    )
    return joined(
        tag("h3", "By class"),
        note(
            "Precision: how many of the faces with the label are of the class. Recall: how many of the faces of the "
            "class have the label; a face that the detector missed is in no figure. Both are of the model's labels."
        ),
        plot,
        table("Precision, recall and share of each class, with 95% intervals", head, rows, wide=True, class_="numbers"),
        note(f"Left out, with fewer cards: {more:,}. labeler show --json has all.") if more else "",
    )


def _told(figure: Figure) -> tuple[object, object]:
    return ("–", Cell("too few cards", "n")) if figure.value is None else (share(figure), interval(figure))


def _ends(figure: Figure) -> svg.Interval | None:
    if figure.value is None or figure.interval is None:
        return None
    return figure.value, figure.interval
