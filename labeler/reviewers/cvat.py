"""What a person said in CVAT: its XML, "CVAT for images 1.1", of what `labeler export --to cvat` made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.parsers import expat

from labeler.errors import LabelerError, one_line
from labeler.reviewers.said import LeftOut, NotUnderstoodError, Region, turned
from labeler.tables.matching import Box

_SHAPES = frozenset({"polygon", "polyline", "points", "ellipse", "cuboid", "mask", "skeleton"})
_AS_IMAGES = 'export the task from CVAT as "CVAT for images 1.1", and unpack annotations.xml'


@dataclass(slots=True)
class Picture:
    """An image of CVAT's."""

    name: str
    size: tuple[int, int]
    regions: list[Region] = field(default_factory=list)


def read(path: Path, left: LeftOut) -> dict[str, Picture]:
    """Return the images of a file by their names; those that cannot be understood are left out.

    Raises:
        LabelerError: it is no such file.
    """
    found = _Reader(left)
    parser = expat.ParserCreate()
    parser.StartElementHandler = found.start
    parser.EndElementHandler = found.end
    parser.StartDoctypeDeclHandler = _refuse
    try:
        with path.open("rb") as file:
            parser.ParseFile(file)
    except (OSError, expat.ExpatError, ValueError) as exc:
        raise LabelerError(f"{path} cannot be read as XML: {one_line(exc)}; {_AS_IMAGES}") from exc
    if found.root != "annotations" or not found.images:
        raise LabelerError(f"{path} holds no images; {_AS_IMAGES}")
    return found.pictures


def _refuse(*_: object) -> None:
    """Refuse a document type: CVAT writes none, and entities can be made to fill the memory."""
    raise ValueError("it has a document type")


class _Reader:
    """Gathers images while the file is read."""

    def __init__(self, left: LeftOut) -> None:
        self.pictures: dict[str, Picture] = {}
        self.images = 0
        self.root = ""
        self._left = left
        self._twice: set[str] = set()
        self._picture: Picture | None = None

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        self.root = self.root or tag
        name = attributes.get("name", "") if tag == "image" else self._picture.name if self._picture else ""
        try:
            if tag == "image":
                self.images += 1
                self._picture = Picture(name, (int(attributes["width"]), int(attributes["height"])))
            elif self._picture and tag == "box":
                self._picture.regions.append(_region(attributes))
            elif self._picture and tag in _SHAPES:
                self._leave("a shape that is no box", name)
        except NotUnderstoodError as exc:
            self._leave(str(exc), name)
        except (KeyError, ValueError):
            self._leave(f"an element {tag} without what it needs", name)

    def end(self, tag: str) -> None:
        picture = self._picture
        if tag != "image" or not picture:
            return
        self._picture = None
        if picture.name in self._twice or picture.name in self.pictures:
            self.pictures.pop(picture.name, None)
            self._twice.add(picture.name)
            self._left.add("a picture that is there twice", picture.name)
        else:
            self.pictures[picture.name] = picture

    def _leave(self, reason: str, name: str) -> None:
        self._left.add(reason, name)
        self._picture = None


def _region(attributes: Mapping[str, Any]) -> Region:
    left, top, right, bottom = (float(attributes[side]) for side in ("xtl", "ytl", "xbr", "ybr"))
    turn = float(attributes.get("rotation", 0))
    middle = (left + right) / 2, (top + bottom) / 2
    box = turned(Box(left, top, right - left, bottom - top), turn, middle)  # CVAT turns boxes about their middle.
    return Region(attributes["label"], box, explicit=False)
