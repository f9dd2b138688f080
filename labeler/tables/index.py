"""A table in memory, as columns: 100 bytes a face and its names, so that a million are filtered in milliseconds."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pyarrow.compute
from numpy.typing import NDArray

from labeler.records import UNCERTAIN, Row, Status
from labeler.tables import arrays, columns, reader
from labeler.tables.arrays import numbers
from labeler.tables.cells import Layout, escape, unescape
from labeler.tables.folders import folders_of
from labeler.tables.reviews import NOT_A_FACE

_STATUSES = tuple(Status)
_MOST_PROBABILITIES = 1 << 26
"""Upper limit on the probabilities that are kept, 128 MB: 67 classes at a million faces. Beyond, none are."""

_SCALE = 65535
"""Probabilities are kept in two bytes, as multiples of 1 / 65535."""

Numbers = NDArray[np.float32]
Codes = NDArray[np.uint16]


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """The rows of a table by number, from 0. Missing numbers are NaN, a missing face is -1, a missing size 0."""

    class_names: tuple[str, ...]
    top: int = 0
    """How many of the most probable classes the table names; 0 for all."""
    labels: tuple[str, ...]
    """What the codes of labels stand for: the classes, `uncertain`, `not_a_face`, no label, and others of the table."""
    label: Codes
    second: Codes
    """The most probable class other than the label."""
    status: NDArray[np.uint8]
    score: Numbers
    second_score: Numbers
    margin: Numbers
    """The probability of the most probable class minus that of the next."""
    probabilities: NDArray[np.uint16] | None
    """(rows, classes); None where the table does not have those of all classes, or has too many to keep them."""
    face: NDArray[np.int32]
    box: Numbers
    """(rows, 4): x, y, width, height in pixels of the upright photo."""
    size: NDArray[np.int32]
    """(rows, 2): width and height of the upright photo."""
    folder: NDArray[np.int32]
    folder_names: tuple[str, ...]
    names: pyarrow.Array
    versions: pyarrow.Array
    """Empty for tables of version 1."""
    reasons: pyarrow.Array

    def __len__(self) -> int:
        return len(self.label)

    def name(self, number: int) -> str:
        """Return the name of a row's file as it stands in the table, escaped."""
        return str(self.names[number].as_py())

    def row(self, number: int) -> Row:
        """Return a row of the table; its probabilities are exact to 1 / 131,070."""
        face, score = int(self.face[number]), float(self.score[number])
        x, y, across, down = (None if np.isnan(cell) else round(float(cell), 1) for cell in self.box[number])
        width, height = (int(side) or None for side in self.size[number])
        return Row(
            unescape(self.name(number)),
            None if face < 0 else face,
            x,
            y,
            across,
            down,
            None,
            self.labels[self.label[number]],
            None if np.isnan(score) else round(score, 6),
            self.shares(number),
            _STATUSES[self.status[number]],
            str(self.reasons[number].as_py()),
            width,
            height,
            str(self.versions[number].as_py()) if len(self.versions) else "",
        )

    def shares(self, number: int) -> tuple[float, ...]:
        """Return the probability of each class; nothing where there is none, or too many classes to keep them."""
        if self.probabilities is None or np.isnan(self.score[number]):
            return ()
        return tuple(round(int(share) / _SCALE, 5) for share in self.probabilities[number])

    def rows_of(self, files: Iterable[str]) -> dict[str, list[int]]:
        """Return the numbers of the rows of some files; one pass over the names, whatever their number."""
        wanted = {escape(file): file for file in files}
        if not wanted:
            return {}
        places = pyarrow.compute.index_in(self.names, value_set=arrays.array(list(wanted), pyarrow.large_string()))
        found: dict[str, list[int]] = {}
        shown = list(wanted.values())
        codes = numbers(places, -1)
        for number in np.flatnonzero(codes >= 0).tolist():
            found.setdefault(shown[codes[number]], []).append(number)
        return found

    def rows_beside(self, number: int) -> list[int]:
        """Return the numbers of all rows of a row's file, which are adjacent."""
        name, first, last = self.name(number), number, number
        while first and self.name(first - 1) == name:
            first -= 1
        while last + 1 < len(self) and self.name(last + 1) == name:
            last += 1
        return list(range(first, last + 1))


def load(table: Path) -> Index:
    """Read a table.

    Raises:
        LabelerError: there is no such table, it is not one of ours, or it is damaged.
    """
    layout = reader.layout(table)
    try:
        return _gathered(columns.fast(table), layout, columns.most_rows(table))
    except columns.UnusualError:
        return _gathered(columns.slow(table), layout, columns.most_rows(table))
    finally:
        pyarrow.default_memory_pool().release_unused()


def _gathered(batches: Iterable[pyarrow.RecordBatch], layout: Layout, most_rows: int) -> Index:
    class_names = layout.class_names
    codes = {name: code for code, name in enumerate((*class_names, UNCERTAIN, NOT_A_FACE, ""))}
    texts = {name: _Texts(most_rows) for name in ("file", "version", "reason")}
    folders: dict[str, int] = {}
    found: dict[str, NDArray[Any]] = {}
    end = 0
    for batch in batches:
        for name in texts.keys() & set(batch.schema.names):
            texts[name].add(batch.column(name))
        if batch.column("file").null_count:
            raise columns.UnusualError("a row without a file")
        pieces = {**_pieces(batch, layout, codes), "folder": folders_of(batch.column("file"), folders)}
        begin, end = end, end + len(batch)
        if end * len(class_names) > _MOST_PROBABILITIES:
            pieces.pop("probabilities", None)
            found.pop("probabilities", None)
        for name, piece in pieces.items():
            if name not in found:  # As long as it could become: what is never written takes no memory.
                found[name] = np.empty((most_rows, *piece.shape[1:]), piece.dtype)
            found[name][begin:end] = piece
    return Index(
        class_names=class_names,
        top=layout.top,
        labels=tuple(codes),
        folder_names=tuple(folders),
        names=texts["file"].joined(),
        versions=texts["version"].joined(),
        reasons=texts["reason"].joined(),
        probabilities=found["probabilities"][:end] if "probabilities" in found else None,
        **{name: column[:end] for name, column in found.items() if name != "probabilities"},
    )


