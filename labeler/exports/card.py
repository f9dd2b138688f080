"""The card of a data set, README.md: what it is, how it was made, what it is worth. Hugging Face reads its head."""

from __future__ import annotations

import html
import json
import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any

from labeler._version import __version__
from labeler.errors import printable
from labeler.exports.annotation import WHOLE
from labeler.exports.item import Item, Plan
from labeler.words import are_expressions

NAME = "README.md"

_DATA_FILES = {"imagefolder": "{}/**", "parquet": "data/{}-*.parquet", "webdataset": "{}-*.tar"}
"""Where `datasets` finds a subset, by format. Without it, a photo's folder called ``test`` would make a subset."""

_HUGGING_FACE = {"val": "validation"}
"""Names of subsets that differ there."""

_SETTINGS = ("faces", "min_face", "face_threshold", "threshold", "prior")
"""Settings that decide the labels and name nothing of the user's."""


@dataclass(slots=True, kw_only=True)
class Counts:
    """How many pictures an export has."""

    pictures: Counter[tuple[str, str]] = field(default_factory=Counter)
    """By subset and class; the class is empty where a photo has none, the subset where there are none."""
    faces: int = 0
    reviewed: int = 0
    """Those of the faces that a person looked at."""
    left_out: int = 0
    """Pictures that could not be read."""

    def add(self, item: Item) -> None:
        """Count an item."""
        self.pictures[item.subset, item.label] += 1
        self.faces += len(item.faces)
        self.reviewed += sum(face.before is not None for face in item.faces)


def card(plan: Plan, counts: Counts) -> str:
    """Return the content of the card. It names no folder and no file of the user's but the table."""
    return "\n".join((*_head(plan, counts), *_body(plan, counts))) + "\n"


def title(plan: Plan) -> str:
    """Return the name of the data set: that of the table."""
    return printable(plan.table.stem)


def description(plan: Plan, counts: Counts) -> str:
    """Return in a sentence what the data set is."""
    total = counts.pictures.total()
    what = "face crops" if plan.crops else f"photos with {counts.faces:,} faces"
    return (
        f"{total:,} {what}, labelled with one of {len(plan.class_names)} {_kind(plan)} by the model "
        f"{model(plan)}. {_checked(counts)}"
    )


def model(plan: Plan) -> str:
    """Return the name of the model, without the folder that it lay in."""
    return printable(PurePath(plan.record.model).name or "unknown")


def keywords(plan: Plan) -> list[str]:
    """Return what the data set is found by."""
    if are_expressions(plan.class_names):
        return ["facial-expression-recognition", "emotion"]
    return ["image-classification"]


def people(plan: Plan) -> str:
    """Say whether people are shown."""
    return f"The pictures {'' if are_expressions(plan.class_names) else 'may '}show the faces of people."


def _kind(plan: Plan) -> str:
    return "classes of facial expression" if are_expressions(plan.class_names) else "classes"


def _checked(counts: Counts) -> str:
    if not counts.reviewed:
        return "No person has checked the labels."
    return f"Persons have checked the labels of {counts.reviewed:,} faces, and corrected them where they were wrong."


def _head(plan: Plan, counts: Counts) -> Iterator[str]:
    """Yield the YAML that Hugging Face shows and searches; texts are JSON, which YAML includes."""
    tasks = ["image-classification"] if plan.crops else ["object-detection", "image-classification"]
    yield "---"
    yield f"pretty_name: {json.dumps(title(plan))}"
    yield "license: unknown"
    yield "annotations_creators: [machine-generated]"
    yield f"task_categories: [{', '.join(tasks)}]"
    yield f"size_categories: [{_size(counts.pictures.total())}]"
    yield f"tags: [{', '.join(keywords(plan))}, labeler]"
    if pattern := _DATA_FILES.get(plan.format):
        yield "configs:"
        yield "- config_name: default"
        yield "  data_files:"
        for subset in plan.subsets or (WHOLE,):
            yield f"  - split: {_HUGGING_FACE.get(subset, subset)}"
            yield f"    path: {json.dumps(pattern.format(subset))}"
    yield "---"


def _body(plan: Plan, counts: Counts) -> Iterator[str]:
    record = plan.record
    yield from ("", f"# {_text(title(plan))}", "", _text(description(plan, counts)))
    if counts.left_out:
        yield from ("", f"{counts.left_out:,} more could not be read and are left out.")
    yield from ("", "## How many", "", *_numbers(plan, counts))
    settings = [f"{name} {record.settings[name]}" for name in _SETTINGS if name in record.settings]
    yield from ("", "## How it was made", "", "| | |", "|---|---|")
    yield f"| program | labeler {_text(record.version)}; exported by {__version__} |"
    yield f"| model | {_text(model(plan))}, SHA-256 `{_text(record.model_sha256)}` |"
    yield f"| settings | {_text(', '.join(settings) or 'unknown')} |"
    yield from (
        "",
        "## What the labels are worth",
        "",
        *_certificate(record.certificate),
        *_figures(record.model_figures),
    )
    yield from ("", _LIMITS.format(*_MEANING[are_expressions(plan.class_names)]))


