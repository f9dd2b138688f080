"""The formats of exports, by the name that a user gives."""

from __future__ import annotations

from labeler.exports.coco import Coco
from labeler.exports.croissant import Croissant
from labeler.exports.cvat import Cvat
from labeler.exports.fiftyone import FiftyOne
from labeler.exports.format import Format
from labeler.exports.imagefolder import MOST_FILES, ImageFolder
from labeler.exports.label_studio import LabelStudio
from labeler.exports.parquet import Parquet
from labeler.exports.voc import Voc
from labeler.exports.webdataset import WebDataset
from labeler.exports.yolo import Yolo
from labeler.exports.yolo_classify import YoloClassify

FORMATS: dict[str, type[Format]] = {
    "coco": Coco,
    "croissant": Croissant,
    "cvat": Cvat,
    "fiftyone": FiftyOne,
    "imagefolder": ImageFolder,
    "label-studio": LabelStudio,
    "parquet": Parquet,
    "voc": Voc,
    "webdataset": WebDataset,
    "yolo": Yolo,
    "yolo-cls": YoloClassify,
}


def suited(name: str, items: int) -> str:
    """Return the name of the format that suits so many items: too many files for Hugging Face go into Parquet."""
    return "parquet" if name == "imagefolder" and items > MOST_FILES else name
