"""What persons said in Label Studio: its JSON export of the tasks that `labeler export --to label-studio` made."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from labeler.errors import LabelerError, one_line, printable
from labeler.reviewers.said import LeftOut, NotUnderstoodError, Region, Said, action_of, turned
from labeler.tables.cells import unescape
from labeler.tables.matching import Box

_AS_JSON = "export the project from Label Studio as JSON (not JSON-MIN, CSV or COCO)"
_RECTANGLES = "rectanglelabels"


def read(path: Path, left: LeftOut, reviewer: str = "") -> list[Said]:
    """Return what each annotation says of its photo; a task names it in ``data.file``, as the export wrote it.

    An annotation that was skipped says nothing. Each annotator is a reviewer of the same name; ``reviewer`` renames the
    only one.

    Raises:
        LabelerError: it is no such file, or ``reviewer`` would make one person of several.
    """
    try:
        tasks = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as exc:
        raise LabelerError(f"{path} cannot be read as JSON: {one_line(exc)}; {_AS_JSON}") from exc
    if not isinstance(tasks, list) or not all(isinstance(task, dict) and "data" in task for task in tasks):
        raise LabelerError(f"{path} holds no tasks; {_AS_JSON}")
    if tasks and not any("annotations" in task for task in tasks):
        raise LabelerError(f"{path} holds no annotations; {_AS_JSON}")
    found = [said for task in tasks for said in _of_task(task, left)]
    names = sorted({said.reviewer for said in found})
    if reviewer and len(names) > 1:
        raise LabelerError(
            f"{path} holds what {len(names)} annotators said ({', '.join(names[:5])}): --reviewer would make one "
            "person of them; leave it out"
        )
    return [replace(said, reviewer=reviewer or said.reviewer) for said in found]


def _of_task(task: Mapping[str, Any], left: LeftOut) -> Iterator[Said]:
    data = task["data"]
    file = data.get("file") if isinstance(data, dict) else None
    if not isinstance(file, str):
        left.add("a task without `file` in its data, which the export writes", str(task.get("id")))
        return
    for annotation in _dicts(task.get("annotations")):
        if annotation.get("was_cancelled"):
            continue
        try:
            yield _said(unescape(file), task, annotation)
        except NotUnderstoodError as exc:
            left.add(str(exc), unescape(file))


def _said(file: str, task: Mapping[str, Any], annotation: Mapping[str, Any]) -> Said:
    results, predicted = _dicts(annotation.get("result")), _predicted(task, annotation)
    size = _size([*results, *predicted])
    who, when = _reviewer(annotation.get("completed_by")), _time(annotation)
    return Said(
        file=file,
        reviewer=who,
        action=action_of("label-studio", file, who, str(annotation.get("id")), when, json.dumps(results)),
        regions=_regions(results, size),
        shown=_regions(predicted, size) if predicted and _is_from_prediction(annotation, results) else None,
        size=size,
        time=when,
    )


def _predicted(task: Mapping[str, Any], annotation: Mapping[str, Any]) -> list[Any]:
    """Return the results of the prediction that an annotation was made from; none where that is not known."""
    predictions = [one for one in _dicts(task.get("predictions")) if _dicts(one.get("result"))]
    parent = [one for one in predictions if one.get("id") == annotation.get("parent_prediction")]
    own = _dicts([annotation.get("prediction")])
    return next((_dicts(some[0].get("result")) for some in (parent, predictions, own) if len(some) == 1), [])


def _is_from_prediction(annotation: Mapping[str, Any], results: list[Any]) -> bool:
    """Say whether an annotation began with the prediction: else it says nothing of faces that it does not have."""
    origins = [str(one.get("origin", "")) for one in results]
    return annotation.get("parent_prediction", True) is not None or any(
        origin.startswith("prediction") for origin in origins
    )


def _size(results: list[Any]) -> tuple[int, int] | None:
    """Return the size of the picture that results are about; None if they do not say."""
    sizes = {(one.get("original_width"), one.get("original_height")) for one in results if "original_width" in one}
    if len(sizes) > 1 or not all(type(side) is int for size in sizes for side in size):
        raise NotUnderstoodError("boxes without the size of the picture")
    return next(iter(sizes), None)


def _regions(results: list[Any], size: tuple[int, int] | None) -> list[Region]:
    return [region for one in results if (region := _region(one, size))]


def _region(result: Mapping[str, Any], size: tuple[int, int] | None) -> Region | None:
    """Return the face of a result; None of one that is no region, such as a choice about the whole photo."""
    value = result.get("value")
    if not isinstance(value, dict) or (result.get("type") != _RECTANGLES and not {"x", "y", "points"} & value.keys()):
        return None
    if result.get("type") != _RECTANGLES:
        raise NotUnderstoodError("a region that is no rectangle with a label")
    if result.get("image_rotation"):
        raise NotUnderstoodError("a picture that was turned in Label Studio")
    labels = value.get(_RECTANGLES)
    if not isinstance(labels, list) or len(labels) != 1 or not isinstance(labels[0], str):
        raise NotUnderstoodError("a box without one label")
    x, y, width, height = (_number(value.get(name)) for name in ("x", "y", "width", "height"))
    turn = _number(value.get("rotation") or 0)
    if not size:
        raise NotUnderstoodError("boxes without the size of the picture")
    across, down = size[0] / 100, size[1] / 100
    box = Box(x * across, y * down, width * across, height * down)
    return Region(labels[0], turned(box, turn, (box.x, box.y)))  # It turns boxes about their left upper corner.


def _number(value: object) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise NotUnderstoodError("a box that is none")
    return value


def _dicts(value: object) -> list[Any]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _reviewer(annotator: object) -> str:
    """Return the name of an annotator, given by number or with an address."""
    if isinstance(annotator, dict):
        annotator = annotator.get("email") or annotator.get("username") or annotator.get("id")
    name = printable(str(annotator if annotator is not None else "")).strip()[:100]
    return f"label-studio {name}".strip() if name.removeprefix("-").isdigit() or not name else name


def _time(annotation: Mapping[str, Any]) -> str:
    """Return when an annotation was made, in UTC; empty if it does not say, or says the future."""
    try:
        moment = datetime.fromisoformat(str(annotation.get("updated_at") or annotation.get("created_at")))
    except ValueError:
        return ""
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    if moment > datetime.now(UTC):
        return ""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03}Z"
