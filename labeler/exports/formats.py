"""The formats of exports, by the name that a user gives."""

from __future__ import annotations

from labeler.exports.format import Format
from labeler.exports.parquet import Parquet
from labeler.exports.webdataset import WebDataset
from labeler.exports.yolo_classify import YoloClassify

FORMATS: dict[str, type[Format]] = {
    "parquet": Parquet,
    "webdataset": WebDataset,
    "yolo-cls": YoloClassify,
}
