"""Pascal VOC: ``Annotations/*.xml``, ``ImageSets/Main/<subset>.txt`` and the pictures in ``JPEGImages/``.

Boxes are in pixels from 0 with tenths, as CVAT writes and datumaro, FiftyOne and labelformat read them; the VOC
of 2007 counted whole pixels from 1.
"""

from __future__ import annotations

import re
from contextlib import ExitStack

from labeler.exports import portable
from labeler.exports.growing import Growing, growing
from labeler.exports.item import Item, box
from labeler.records import Row

WHOLE = "trainval"
"""The set of an export that is not split, which VOC calls so."""

_ODD = re.compile(rf'{portable.ODD}|[\s"#]')
"""What is odd in other formats, too, and what ends or quotes a name in a list, or makes a comment of it."""


class Voc(Growing):
    """A file for each picture, and lists of their names by subset."""

    def begin(self, opened: ExitStack) -> None:
        """Open the lists, and write the classes, which datumaro and CVAT want to know."""
        sets = self._plan.out / "ImageSets" / "Main"
        self._lists = {
            subset: opened.enter_context(growing(sets / f"{subset or WHOLE}.txt"))
            for subset in self._plan.subsets or ("",)
        }
        classes = opened.enter_context(growing(self._plan.out / "labelmap.txt"))
        classes("# label:color_rgb:parts:actions\n")
        classes("".join(f"{name}:::\n" for name in self._plan.class_names if ":" not in name and name[0] != "#"))

    def path(self, item: Item) -> str:
        """Return the picture's place; subsets are lists only."""
        return f"JPEGImages/{self._name(item)}"

    def add(self, item: Item) -> None:
        """Write the picture's file and its name."""
        name = self._name(item)
        stem = portable.stem(name)
        original = self._plan.original(item.file) if self._plan.mode is None else ""
        self.place(f"Annotations/{stem}.xml", _annotation(item, name, original))
        self._lists[item.subset](f"{stem}\n")

    def _name(self, item: Item) -> str:
        return portable.name(item.name, self._plan.suffix, _ODD)


def _annotation(item: Item, name: str, original: str) -> str:
    path = f"<path>{portable.xml(original)}</path>\n" if original else ""
    objects = "".join(map(_object, item.faces))
    return (
        f"<annotation>\n<folder>JPEGImages</folder>\n<filename>{portable.xml(name)}</filename>\n{path}"
        f"<source><database>{portable.xml(item.file)}</database></source>\n"
        f"<size><width>{item.width}</width><height>{item.height}</height><depth>3</depth></size>\n"
        f"<segmented>0</segmented>\n{objects}</annotation>\n"
    )


def _object(face: Row) -> str:
    x, y, width, height = box(face)
    right, bottom = round(x + width, 2), round(y + height, 2)
    score = "" if face.score is None else f"<score>{face.score}</score>"
    return (
        f"<object><name>{portable.xml(face.label)}</name><pose>Unspecified</pose><truncated>0</truncated>"
        f"<occluded>0</occluded><difficult>0</difficult>{score}"
        f"<bndbox><xmin>{x}</xmin><ymin>{y}</ymin><xmax>{right}</xmax><ymax>{bottom}</ymax></bndbox></object>\n"
    )
