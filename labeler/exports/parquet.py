"""Parquet files ``data/<subset>-00000.parquet``: the table of the pictures, with their bytes.

`datasets` finds the types of its columns (Image, ClassLabel) in the metadata; DuckDB, polars and pandas read the same
files, with the class as text in ``label_name``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Self

import pyarrow
import pyarrow.parquet

from labeler.exports.annotation import kept, kept_name, objects
from labeler.exports.item import Item, Plan
from labeler.exports.shards import Shards
from labeler.records import Row
from labeler.tables import arrays
from labeler.tables.cells import escape

_GROUP_BYTES = 1 << 24
"""Upper limit on the pictures' bytes in the row groups of all subsets, which fill at the same time, in memory: Arrow
holds a row group three times while it is written. Hugging Face's viewer wants less than 300 MB in one."""
_GROUP_ROWS = 10_000

_IMAGE = pyarrow.struct([("bytes", pyarrow.binary()), ("path", pyarrow.string())])
_FLOATS = pyarrow.list_(pyarrow.float64())


class Parquet(Shards):
    """Rows of pictures: a crop with its face, or a photo with a column ``objects`` of its faces."""

    most_bytes: ClassVar = 500_000_000
    """What Hugging Face's own files have."""
    most_items: ClassVar = 100_000

    def __init__(self, plan: Plan) -> None:
        super().__init__(plan)
        self.schema = _schema(plan)
        self.group_bytes = _GROUP_BYTES // max(1, len(plan.subsets))

    def place(self, subset: str, number: int) -> Path:
        """Return the path of a Parquet file."""
        return self._plan.out / "data" / f"{subset}-{number:05}.parquet"

    def key(self, item: Item) -> str:
        """Return the picture's name; where pictures stay in place, its path."""
        return escape(item.name if item.content else self._plan.original(item.file))

    def keys(self, path: Path) -> Iterator[str]:
        """Yield the names of a file's pictures; no other column is read."""
        with pyarrow.parquet.ParquetFile(path) as file:
            for batch in file.iter_batches(_GROUP_ROWS, columns=["image.path"]):
                yield from batch.column(0).field("path").to_pylist()

    def begin(self, path: Path) -> _File:
        """Return a Parquet file to write into."""
        return _File(path, self)

    def row(self, item: Item, content: bytes | None) -> dict[str, Any]:
        """Return the row of an item."""
        about: dict[str, Any] = {
            "image": {"bytes": content, "path": self.key(item)},
            "label": self._number(item.label),
            "label_name": item.label or None,
            "file": escape(item.file),
            "width": item.width,
            "height": item.height,
        }
        faces = (
            _face(item.faces[0], soft=not self._plan.record.top)
            if self._plan.crops
            else {"objects": self._objects(item)}
        )
        return {**about, **faces, **kept(item, self._plan.record.keep)}

    def _objects(self, item: Item) -> dict[str, Any]:
        found = objects(item)
        return {
            **found,
            "categories": [self._number(name) for name in found["categories"]],
            "scores": [face.score for face in item.faces],
            "face_scores": [face.face_score for face in item.faces],
        }

    def _number(self, label: str) -> int | None:
        return self._plan.class_names.index(label) if label else None


class _File:
    """A Parquet file while it is written, a row group at a time."""

    def __init__(self, path: Path, form: Parquet) -> None:
        # Pictures are compressed, and names are unique: dictionaries would only cost time.
        self._writer = pyarrow.parquet.ParquetWriter(path, form.schema, use_dictionary=["label_name"])
        self._form = form
        self._rows: list[dict[str, Any]] = []
        self._bytes = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None) -> None:
        with self._writer:
            if kind is None:
                self._flush()

    def add(self, item: Item, content: bytes | None) -> None:
        size = len(content or b"")
        if self._rows and (self._bytes + size > self._form.group_bytes or len(self._rows) >= _GROUP_ROWS):
            self._flush()
        self._rows.append(self._form.row(item, content))
        self._bytes += size

    def _flush(self) -> None:
        table = pyarrow.Table.from_batches([arrays.batch(self._rows, self._form.schema)])
        self._writer.write_table(table, len(self._rows) or None)
        self._rows, self._bytes = [], 0


def _face(face: Row, *, soft: bool) -> dict[str, Any]:
    """Return what is known of the face of a crop; ``soft`` says that the table has the probabilities of all classes."""
    known = {"face": face.face, "score": face.score, "face_score": face.face_score}
    return {**known, "probabilities": list(face.probabilities)} if soft else known


def _schema(plan: Plan) -> pyarrow.Schema:
    """Return the columns, with the types that `datasets` shall give to those that Arrow does not tell apart."""
    classes = {"names": list(plan.class_names), "_type": "ClassLabel"}
    features: dict[str, Any] = {"image": {"_type": "Image"}, "label": classes}
    columns: list[tuple[str, pyarrow.DataType]] = [
        ("image", _IMAGE),
        ("label", pyarrow.int64()),
        ("label_name", pyarrow.string()),
        ("file", pyarrow.string()),
        ("width", pyarrow.int32()),
        ("height", pyarrow.int32()),
    ]
    if plan.crops:
        columns += [("face", pyarrow.int32()), ("score", pyarrow.float64()), ("face_score", pyarrow.float64())]
        columns += [] if plan.record.top else [("probabilities", _FLOATS)]
    else:
        faces = {"bbox": pyarrow.list_(_FLOATS), "categories": pyarrow.list_(pyarrow.int64())}
        columns += [("objects", pyarrow.struct({**faces, "scores": _FLOATS, "face_scores": _FLOATS}))]
        number = {"dtype": "float64", "_type": "Value"}
        features["objects"] = {
            "bbox": _list(_list(number)),
            "categories": _list(classes),
            "scores": _list(number),
            "face_scores": _list(number),
        }
    columns += [(kept_name(name), pyarrow.string()) for name in plan.record.keep]
    return pyarrow.schema(columns, metadata={"huggingface": json.dumps({"info": {"features": features}})})


def _list(feature: dict[str, Any]) -> dict[str, Any]:
    return {"feature": feature, "_type": "List"}
