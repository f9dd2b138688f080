"""The formats of exports, by the name that a user gives."""

from __future__ import annotations

from labeler.exports.croissant import Croissant
from labeler.exports.format import Format
from labeler.exports.imagefolder import MOST_FILES, ImageFolder
from labeler.exports.parquet import Parquet
from labeler.exports.webdataset import WebDataset
from labeler.exports.yolo_classify import YoloClassify

FORMATS: dict[str, type[Format]] = {
    "croissant": Croissant,
    "imagefolder": ImageFolder,
    "parquet": Parquet,
    "webdataset": WebDataset,
    "yolo-cls": YoloClassify,
}


def suited(name: str, items: int) -> str:
    """Return the name of the format that suits so many items: too many files for Hugging Face go into Parquet."""
    return "parquet" if name == "imagefolder" and items > MOST_FILES else name
