"""Ultralytics' detection layout: ``images/<subset>/``, beside it ``labels/<subset>/``, and ``data.yaml``.

A picture's labels are a text file of its name: a line for each face, the number of its class (from 0), and the middle
and size of its box as shares of the picture.
"""

from __future__ import annotations

import json
import re
from contextlib import ExitStack
from typing import ClassVar

from labeler.errors import LabelerError
from labeler.exports import portable
from labeler.exports.growing import Growing, growing
from labeler.exports.item import Item, Plan, box
from labeler.records import Row

_ODD = re.compile(f"{portable.ODD}|^images$")
"""What is odd in other formats, too, and a folder ``images``: Ultralytics puts ``labels`` for the last that is called
so, to find the labels."""

_NOT_YAML = re.compile("[\ufeff\ufffe\uffff]")


class Yolo(Growing):
    """A file of labels for each picture, empty where there is no face, and one that names folders and classes."""

    split: ClassVar[tuple[float, ...]] = (0.8, 0.2)

    def __init__(self, plan: Plan) -> None:
        if plan.mode is None:
            raise LabelerError(
                "yolo finds the labels by the place of a picture: --mode none is not possible. Use --mode symlink"
            )
        super().__init__(plan)
        self._numbers = {name: number for number, name in enumerate(plan.class_names)}

    def begin(self, opened: ExitStack) -> None:
        """Write what names folders and classes; it takes its place at the end."""
        write = opened.enter_context(growing(self._plan.out / "data.yaml"))
        write(data_yaml(self._plan))

    def path(self, item: Item) -> str:
        """Return the picture's place in the folder of its subset."""
        return f"images/{self._name(item)}"

    def add(self, item: Item) -> None:
        """Write the picture's labels."""
        lines = (_line(face, self._numbers[face.label], item.width, item.height) for face in item.faces)
        self.place(f"labels/{portable.stem(self._name(item))}.txt", "".join(lines))

    def _name(self, item: Item) -> str:
        return f"{item.subset or 'train'}/{portable.name(item.name, self._plan.suffix, _ODD)}"


def _line(face: Row, number: int, width: int, height: int) -> str:
    x, y, w, h = box(face)
    return f"{number} {(x + w / 2) / width:.6f} {(y + h / 2) / height:.6f} {w / width:.6f} {h / height:.6f}\n"


def data_yaml(plan: Plan) -> str:
    """Return the description of the data set; without a subset to validate on, that is the one to train on."""
    subsets = dict.fromkeys(("train", "val"), "train") | {name: name for name in plan.subsets}
    folders = "".join(f"{key}: images/{subset}\n" for key, subset in subsets.items())
    names = "".join(f"  {number}: {_quoted(name)}\n" for number, name in enumerate(plan.class_names))
    return f"{folders}nc: {len(plan.class_names)}\nnames:\n{names}"


def _quoted(name: str) -> str:
    """Return a class name as YAML: JSON's quotes, and escapes for what YAML calls not printable."""
    return _NOT_YAML.sub(lambda match: f"\\u{ord(match[0]):04x}", json.dumps(name, ensure_ascii=False))
