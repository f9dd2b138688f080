"""COCO's detection format: ``annotations/instances_<subset>.json`` and the pictures in ``images/<subset>/``.

Read by pycocotools, and by the importers of CVAT, datumaro and FiftyOne. Scores stand in the annotations, as in COCO's
results. What COCO calls the data set as a whole is `default`, as datumaro does.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryFile

from labeler.exports import portable
from labeler.exports.growing import Growing, Write, growing
from labeler.exports.item import Item, Plan, box
from labeler.records import Row
from labeler.tables.cells import escape

_BLOCK = 1 << 20


class Coco(Growing):
    """One file for each subset."""

    def begin(self, opened: ExitStack) -> None:
        """Open the files of all subsets."""
        self._categories = {name: number for number, name in enumerate(self._plan.class_names, 1)}
        head = _head(self._plan)
        self._sets = {
            subset: opened.enter_context(_opened(self._file(subset), head)) for subset in self._plan.subsets or ("",)
        }

    def path(self, item: Item) -> str:
        """Return the picture's place in the folder of its subset."""
        return "/".join(filter(None, ("images", item.subset, portable.name(item.name, self._plan.suffix))))

    def add(self, item: Item) -> None:
        """Write the picture and its faces."""
        file_name = item.file if self._plan.mode is None else portable.name(item.name, self._plan.suffix)
        self._sets[item.subset].add(item, file_name, self._categories)

    def _file(self, subset: str) -> Path:
        return self._plan.out / "annotations" / f"instances_{subset or 'default'}.json"


class _Annotations:
    """The lists of one file. Numbers begin with 1: COCOeval takes the annotation 0 for none."""

    def __init__(self, write_image: Write, write_annotation: Write) -> None:
        self._write_image, self._write_annotation = write_image, write_annotation
        self._images = self._annotations = 0

    def add(self, item: Item, file_name: str, categories: dict[str, int]) -> None:
        source = f', "source_file": {json.dumps(escape(item.file))}' if file_name != item.file else ""
        self._write_image(
            f'{_comma(self._images)}{{"id": {item.number + 1}, "file_name": {json.dumps(file_name)}, '
            f'"width": {item.width}, "height": {item.height}{source}}}'
        )
        self._images += 1
        for face in item.faces:
            self._write_annotation(_comma(self._annotations))
            self._annotations += 1
            self._write_annotation(_annotation(face, self._annotations, item.number + 1, categories[face.label]))


def _annotation(face: Row, number: int, image: int, category: int) -> str:
    x, y, width, height = box(face)
    score = "" if face.score is None else f', "score": {face.score}'
    return (
        f'{{"id": {number}, "image_id": {image}, "category_id": {category}, '
        f'"bbox": [{x}, {y}, {width}, {height}], "area": {round(width * height, 2)}, "iscrowd": 0{score}}}'
    )


def _comma(before: int) -> str:
    return ",\n" if before else "\n"


def _head(plan: Plan) -> str:
    info = {
        "description": f"faces labelled by labeler {plan.record.version} with the model {plan.record.model}",
        **({"root": escape(plan.original(""))} if plan.mode is None else {}),
    }
    categories = [{"id": number, "name": name} for number, name in enumerate(plan.class_names, 1)]
    return f'{{\n"info": {json.dumps(info)},\n"licenses": [],\n"categories": {json.dumps(categories)},\n"images": ['


@contextmanager
def _opened(path: Path, head: str) -> Iterator[_Annotations]:
    """Yield the lists of a file that takes its place when the block succeeds.

    Pictures go into it at once; their annotations go into a temporary file beside it, and follow at the end.
    """
    with growing(path) as write, TemporaryFile("w+", encoding="ascii", newline="", dir=path.parent) as spool:
        write(head)
        yield _Annotations(write, spool.write)
        write('\n],\n"annotations": [')
        spool.seek(0)
        while block := spool.read(_BLOCK):
            write(block)
        write("\n]\n}\n")
