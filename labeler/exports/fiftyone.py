"""FiftyOne: its `FiftyOneImageDetectionDataset` of photos, its `ImageClassificationDirectoryTree` of crops.

Photos lie in ``<subset>/data/``, and ``<subset>/labels.json`` has the boxes as shares of the photo. Of photos that stay
in place, ``<subset>/data.json`` says where they lie.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from labeler.exports import portable
from labeler.exports.growing import Growing, Write, growing
from labeler.exports.item import Item, box
from labeler.exports.yolo_classify import class_folder
from labeler.records import Row
from labeler.sorting.folders import Folders


class FiftyOne(Growing):
    """Detections of photos; of crops the folders by class, and no other file."""

    def begin(self, opened: ExitStack) -> None:
        """Open the files of all subsets."""
        self._folders = Folders(self._plan.class_names)
        self._numbers = {name: number for number, name in enumerate(self._plan.class_names)}
        self._labels: dict[str, Write] = {}
        self._places: dict[str, Write] = {}
        if self._plan.crops:
            return
        head = f'{{"classes": {json.dumps(self._plan.class_names)}, "labels": {{'
        for subset in self._plan.subsets or ("",):
            folder = self._plan.out / subset
            self._labels[subset] = opened.enter_context(_entries(folder / "labels.json", head, "}}"))
            if self._plan.mode is None:
                self._places[subset] = opened.enter_context(_entries(folder / "data.json", "{", "}"))

    def path(self, item: Item) -> str:
        """Return the picture's place in the folder of its subset, and of its class."""
        if self._plan.crops:
            return class_folder(item, self._folders)
        return "/".join(filter(None, (item.subset, "data", portable.name(item.name, self._plan.suffix))))

    def add(self, item: Item) -> None:
        """Write the faces of a photo by its name without suffix, which FiftyOne knows it by."""
        if self._plan.crops:
            return
        name = portable.name(item.name, self._plan.suffix)
        faces = ", ".join(_detection(face, self._numbers[face.label], item) for face in item.faces)
        self._labels[item.subset](f"{json.dumps(portable.stem(name))}: [{faces}]")
        if self._plan.mode is None:
            self._places[item.subset](f"{json.dumps(name)}: {json.dumps(self._plan.original(item.file))}")


def _detection(face: Row, number: int, item: Item) -> str:
    x, y, w, h = box(face)
    score = "" if face.score is None else f', "confidence": {face.score}'
    shares = f"[{x / item.width:.6f}, {y / item.height:.6f}, {w / item.width:.6f}, {h / item.height:.6f}]"
    return f'{{"label": {number}, "bounding_box": {shares}{score}}}'


@contextmanager
def _entries(path: Path, head: str, tail: str) -> Iterator[Write]:
    """Yield what writes the entries of a JSON object, with commas between them."""
    with growing(path) as write:
        write(head)
        separator = "\n"

        def entry(text: str) -> None:
            nonlocal separator
            write(separator + text)
            separator = ",\n"

        yield entry
        write(f"\n{tail}\n")
