"""Label Studio: tasks with predictions, the labelling configuration, and how both get into a project.

Label Studio serves a file of its own machine at ``/data/local-files/?d=PLACE``, if the place, relative to its document
root, is below the folder of a storage of the project, and that folder is not the document root itself.
"""

from __future__ import annotations

import os
import shlex
from contextlib import ExitStack
from json import dumps
from typing import ClassVar
from urllib.parse import quote

from labeler.errors import LabelerError
from labeler.exports import portable
from labeler.exports.growing import Growing, growing
from labeler.exports.item import Item, Plan, box
from labeler.records import Row
from labeler.storage.address import is_remote
from labeler.tables.cells import escape


class LabelStudio(Growing):
    """Files of tasks, in the order of the table."""

    most_tasks: ClassVar = 100_000
    """Upper limit on the tasks of a file; it is also what Label Studio advises for a project."""

    def __init__(self, plan: Plan) -> None:
        if plan.mode is None and is_remote(plan.root):
            raise LabelerError(
                "Label Studio serves files of its own machine, and the photos lie elsewhere: --mode none is not "
                "possible. Leave it out"
            )
        super().__init__(plan)

    def begin(self, opened: ExitStack) -> None:
        """Write what a project needs, and open the first file."""
        in_place = self._plan.mode is None
        self._root, self._name = (
            os.path.split(self._plan.root) if in_place else (os.path.abspath(self._plan.out), "images")
        )
        self._model = dumps(f"{self._plan.record.model} {self._plan.record.model_sha256[:12]}")
        opened.enter_context(growing(self._plan.out / "config.xml"))(_config(self._plan.class_names))
        opened.enter_context(growing(self._plan.out / "IMPORT.txt"))(_advice(self._root, self._name))
        self._file = opened.enter_context(ExitStack())
        self._tasks = self._files = 0
        self._next_file()

    def path(self, item: Item) -> str:
        """Return the picture's place in the folder of its subset."""
        return "/".join(filter(None, ("images", item.subset, portable.name(item.name, self._plan.suffix))))

    def add(self, item: Item) -> None:
        """Write the task of a picture."""
        if self._tasks == self.most_tasks:
            self._file.close()
            self._next_file()
        separator = ",\n" if self._tasks else ""
        self._tasks += 1
        data = {
            "image": self._address(item),
            "file": escape(item.file),
            **({"subset": item.subset} if item.subset else {}),
        }
        results = ", ".join(_result(number, face, item) for number, face in enumerate(item.faces))
        scores = [face.score for face in item.faces if face.score is not None]
        score = f'"score": {min(scores)}, ' if scores else ""
        self._write(
            f'{separator}{{"data": {dumps(data)}, "predictions": '
            f'[{{"model_version": {self._model}, {score}"result": [{results}]}}]}}'
        )

    def _next_file(self) -> None:
        self._files += 1
        self._tasks = 0
        self._write = self._file.enter_context(growing(self._plan.out / f"tasks-{self._files:05}.json"))
        self._write("[\n")
        self._file.push(self._finish)

    def _finish(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self._write("\n]\n")

    def _address(self, item: Item) -> str:
        """Return where Label Studio serves the picture; a photo in place at its place below the document root."""
        if self._plan.mode is not None:
            place = self.path(item)
        elif os.path.isabs(item.file):
            place = os.path.relpath(item.file, self._root)
        else:
            place = os.path.join(self._name, item.file)
        if place.startswith("../"):
            raise LabelerError(
                f"{item.file} is not below {self._root}, so Label Studio cannot serve it. Use --mode copy"
            )
        return f"/data/local-files/?d={quote(os.fsencode(place))}"


def _result(number: int, face: Row, item: Item) -> str:
    x, y, w, h = box(face)
    across, down = 100 / item.width, 100 / item.height
    score = "" if face.score is None else f', "score": {face.score}'
    return (
        f'{{"id": "face{number}", "from_name": "label", "to_name": "image", "type": "rectanglelabels", '
        f'"original_width": {item.width}, "original_height": {item.height}, "image_rotation": 0, '
        f'"value": {{"x": {x * across:.4f}, "y": {y * down:.4f}, "width": {w * across:.4f}, "height": {h * down:.4f}, '
        f'"rotation": 0, "rectanglelabels": [{dumps(face.label)}]}}{score}}}'
    )


def _config(class_names: tuple[str, ...]) -> str:
    labels = "".join(f'    <Label value="{portable.xml(name)}"/>\n' for name in class_names)
    return (
        '<View>\n  <Image name="image" value="$image" zoom="true"/>\n'
        f'  <RectangleLabels name="label" toName="image">\n{labels}  </RectangleLabels>\n</View>\n'
    )


def _advice(root: str, name: str) -> str:
    """Return how the tasks get into Label Studio, by what its view of local files and its storage check."""
    return escape(
        f"""1. Start Label Studio with these environment variables:

LABEL_STUDIO_LOCAL_FILES_SERVING_ENABLED=true
LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT={shlex.quote(root)}

2. Create a project with the labelling configuration config.xml.
3. In its settings, add a source storage "Local files" with this absolute path, and do not synchronise it:

{os.path.join(root, name)}

4. Import tasks-00001.json, then the others. Each picture comes with a prediction: the faces and their scores.

If the pictures move, only the document root and the storage's path change.
"""
    )
