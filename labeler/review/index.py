"""A table in memory, as columns: 100 bytes a face and its names, so that a million are filtered in milliseconds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pyarrow.compute
from numpy.typing import NDArray

from labeler.records import UNCERTAIN, Row, Status
from labeler.review import columns
from labeler.review.folders import folders_of
from labeler.tables import reader
from labeler.tables.cells import escape, unescape

NOT_A_FACE = "not_a_face"
"""The label of a row that a person takes out."""

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
    face: NDArray[np.int32]
    box: Numbers
    """(rows, 4): x, y, width, height in pixels of the upright photo."""
    size: NDArray[np.int32]
    """(rows, 2): width and height of the upright photo."""
    folder: NDArray[np.int32]
    folder_names: tuple[str, ...]
    names: pyarrow.Array
    versions: pyarrow.Array | None
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
            self.reasons[number].as_py() or "",
            width,
            height,
            (self.versions[number].as_py() or "") if self.versions is not None else "",
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
        values = pyarrow.array(wanted, self.names.type)
        places = pyarrow.compute.index_in(self.names, value_set=values)
        found: dict[str, list[int]] = {}
        shown = list(wanted.values())
        for number in np.flatnonzero(places.is_valid().to_numpy(zero_copy_only=False)):
            found.setdefault(shown[places[number].as_py()], []).append(int(number))
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
    class_names = reader.class_names(table)
    try:
        return _gathered(columns.fast(table), class_names)
    except columns.UnusualError:
        return _gathered(columns.slow(table), class_names)
    finally:
        pyarrow.default_memory_pool().release_unused()


def _gathered(batches: Iterable[pyarrow.RecordBatch], class_names: tuple[str, ...]) -> Index:
    codes = {name: code for code, name in enumerate((*class_names, UNCERTAIN, NOT_A_FACE, ""))}
    texts: dict[str, list[pyarrow.Array]] = {"file": [], "version": [], "reason": []}
    folders: dict[str, int] = {}
    pieces: dict[str, list[NDArray[Any]]] = {}
    held = 0
    for batch in batches:
        for name, some in texts.items():
            if name in batch.schema.names:
                some.append(_text(batch.column(name)))
        for name, piece in _pieces(batch, class_names, codes).items():
            pieces.setdefault(name, []).append(piece)
        pieces.setdefault("folder", []).append(folders_of(texts["file"][-1], folders))
        held += len(batch) * len(class_names)
        if held > _MOST_PROBABILITIES:
            pieces["probabilities"].clear()
    found: dict[str, Any] = {}
    for name in list(pieces):  # Column by column, so that not the whole table is there twice.
        parts = pieces.pop(name)
        found[name] = np.concatenate(parts) if parts else None
    return Index(
        class_names=class_names,
        labels=tuple(codes),
        folder_names=tuple(folders),
        names=_joined(texts["file"]),
        versions=_joined(texts["version"]) if texts["version"] else None,
        reasons=_joined(texts["reason"]),
        **found,
    )


def _pieces(batch: pyarrow.RecordBatch, class_names: Sequence[str], codes: dict[str, int]) -> dict[str, NDArray[Any]]:
    """Return the columns that are kept of a batch; ``codes`` learns labels that it does not know."""
    label = _codes(batch.column("label"), codes)
    shares = np.stack([_numbers(batch, name) for name in class_names], axis=1)
    score = _numbers(batch, "score")
    second, second_score, margin = _runners_up(shares, label)
    status = _codes(batch.column("status"), {str(status): code for code, status in enumerate(_STATUSES)}, fixed=True)
    return {
        "label": label,
        "second": second,
        "status": status.astype(np.uint8),
        "score": score,
        "second_score": second_score,
        "margin": margin,
        "probabilities": np.rint(np.nan_to_num(np.clip(shares, 0, 1)) * _SCALE).astype(np.uint16),
        "face": _integers(batch, "face", -1),
        "box": np.stack([_numbers(batch, name) for name in ("x", "y", "width", "height")], axis=1),
        "size": np.stack([_integers(batch, name, 0) for name in ("image_width", "image_height")], axis=1),
    }


def _codes(column: pyarrow.DictionaryArray, codes: dict[str, int], *, fixed: bool = False) -> Codes:
    values = [value or "" for value in column.dictionary.to_pylist()]
    if fixed and not codes.keys() >= set(values):
        raise columns.UnusualError("no such status")
    table = np.array([*(codes.setdefault(value, len(codes)) for value in values), codes.get("", 0)], np.uint16)
    return np.asarray(table[column.indices.fill_null(len(values)).to_numpy(zero_copy_only=False)])


def _numbers(batch: pyarrow.RecordBatch, name: str) -> Numbers:
    column = batch.column(name)
    found: Numbers = column.fill_null(np.nan).to_numpy(zero_copy_only=False)
    if np.count_nonzero(np.isfinite(found)) != len(column) - column.null_count:
        raise columns.UnusualError(f"a number without end in {name}")
    return found


def _integers(batch: pyarrow.RecordBatch, name: str, absent: int) -> NDArray[np.int32]:
    if name not in batch.schema.names:
        return np.full(len(batch), absent, np.int32)
    column = batch.column(name)
    found: NDArray[np.int32] = column.fill_null(-1).to_numpy(zero_copy_only=False)
    if np.count_nonzero(found < 0) != column.null_count:
        raise columns.UnusualError(f"a negative number in {name}")
    return np.where(found < 0, np.int32(absent), found) if absent != -1 else found


def _runners_up(shares: Numbers, label: Codes) -> tuple[Codes, Numbers, Numbers]:
    """Return the most probable class other than the label, its probability, and the margin of the best two."""
    every = np.arange(len(shares))
    known = np.where(np.isnan(shares), np.float32(-1), shares)
    best = known.max(axis=1)
    winner = known.argmax(axis=1)
    own = label < shares.shape[1]
    others = known.copy()
    others[every[own], label[own]] = -1
    second = others.argmax(axis=1)
    second_score = others[every, second]
    known[every, winner] = -1
    margin = best - known.max(axis=1)
    absent = best < 0
    second_score[absent | (second_score < 0)] = np.nan
    margin[absent] = np.nan
    return second.astype(np.uint16), second_score, margin


def _text(column: pyarrow.Array) -> pyarrow.Array:
    if pyarrow.compute.any(pyarrow.compute.match_substring(column, "\0")).as_py():
        raise columns.UnusualError("a NUL byte")
    return column.cast(pyarrow.large_string())


def _joined(some: list[pyarrow.Array]) -> pyarrow.Array:
    """Return a column whole, and let go of its pieces."""
    joined = pyarrow.concat_arrays(some)
    some.clear()
    return joined
