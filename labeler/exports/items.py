"""From the rows of a table to the items of an export: which faces have a class, under which names they are exported."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path

from labeler.exports import portable
from labeler.exports.item import Item, box
from labeler.exports.pictures import COMMON, suffix
from labeler.records import Face, Row, Status, by_file
from labeler.sources import SUFFIXES
from labeler.storage.address import below, is_remote
from labeler.storage.names import Names, hashed
from labeler.tables import decided

UNKNOWN_CLASS = "a label that is no class of the model"
NO_SIZE = "the table does not have the size of the photo: classify again with --overwrite"
LOW_SCORE = "a score below --min-score"

_ODD = re.compile(rf'{portable.ODD}|[:*?"<>|\u200e\u200f\u202a-\u202e\u2066-\u2069]|\.$')
"""Matches in a part of a name that some disk, importer or text file cannot hold: a data set travels."""

_ENCODED_ANEW = "|".join(sorted(ending[1:] for ending in SUFFIXES - COMMON.keys()))

_TAKEN = re.compile(rf".*(-[0-9a-f]{{16}}|\.({_ENCODED_ANEW}))\.[a-z0-9]+", re.IGNORECASE | re.DOTALL)
"""What the name of a picture may look like after this module has changed it: another file's own name must not."""

_LIKE_A_CROP = re.compile(r"(.*\.face[0-9]+(?:\.whole)*)(\.png)", re.IGNORECASE | re.DOTALL)
"""The same for a crop; a photo that is called so, one of `classify --save-crops`, becomes ``a.jpg.face0.whole.png``."""

_ENDING = re.compile(r"\.[a-z0-9]{1,5}")

_FOLDERS = 4096
"""Upper limit on cached folders: the files of one folder come one after another."""


class Items:
    """The items of a table's rows, in their order. ``left_out`` counts the files and faces that are none, by reason.

    ``encodes`` says that photos are written as files of common formats, and not linked as they are. ``names`` are by
    default those of the disk of ``out``.
    """

    def __init__(
        self,
        root: str,
        out: Path,
        class_names: Sequence[str],
        *,
        crops: bool = False,
        encodes: bool = True,
        min_score: float = 0.0,
        names: Names | None = None,
    ) -> None:
        self.left_out: Counter[str] = Counter()
        self._root = root
        self._names = names or Names(str(out))
        self._class_names = frozenset(class_names)
        self._crops, self._encodes, self._min_score = crops, encodes, min_score
        self._folder = lru_cache(_FOLDERS)(self._portable_folder)

    def of(self, rows: Iterable[Row]) -> Iterator[Item]:
        """Yield an item for each photo, or for each face where crops are exported; numbers count from 0."""
        number = 0
        for found in by_file(rows):
            for item in self._of_file(found, number):
                yield item
                number += 1

    def photo_name(self, file: str) -> str:
        """Return the name of a whole photo in the export; it depends on its file alone."""
        return self._name(file, suffix(file) if self._encodes else "")

    def _of_file(self, rows: Sequence[Row], number: int) -> Iterator[Item]:
        faces = [_as_decided(row) for row in rows if self._has_class(row)]
        if not faces:
            return
        largest = decided.face_of(faces)
        if self._crops and not _is_whole(largest):
            for index, row in enumerate(faces):
                yield self._crop(row, number + index)
            return
        faces = decided.largest_first(faces)
        width, height = largest.image_width or 1, largest.image_height or 1
        yield Item(
            number=number,
            name=self.photo_name(largest.file),
            file=largest.file,
            label=largest.label,
            width=width,
            height=height,
            faces=tuple(_clipped(row, width, height) for row in faces),
            version=largest.version,
        )

    def _crop(self, row: Row, number: int) -> Item:
        """Return the item of a face alone; `images.crop.cut` decides what its picture shows."""
        x, y, width, height = box(row)
        side = max(1, round(max(width, height)))
        left, top = round(x + width / 2 - side / 2), round(y + height / 2 - side / 2)
        return Item(
            number=number,
            name=self._name(row.file, f".face{row.face}.png"),
            file=row.file,
            label=row.label,
            width=side,
            height=side,
            faces=(_clipped(row._replace(x=x - left, y=y - top), side, side),),
            square=Face(x, y, width, height),
            version=row.version,
        )

    def _has_class(self, row: Row) -> bool:
        """Say whether a face is exported; count it by reason if it is not."""
        reason = ""
        if not decided.class_of(row):
            reason = row.label or "no label" if row.status is Status.OK else row.status.value
        elif row.label not in self._class_names:
            reason = UNKNOWN_CLASS
        elif row.before is None and (row.score or 0) < self._min_score:
            reason = LOW_SCORE
        elif not row.image_width:
            reason = NO_SIZE
        if reason:
            self.left_out[reason] += 1
        return not reason

    def _name(self, file: str, ending: str) -> str:
        """Return the name of a file in the export, with the ending of what is made of it.

        A name that is not kept has its hash, and its suffix in lower case.
        """
        folder, _, name = below(self._root, file).rpartition("/") if is_remote(file) else file.rpartition("/")
        kept = self._part(name)
        own = os.path.splitext(name)[1].lower()
        if not ending and (kept != name or _TAKEN.fullmatch(name)):
            return f"{self._folder(folder)}{_plain(name)}{own if _ENDING.fullmatch(own) else ''}"
        if not ending and self._crops and (alike := _LIKE_A_CROP.fullmatch(name)):
            kept = f"{alike[1]}.whole{alike[2]}"
        if ending and own not in SUFFIXES:
            kept = _plain(name)
        return f"{self._folder(folder)}{kept}{ending}"

    def _portable_folder(self, folder: str) -> str:
        if is_remote(self._root):
            parts = [part for part in folder.split("/") if part not in {"", ".", ".."}]
        else:
            path = os.path.relpath(os.path.join(self._root, folder), self._root)
            parts = [] if path == "." else path.split(os.sep)
        return "".join(self._part(part) + "/" for part in parts)

    def _part(self, part: str) -> str:
        return _plain(part) if _ODD.search(part) else self._names.distinct(part)


def _plain(part: str) -> str:
    return hashed(part).lstrip(".")


def _is_whole(row: Row) -> bool:
    """Say whether a photo is itself the crop of its face."""
    return row.face_score is None and (row.width, row.height) == (row.image_width, row.image_height)


def _as_decided(row: Row) -> Row:
    """Return a face without the score of a label that the model did not give."""
    return row if row.before is None else row._replace(score=decided.score_of(row))


def _clipped(row: Row, width: int, height: int) -> Row:
    """Return a row with its box clipped to the picture: detectors reach beyond the edge."""
    x, y, w, h = box(row)
    left, top = min(max(x, 0.0), width - 1.0), min(max(y, 0.0), height - 1.0)
    right, bottom = min(x + w, float(width)), min(y + h, float(height))
    return row._replace(
        x=left, y=top, width=round(max(right - left, 1.0), 1), height=round(max(bottom - top, 1.0), 1)
    )  # fmt: skip
