"""The formats of exports, by the name that a user gives."""

from __future__ import annotations

from labeler.exports.coco import Coco
from labeler.exports.cvat import Cvat
from labeler.exports.fiftyone import FiftyOne
from labeler.exports.format import Format
from labeler.exports.label_studio import LabelStudio
from labeler.exports.voc import Voc
from labeler.exports.yolo import Yolo
from labeler.exports.yolo_classify import YoloClassify

FORMATS: dict[str, type[Format]] = {
    "coco": Coco,
    "cvat": Cvat,
    "fiftyone": FiftyOne,
    "label-studio": LabelStudio,
    "voc": Voc,
    "yolo": Yolo,
    "yolo-cls": YoloClassify,
}
