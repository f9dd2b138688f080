"""What Hugging Face's layouts and WebDataset say about a picture: plain values, the same in each of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from labeler.exports.item import Item
from labeler.records import Row
from labeler.tables.cells import escape

_OWN = frozenset(
    "file_name image label label_name file width height face score face_score probabilities objects".split()
)
"""The columns of the exports."""

WHOLE = "train"
"""The subset of an export that is not split: readers call it so, whatever its files are called."""


def subset_of(item: Item) -> str:
    """Return the name of the subset that an item belongs to."""
    return item.subset or WHOLE


def annotation(item: Item, *, crops: bool, keep: Sequence[str] = ()) -> dict[str, Any]:
    """Return what is known of a picture: of a crop its one face, of a photo all faces as lists of equal length.

    Boxes are ``[x, y, width, height]`` in pixels of the picture, as in COCO. No value is None: `datasets` takes a
    column that begins with those for one without type.
    """
    about = {"file": escape(item.file), "label": item.label, "width": item.width, "height": item.height}
    if crops:
        face = item.faces[0]
        return {**about, "face": face.face or 0, "score": score_of(face), **kept(item, keep)}
    return {**about, "objects": objects(item), **kept(item, keep)}


def kept(item: Item, keep: Sequence[str]) -> dict[str, str]:
    """Return the columns of a list that the table carries, with their values for a picture."""
    values = (item.faces[0].kept if item.faces else ()) or ("",) * len(keep)
    return dict(zip(map(kept_name, keep), values, strict=True)) if keep else {}


def kept_name(name: str) -> str:
    """Return what a column of a list is called in an export, which has columns of its own."""
    return f"list_{name}" if name in _OWN else name


def objects(item: Item) -> dict[str, Any]:
    """Return the faces of a photo, largest first."""
    return {
        "bbox": [[float(side or 0) for side in (face.x, face.y, face.width, face.height)] for face in item.faces],
        "categories": [face.label for face in item.faces],
        "scores": [score_of(face) for face in item.faces],
    }


def score_of(face: Row) -> float:
    """Return the model's score of a face's label, and 1 where a person gave the label: none may be absent."""
    return 1.0 if face.score is None else float(face.score)