def _pieces(batch: pyarrow.RecordBatch, layout: Layout, codes: dict[str, int]) -> dict[str, NDArray[Any]]:
    """Return the columns that are kept of a batch; ``codes`` learns labels that it does not know."""
    label = _codes(batch.column("label"), codes)
    score = _numbers(batch, "score")
    of_classes = {}
    if layout.top:
        second, second_score, margin = _named_second(batch, label, score, codes)
    else:
        shares = np.stack([_numbers(batch, name) for name in layout.class_names])
        second, second_score, margin = _runners_up(shares, label)
        of_classes["probabilities"] = np.rint(np.nan_to_num(np.clip(shares, 0, 1)) * _SCALE).astype(np.uint16).T
    status = _codes(batch.column("status"), {str(status): code for code, status in enumerate(_STATUSES)}, fixed=True)
    return {
        "label": label,
        "second": second,
        "status": status.astype(np.uint8),
        "score": score,
        "second_score": second_score,
        "margin": margin,
        **of_classes,
        "face": _integers(batch, "face", -1),
        "box": np.stack([_numbers(batch, name) for name in ("x", "y", "width", "height")], axis=1),
        "size": np.stack([_integers(batch, name, 0) for name in ("image_width", "image_height")], axis=1),
    }


def _codes(column: pyarrow.DictionaryArray, codes: dict[str, int], *, fixed: bool = False) -> Codes:
    values = [value or "" for value in column.dictionary.to_pylist()]
    if fixed and not codes.keys() >= set(values):
        raise columns.UnusualError("no such status")
    table = np.array([*(codes.setdefault(value, len(codes)) for value in values), codes.get("", 0)], np.uint16)
    return np.asarray(table[numbers(column.indices, len(values))])


def _numbers(batch: pyarrow.RecordBatch, name: str) -> Numbers:
    column = batch.column(name)
    found: Numbers = numbers(column, np.nan)
    if np.count_nonzero(np.isfinite(found)) != len(column) - column.null_count:
        raise columns.UnusualError(f"a number without end in {name}")
    return found


def _integers(batch: pyarrow.RecordBatch, name: str, absent: int) -> NDArray[np.int32]:
    if name not in batch.schema.names:
        return np.full(len(batch), absent, np.int32)
    column = batch.column(name)
    found: NDArray[np.int32] = numbers(column, -1)
    if np.count_nonzero(found < 0) != column.null_count:
        raise columns.UnusualError(f"a negative number in {name}")
    return np.maximum(found, np.int32(absent))


def _named_second(
    batch: pyarrow.RecordBatch, label: Codes, score: Numbers, codes: dict[str, int]
) -> tuple[Codes, Numbers, Numbers]:
    """Return what `_runners_up` does of a table made with `--top`; a margin that it does not tell is NaN.

    Where the label is `uncertain`, the most probable class is the first beside it, see `Row.further`.
    """
    nothing = np.full(len(batch), np.nan, np.float32)
    names = batch.schema.names
    best, next_best = (_numbers(batch, name) if name in names else nothing for name in ("score_2", "score_3"))
    second = _codes(batch.column("label_2"), codes) if "label_2" in names else np.zeros(len(batch), np.uint16)
    second = np.where(np.isnan(best), np.uint16(0), second)
    margin = np.where(label == codes[UNCERTAIN], best - next_best, score - best)
    return second, best, margin


def _runners_up(shares: Numbers, label: Codes) -> tuple[Codes, Numbers, Numbers]:
    """Return the most probable class other than the label, its probability, and the margin of the best two.

    ``shares`` has a row for each class: along the other axis numpy takes five times as long.
    """
    known = np.where(np.isnan(shares), np.float32(-1), shares)
    best = known.max(axis=0)
    is_best = known == best
    margin = best - np.where(is_best, np.float32(-1), known).max(axis=0)
    margin[np.count_nonzero(is_best, axis=0) > 1] = 0
    own = np.flatnonzero(label < len(shares))
    known[label[own], own] = -1
    second_score = known.max(axis=0)
    second = np.zeros(len(label), np.uint16)
    for code in reversed(range(len(shares))):
        np.copyto(second, np.uint16(code), where=known[code] == second_score)
    margin[best < 0] = np.nan
    second_score[second_score < 0] = np.nan
    return second, second_score, margin


class _Texts:
    """A column of texts that grows in place: to join its pieces at the end would take it twice."""

    def __init__(self, most: int) -> None:
        self._content = bytearray()
        self._ends = np.zeros(most + 1, np.int64)
        self._count = 0

    def add(self, column: pyarrow.Array) -> None:
        ends, content = arrays.ends(column), column.buffers()[2]
        begin = len(self._content)
        self._ends[self._count + 1 : self._count + 1 + len(column)] = ends[1:] - ends[0] + np.int64(begin)
        self._count += len(column)
        if content:
            self._content += memoryview(content)[ends[0] : ends[-1]]
            if self._content.find(b"\0", begin) >= 0:
                raise columns.UnusualError("a NUL byte")

    def joined(self) -> pyarrow.Array:
        """Return the column; empty where there were no texts."""
        ends, content = pyarrow.py_buffer(self._ends[: self._count + 1]), pyarrow.py_buffer(self._content)
        return pyarrow.LargeStringArray.from_buffers(self._count, ends, content)
