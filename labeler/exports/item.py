"""What an export consists of: pictures with the faces that have a class."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from labeler import storage
from labeler.records import Face, Mode, Row
from labeler.storage.address import is_remote, parse
from labeler.tables.run_record import RunRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One picture of an export: a photo, or the crop of one face."""

    number: int
    """0-based, in the order of the table, over all subsets."""
    name: str
    """The picture's name in the export, unique whatever the disk, with forward slashes: ``a/b.jpg``."""
    file: str
    """The photo's name in the table."""
    subset: str = ""
    """``train``, ``val`` or ``test``; empty where the export is not split."""
    label: str
    """The class of its largest face; empty where no face has a class."""
    width: int
    height: int
    """Size in pixels, upright."""
    faces: tuple[Row, ...]
    """The faces that have a class, largest first. Boxes are in pixels of this picture, and lie within it."""
    square: Face | None = None
    """The bounding box of the face in the photo that the picture is a crop of, in pixels of the upright photo; None
    where it shows the whole photo."""
    version: str = ""
    """The file's version in the table."""
    content: Callable[[], bytes] | None = field(default=None, compare=False)
    """Returns the bytes of the picture's file, for formats that pack pictures; None where none are wanted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is the same for all items of an export."""

    out: Path
    """The folder to export into."""
    table: Path
    record: RunRecord
    """How the table was made; its class names are those of the export, in this order."""
    root: str
    """The folder that `Item.file` is relative to."""
    subsets: tuple[str, ...] = ()
    """Those that there are, in order; none where the export is not split."""
    crops: bool = False
    """Whether an item is the crop of one face."""
    format: str = ""
    """The name of the format, see `formats.FORMATS`."""
    suffix: str = ".jpg"
    """What most names of pictures end with. Only others are changed by formats that tell pictures apart without it."""
    mode: Mode | None = Mode.COPY
    """How pictures get into the export; None where they stay in place, and names lead to the originals."""
    reviews: bool = True
    """Whether corrections count; never where the table itself is described."""

    @property
    def class_names(self) -> tuple[str, ...]:
        """Return the classes in the model's order."""
        return self.record.class_names

    def original(self, file: str) -> str:
        """Return where a photo lies, for a tool that reads it in place: it knows no options of an address."""
        place = storage.at(self.root).locate(file)
        return parse(place).place if is_remote(place) else place


def box(face: Row) -> tuple[float, float, float, float]:
    """Return the left and upper border, the width and the height of a face in an item, in pixels."""
    return float(face.x or 0), float(face.y or 0), float(face.width or 0), float(face.height or 0)
