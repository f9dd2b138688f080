"""CVAT for images 1.1: ``annotations.xml`` and the pictures in ``images/<subset>/``.

CVAT gives boxes to the pictures of a task by their names, and takes only labels that the task has: ``labels.json`` is
for the field "Raw" where a task is made.
"""

from __future__ import annotations

import json
from contextlib import ExitStack

from labeler.exports import portable
from labeler.exports.growing import Growing, growing
from labeler.exports.item import Item, Plan, box
from labeler.records import Row

_SCORE = {"name": "score", "mutable": False, "input_type": "text", "default_value": "", "values": [""]}


class Cvat(Growing):
    """One file for all subsets."""

    def begin(self, opened: ExitStack) -> None:
        """Open the file, and write the labels."""
        labels = [{"name": name, "attributes": [_SCORE]} for name in self._plan.class_names]
        opened.enter_context(growing(self._plan.out / "labels.json"))(json.dumps(labels, indent=2) + "\n")
        self._write = opened.enter_context(growing(self._plan.out / "annotations.xml"))
        self._write(_head(self._plan))
        opened.push(self._finish)

    def path(self, item: Item) -> str:
        """Return the picture's place in the folder of its subset."""
        return "/".join(filter(None, ("images", item.subset, portable.name(item.name, self._plan.suffix))))

    def add(self, item: Item) -> None:
        """Write the picture and its faces."""
        name = item.file if self._plan.mode is None else portable.name(item.name, self._plan.suffix)
        subset = f' subset="{item.subset}"' if item.subset else ""
        self._write(
            f'<image id="{item.number}" name="{portable.xml(name)}"{subset} '
            f'width="{item.width}" height="{item.height}">\n{"".join(map(_box, item.faces))}</image>\n'
        )

    def _finish(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self._write("</annotations>\n")


def _box(face: Row) -> str:
    x, y, width, height = box(face)
    score = "" if face.score is None else f'<attribute name="score">{face.score}</attribute>'
    return (
        f'<box label="{portable.xml(face.label)}" source="auto" occluded="0" xtl="{x:.2f}" ytl="{y:.2f}" '
        f'xbr="{x + width:.2f}" ybr="{y + height:.2f}" z_order="0">{score}</box>\n'
    )


def _head(plan: Plan) -> str:
    """Return what CVAT reads first: the labels, and of a project the subsets too.

    No XML declaration: without one it is UTF-8, and labelformat refuses texts that name an encoding.
    """
    kind = "project" if plan.subsets else "task"
    subsets = "<subsets>" + "\n".join(plan.subsets) + "</subsets>\n" if plan.subsets else ""
    labels = "".join(
        f"<label><name>{portable.xml(name)}</name><attributes><attribute><name>score</name><mutable>False</mutable>"
        "<input_type>text</input_type><default_value></default_value><values></values></attribute></attributes></label>\n"
        for name in plan.class_names
    )
    return (
        "<annotations>\n<version>1.1</version>\n"
        f"<meta>\n<{kind}>\n<mode>annotation</mode>\n{subsets}<labels>\n{labels}</labels>\n</{kind}>\n</meta>\n"
    )
