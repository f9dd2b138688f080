"""The labels beside the truth: confusion matrix, figures of each class with intervals, calibration, mistakes."""

from __future__ import annotations

from labeler.evaluation.confusion import Figures
from labeler.records import Row
from labeler.report import svg
from labeler.report.aggregates import Aggregates
from labeler.report.gallery import Group, Strip
from labeler.report.overview import interval, listed, reliability
from labeler.report.page import Cell, Html, Section, facts, figures, joined, name, note, table, tag
from labeler.report.sprites import said
from labeler.report.truth import Judged

_LONGEST_NOTE = 500
_MOST_IN_MATRIX, _CONFUSIONS_SHOWN = 20, 20
"""Upper limits on the classes of a matrix, which grows with their square, and on the confusions listed instead."""


def section(judged: Judged, faces: Html) -> Section:
    """Return the section on the truth; ``faces`` shows the mistakes."""
    found = judged.figures()
    left = ", ".join(f"{count:,} {reason}" for reason, count in judged.left_out.items())
    overall = [
        (f"accuracy ({interval(*found.accuracy_interval)})", f"{found.accuracy:.1%}"),
        (f"macro-F1 ({interval(*found.macro_f1_interval)})", f"{found.macro_f1:.1%}"),
        ("always the most frequent class", f"{found.majority_baseline:.1%}"),
        ("photos", found.n),
    ]
    about = [
        ("compared with", name(judged.against)),
        ("left out", left),
        ("not used of the truth", name("; ".join(judged.unused), _LONGEST_NOTE)),
        ("classes that the model lacks", listed(judged.unknown)),
    ]
    uncertain = note(
        "An uncertain face counts with its most probable class. Only the largest face of a photo is compared."
    )
    content = joined(
        figures(overall),
        facts(about),
        uncertain,
        _per_class(found),
        _confusion(found),
        reliability("truth-curve", "Reliability on these photos", judged.bins),
        faces,
    )
    return Section(anchor="truth", title="Beside the truth", content=content)


def mistakes(judged: Judged, aggregates: Aggregates) -> list[Group]:
    """Return the wrong labels with the highest scores, each beside its true class."""

    def caption(row: Row) -> Html:
        true = name(judged.true_class(aggregates.below(row.file)))
        return joined(said(row), " ", tag("span", "not ", true, class_="said"))

    rows = judged.mistakes.rows()
    strips = [Strip(Html("score and label, then the true class"), rows)]
    return [Group("mistakes", Html("Surest mistakes"), strips, caption)] if rows else []


def _per_class(found: Figures) -> Html:
    head = ("class", "precision", "95% interval", "recall", "95% interval", "F1", "95% interval", "photos")
    rows = [
        (
            name(label),
            f"{one.precision:.1%}",
            interval(*one.precision_interval),
            f"{one.recall:.1%}",
            interval(*one.recall_interval),
            f"{one.f1:.1%}",
            interval(*one.f1_interval),
            one.support,
        )
        for label, one in found.per_class.items()
    ]
    return joined(
        tag("h3", "By class"),
        table("Precision, recall and F1 of each class, with 95% intervals", head, rows, wide=True, class_="numbers"),
    )


def _confusion(found: Figures) -> Html:
    names = list(found.per_class)
    if len(names) > _MOST_IN_MATRIX:
        return _confusions(found, names)
    rows = []
    for label, counts in zip(names, found.confusion, strict=True):
        total = sum(counts)
        rows.append((name(label), *(_shaded(count, total) for count in counts), total))
    made = table(
        "Photos by true class (rows) and label (columns); the shade is the share of the row",
        ("true class", *map(name, names), "all"),
        rows,
        wide=True,
        class_="matrix",
    )
    return joined(tag("h3", "Confusion matrix"), made)


def _shaded(count: int, total: int) -> Cell:
    return Cell(count, f"s{svg.shade(count, total)}")


def _confusions(found: Figures, names: list[str]) -> Html:
    wrong = [
        (count, true, answer)
        for true, counts in zip(names, found.confusion, strict=True)
        for answer, count in zip(names, counts, strict=True)
        if count and answer != true
    ]
    wrong.sort(key=lambda one: -one[0])
    rows = [(joined(name(true), " → ", name(answer)), count) for count, true, answer in wrong[:_CONFUSIONS_SHOWN]]
    caption = f"The most frequent of {len(wrong):,} confusions: true class → label"
    return joined(tag("h3", "Confusions"), table(caption, ("classes", "photos"), rows, class_="numbers"))
