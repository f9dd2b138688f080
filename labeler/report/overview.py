"""What was run: the files that were found, the model and what is known of it, the settings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from labeler.evaluation import intervals
from labeler.evaluation.calibration import Bin
from labeler.inference.bundle import Card
from labeler.records import FAILURES, Status
from labeler.report import svg
from labeler.report.aggregates import Aggregates
from labeler.report.page import Html, Section, details, facts, figures, joined, name, note, share, table, tag
from labeler.tables.corrections import Counts
from labeler.tables.run_record import RunRecord
from labeler.words import counted

_NAMED_INPUTS, _NAMED_CLASSES, _NAMED_REVIEWERS, _NAMED_ORPHANS = 5, 60, 20, 20
_LONGEST_VALUE, _MOST_BINS, _LARGEST = 300, 100, 10**12
_SHOWN_IN_FULL = 12
"""Digits of a SHA-256 that are shown."""


def found(aggregates: Aggregates, record: RunRecord | None, root: str) -> Section:
    """Return the section on the photos that were found, and how."""
    statuses = aggregates.statuses
    failed = sum(statuses[status] for status in FAILURES)
    counts = [("photos", aggregates.files), ("faces", aggregates.faces), ("without a face", statuses[Status.NO_FACE]),
              ("damaged", statuses[Status.DAMAGED]), ("failed", failed)]  # fmt: skip
    shown = [status for status in Status if statuses[status] or status is Status.OK]
    sum_of = " + ".join(f"{statuses[status]:,} {status}" for status in shown)
    big = figures(counts)
    run = [("folder", name(root) if root else ""), *(_run(record) if record else []), *_reviews(aggregates.reviews)]
    missing = "" if record else note("There is no run record beside the table that says how it was made.")
    settings = _settings(record.settings) if record and record.settings else ""
    content = joined(big, note(f"{aggregates.files:,} files = {sum_of}"), facts(run), missing, settings)
    return Section(anchor="run", title="What was run", content=content)


def model(record: RunRecord | None, card: Card | None) -> Section:
    """Return the section on the model: its figures as they were measured, and its reliability curve."""
    measured = record.model_figures if record else {}
    big = [
        (joined("accuracy ", _interval(measured, "accuracy")), _share(measured.get("accuracy"))),
        (joined("macro-F1 ", _interval(measured, "macro_f1")), _share(measured.get("macro_f1"))),
        ("always the most frequent class", _share(measured.get("majority_baseline"))),
        ("calibration error (ECE)", _share(measured.get("ece"))),
        ("photos", _count(measured.get("n"))),
    ]
    pairs = [
        ("model", joined(name(record.model), f" (SHA-256 {record.model_sha256[:_SHOWN_IN_FULL]}…)") if record else ""),
        ("measured on", _words(measured, "data")),
        ("compared with", _words(measured, "against")),
        ("training data", name(card.training_data, _LONGEST_VALUE) if card else ""),
        ("licence", name(card.licence, _LONGEST_VALUE) if card else ""),
    ]
    caution = note(
        "These figures were measured on other photos. How often the labels are right on these, only a comparison with "
        "labels of people can tell."
    )
    none = "" if measured else note("The table does not say how the model was measured.")
    bins = _bins(measured.get("reliability"))
    curve = note("The model holds no reliability curve: labeler evaluate --out draws one on labelled photos.")
    if bins:
        curve = reliability("model-curve", "Reliability of the model, as measured", bins)
    return Section(anchor="model", title="The model", content=joined(figures(big), facts(pairs), none, caution, curve))


def reliability(anchor: str, title: str, bins: Sequence[Bin]) -> Html:
    """Return a reliability diagram and its numbers."""
    filled = [one for one in bins if one.n]
    points = [(one.score, one.right / one.n, intervals.of_share(one.right, one.n)) for one in filled]
    plot = svg.reliability(
        anchor,
        title,
        "For each range of scores: the mean score, and the share of labels that is right with its 95% interval. "
        "On the dashed line both are equal.",
        points,
    )
    rows = [
        (f"{score:.2f}", f"{right:.1%}", f"{low:.1%} to {high:.1%}", one.n)
        for one, (score, right, (low, high)) in zip(filled, points, strict=True)
    ]
    numbers = table(f"{title}: the numbers", ("mean score", "right", "95% interval", "faces"), rows, class_="numbers")
    return joined(tag("h3", title), plot, details("The numbers of this chart", numbers))


def interval(low: float, high: float) -> str:
    """Return a 95% interval of shares in words."""
    return f"{low:.1%} to {high:.1%}"


def listed(names: Iterable[str]) -> Html:
    """Return names with commas between them."""
    return joined(*(joined(", " if place else "", name(one)) for place, one in enumerate(names)))


def _run(record: RunRecord) -> list[tuple[str, object]]:
    more = len(record.inputs) - _NAMED_INPUTS
    return [
        ("inputs", joined(listed(record.inputs[:_NAMED_INPUTS]), f" and {more:,} more" if more > 0 else "")),
        ("model", name(record.model)),
        ("classes", listed(record.class_names[:_NAMED_CLASSES])),
        ("duration", _duration(record.seconds)),
        ("made with", name(f"labeler {record.version}")),
    ]


def _reviews(counts: Counts | None) -> list[tuple[str, object]]:
    """Return what persons reviewed; nothing where nobody did."""
    if not counts:
        return []
    kinds = {"changed": counts.changed, "no face after all": counts.not_a_face, "added": counts.added}
    more = ", ".join(f"{count:,} {kind}" for kind, count in kinds.items() if count)
    by = [joined(", " if place else "", name(who), f" {count:,}")
          for place, (who, count) in enumerate(counts.reviewers.most_common(_NAMED_REVIEWERS))]  # fmt: skip
    lost = joined(f"{counts.orphans.total():,}, of ", listed(list(counts.orphans)[:_NAMED_ORPHANS]),
                  " …" if len(counts.orphans) > _NAMED_ORPHANS else "")  # fmt: skip
    return [
        ("reviewed", joined(counted(counts.reviewed, "face"), f": {more}" if more else "")),
        ("by", joined(*by)),
        ("corrections of no face here", lost if counts.orphans else ""),
    ]


def _duration(seconds: float | None) -> str:
    """Return a duration in words; an empty text where a table was made in several runs."""
    if seconds is None or not _is_number(seconds):
        return ""
    minutes, rest = divmod(round(seconds), 60)
    return f"{seconds:.1f} s" if seconds < 60 else f"{minutes // 60}:{minutes % 60:02}:{rest:02} (h:min:s)"


def _settings(settings: Mapping[str, Any]) -> Html:
    rows = [(name(key), name(_spelled(key, value))) for key, value in list(settings.items())[:60]]
    return details("Settings of the run", table("Settings of the run", ("setting", "value"), rows))


def _spelled(key: str, value: object) -> str:
    if key == "detector" and isinstance(value, str) and value:
        return f"SHA-256 {value[:_SHOWN_IN_FULL]}…"
    return str(value)[:_LONGEST_VALUE] if value != "" else "–"


def _words(measured: Mapping[str, Any], key: str) -> object:
    value = measured.get(key)
    return name(value) if isinstance(value, str) else ""


def _count(value: object) -> object:
    return value if isinstance(value, int) and not isinstance(value, bool) else ""


def _share(value: object) -> str:
    return share(float(value), 1) if _is_number(value) and isinstance(value, int | float) else ""


def _interval(measured: Mapping[str, Any], key: str) -> str:
    match measured.get(f"{key}_interval"):
        case [int(low) | float(low), int(high) | float(high)] if abs(low) <= 1 and abs(high) <= 1:
            return f"({interval(low, high)})"
    return ""


def _bins(value: object) -> list[Bin]:
    """Return the bins that the metadata of a model holds; none where they are not bins: a file may hold anything."""
    found = list(map(_bin, value[:_MOST_BINS])) if isinstance(value, list) else []
    bins = [one for one in found if one]
    return bins if len(bins) == len(found) else []


def _bin(value: object) -> Bin | None:
    match value:
        case {"n": int(n), "score": int(score) | float(score), "right": int(right)} if (
            0 <= right <= n <= _LARGEST and 0 <= score <= 1
        ):
            return Bin(n=n, score=float(score), right=right)
    return None


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= _LARGEST
