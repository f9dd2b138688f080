"""From the rows of a table to the items of an export: which faces have a class, under which names they are exported."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache

from labeler.exports.item import Item
from labeler.exports.pictures import box, suffix
from labeler.records import Row, by_file
from labeler.storage.local import Local
from labeler.storage.names import Names, hashed
from labeler.tables import decided

_PORTABLE = re.compile(r"[^\x00-\x1f\x7f\\:*?\"<>|\ud800-\udfff\u200e\u200f\u202a-\u202e\u2066-\u2069]*[^. ]")
"""Names that any disk, and any text file about them, can hold: a data set travels."""

_FOLDERS = 4096
"""Upper limit on cached folders: the files of one folder come one after another."""


class Items:
    """The items of a table's rows, in their order. ``left_out`` counts the files and faces that are none, by reason."""

    def __init__(self, root: str, out: str, *, crops: bool, renames: bool, min_score: float) -> None:
        self.left_out: Counter[str] = Counter()
        self._root = Local(root)
        self._names = Names(out)
        self._crops, self._renames, self._min_score = crops, renames, min_score
        self._folder = lru_cache(_FOLDERS)(self._portable_folder)

    def of(self, rows: Iterable[Row]) -> Iterator[Item]:
        """Yield an item for each photo, or for each face where crops are exported; numbers count from 0."""
        number = 0
        for found in by_file(rows):
            for item in self._of_file(found, number):
                yield item
                number += 1

    def _of_file(self, rows: Sequence[Row], number: int) -> Iterator[Item]:
        faces = [row for row in rows if self._has_class(row)]
        if not faces:
            return
        largest = decided.face_of(faces)
        faces.sort(key=lambda row: row.face or 0)
        if not self._crops or _is_whole(largest):
            name = self.name(largest.file) + (suffix(largest.file) if self._renames else "")
            width, height = largest.image_width or 0, largest.image_height or 0
            inside = tuple(_clipped(row, width, height) for row in faces)
            yield Item(
                number=number, name=name, file=largest.file, label=largest.label, width=width, height=height,
                faces=inside,
            )  # fmt: skip
            return
        for index, row in enumerate(faces):
            yield self._crop(row, number + index)

    def _crop(self, row: Row, number: int) -> Item:
        """Return the item of a face alone; `images.crop.cut` decides what its picture shows."""
        face = box(row)
        side = max(1, round(max(face.width, face.height)))
        left, top = face.x + face.width / 2 - side / 2, face.y + face.height / 2 - side / 2
        inside = _clipped(row._replace(x=face.x - round(left), y=face.y - round(top)), side, side)
        name = f"{self.name(row.file)}.face{row.face}.jpg"
        return Item(
            number=number, name=name, file=row.file, label=row.label, width=side, height=side, faces=(inside,)
        )  # fmt: skip

    def _has_class(self, row: Row) -> bool:
        """Say whether a face is exported; count it by reason if it is not."""
        reason = ""
        if not decided.class_of(row):
            reason = row.label if row.status == "ok" else row.status.value
        elif (row.score or 0) < self._min_score:
            reason = "below --min-score"
        elif not row.image_width:
            reason = "without the size of its photo: classify again with --overwrite"
        if reason:
            self.left_out[reason] += 1
        return not reason

    def name(self, file: str) -> str:
        """Return the name of a file in the export, without the suffix that a new encoding adds."""
        folder, _, name = file.rpartition("/")
        return self._folder(folder) + self._part(name)

    def _portable_folder(self, folder: str) -> str:
        path = os.path.relpath(self._root.locate(folder), self._root.address)
        parts = [] if path == "." else path.split(os.sep)
        return "".join(self._part(part) + "/" for part in parts)

    def _part(self, part: str) -> str:
        return self._names.distinct(part) if _PORTABLE.fullmatch(part) else hashed(part)


def _is_whole(row: Row) -> bool:
    """Say whether a photo is itself the crop of its face."""
    return row.face_score is None and (row.width, row.height) == (row.image_width, row.image_height)


def _clipped(row: Row, width: int, height: int) -> Row:
    """Return a row with its box clipped to the picture: detectors reach beyond the edge."""
    face = box(row)
    left, top = min(max(face.x, 0.0), width - 1.0), min(max(face.y, 0.0), height - 1.0)
    right, bottom = min(face.x + face.width, float(width)), min(face.y + face.height, float(height))
    return row._replace(
        x=left, y=top, width=round(max(right - left, 1.0), 1), height=round(max(bottom - top, 1.0), 1)
    )  # fmt: skip