def _numbers(plan: Plan, counts: Counts) -> Iterator[str]:
    """Yield a table of the pictures by class and subset."""
    subsets = plan.subsets or ("",)
    classes = [*plan.class_names, *([""] if any(not label for _, label in counts.pictures) else [])]
    yield _line(["class", *(subset or "pictures" for subset in subsets), *(["all"] if plan.subsets else [])])
    yield _line(["---"] * (1 + len(subsets) + bool(plan.subsets)))
    for label in classes:
        yield _line([_text(label) or "no class", *_sums(plan, counts, {label})])
    yield _line(["all", *_sums(plan, counts, set(classes))])


def _sums(plan: Plan, counts: Counts, labels: set[str]) -> list[str]:
    found = [sum(counts.pictures[subset, label] for label in labels) for subset in plan.subsets or ("",)]
    return [f"{number:,}" for number in (*found, *([sum(found)] if plan.subsets else []))]


def _certificate(found: dict[str, Any] | None) -> Iterator[str]:
    """Yield how right the labels of the model are on these photos; nothing where no sample says it."""
    match found:
        case {"sentence": str(sentence), "model": {"accuracy": {"value": float()}}} if sentence:
            yield f"{_text(sentence)}."
        case _:
            return
    yield (
        "That is of the labels as the model gave them, in the whole table that this was exported from, by a stratified "
        "random sample that persons labelled without seeing the label; 95% interval."
    )
    match found:
        case {"now": {"accuracy": {"value": float(value), "interval": [float(low), float(high)]}}}:
            yield f"As corrected by persons, {value:.1%} were right then ({100 * low:.1f} to {100 * high:.1f})."
    yield ""


def _figures(figures: dict[str, Any]) -> Iterator[str]:
    if not isinstance(figures.get("accuracy"), float):
        yield "The model says nothing about how right it is."
        return
    against = f" against {_text(figures['against'])}" if figures.get("against") else ""
    yield f"Measured on {_text(figures.get('data', 'unknown data'))}{against}, n = {_text(figures.get('n', '?'))}:"
    yield from ("", "| | |", "|---|---|")
    for name, shown in (("accuracy", "accuracy"), ("macro_f1", "macro-F1"), ("majority_baseline", "baseline")):
        value, interval = figures.get(name), figures.get(f"{name}_interval")
        if isinstance(value, float):
            yield f"| {shown} | {value:.3f}{_interval(interval)} |"
    if isinstance(figures.get("ece"), float):
        yield f"| expected calibration error | {figures['ece']:.3f} |"
    yield from ("", "That is not how right it is on these pictures: other people, cameras and photos differ.")


def _interval(found: Any) -> str:
    if isinstance(found, list | tuple) and len(found) == 2 and all(isinstance(end, float) for end in found):
        return f" (95%: {found[0]:.3f} to {found[1]:.3f})"
    return ""


_MEANING = {
    True: (
        "A label says what an expression looks like to a model, not what a person feels.",
        "The pictures show the faces of people, which are",
    ),
    False: (
        "A label says what a picture looks like to a model, which can be wrong.",
        "Pictures that show people are",
    ),
}
"""What a label means and who is shown, by whether the classes are of facial expressions."""

_LIMITS = """\
## Limits

* {}
* `score` is the calibrated probability of the label; a label that a person gave has none, or 1. A face below the
  threshold, one that was not found, and a photo that could not be read are not in the data set.
* Train on it with care: a model learns the mistakes of these labels. Evaluate on labels that people gave.

## Personal data

{} personal data, and in some countries biometric data. Know the law and
their consent before you share them.

## Licence

Unknown: that of the photos, which the program cannot know. Put it at the head of this file, too."""


def _size(total: int) -> str:
    """Return Hugging Face's category of so many examples."""
    ends = ["1K", "10K", "100K", "1M", "10M", "100M", "1B", "10B"]
    place = max(0, math.floor(math.log10(max(total, 1))) - 2)
    return f"n<{ends[0]}" if place == 0 else f"{ends[place - 1]}<n<{ends[place]}"


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _text(value: object) -> str:
    """Return a text that is nothing but text in Markdown, in a table too."""
    plain = html.escape(printable(str(value)), quote=False)
    return re.sub(r"([\\`*_\[\]|~])", r"\\\1", plain)
