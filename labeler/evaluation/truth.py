"""Compare the rows of a run with the truth: the class folders that files stand in, or a table of labels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from labeler import labeling, sources
from labeler.evaluation.classes import check_names, class_of
from labeler.evaluation.metrics import Figures, compare
from labeler.images.crop import fingerprint
from labeler.images.picture import ImageError
from labeler.records import Row, Settings, Status
from labeler.tables.labels import Truth

COPY = "copy"
"""Reason to leave an image out: it is pixel-identical to a training image."""

TIE = "tie"
"""Reason to leave an image out: several classes have the most votes."""

MISSING = "missing"
"""Reason to leave an image out: the table names it, but the file does not exist."""

FURTHER_FACE = "further_face"
"""Reason to leave a face out: it is not the largest of its image."""


def of_folders(rows: Iterable[Row], class_names: Sequence[str], copies: Collection[str] = frozenset()) -> Figures:
    """Compare the rows of a directory of class folders with the folders of their files.

    The true class of a row is the first folder in its file's name. The prediction of an `uncertain` row is its most
    probable class. Files that failed, are damaged, have no face or are in ``copies``, and all faces of a file but the
    largest, are left out and counted.

    Raises:
        LabelerError: a folder does not have the name of a class, or a file is in no class folder.
        NoPicturesError: no row is left.
    """
    return _compared(rows, class_of, class_names, copies, "the class folders")


def of_table(
    rows: Iterable[Row], truth: Truth, class_names: Sequence[str], copies: Collection[str] = frozenset()
) -> Figures:
    """Compare rows with the labels of a table; leave out what `of_folders` does, ties, and missing files.

    Raises:
        LabelerError: the table has a class that the model does not have.
        NoPicturesError: no row is left.
    """
    figures = _compared(rows, truth.labels.__getitem__, class_names, copies, "the table's classes")
    others = {TIE: truth.ties, MISSING: len(truth.missing)}
    left_out = {**figures.left_out, **{why: count for why, count in others.items() if count}}
    return replace(figures, against=truth.against, left_out=left_out)


def copies_of(originals: str | Path, directory: str | Path) -> frozenset[str]:
    """Return the files of ``directory`` whose face crop is pixel-identical to that of a file in ``originals``."""
    known = {fingerprint for _, fingerprint in _fingerprints(originals)}
    return frozenset(file for file, fingerprint in _fingerprints(directory) if fingerprint in known)


def _compared(
    rows: Iterable[Row],
    truth_of: Callable[[str], str],
    class_names: Sequence[str],
    copies: Collection[str],
    holder: str,
) -> Figures:
    left_out: Counter[str] = Counter()
    found: set[str] = set()
    truth: list[str] = []
    compared: list[Row] = []
    for row in rows:
        true = truth_of(row.file)
        found.add(true)
        reason = _why_left_out(row, copies)
        if reason:
            left_out[reason] += 1
        else:
            truth.append(true)
            compared.append(row)
    check_names(holder, found, class_names)
    predicted = [row.most_probable(class_names) for row in compared]
    probabilities = np.array([row.probabilities for row in compared])
    return replace(compare(truth, predicted, class_names, probabilities), left_out=dict(left_out))


def _why_left_out(row: Row, copies: Collection[str]) -> str:
    if row.status is not Status.OK:
        return FURTHER_FACE if row.face else row.status.value
    if row.file in copies:
        return COPY
    return FURTHER_FACE if row.face else ""


def _fingerprints(directory: str | Path) -> Iterator[tuple[str, bytes]]:
    source = sources.find(directory)
    look = labeling.Looker(Settings(root=source.root))
    for file in source:
        try:
            found = look(file).faces
        except ImageError:
            continue  # An unreadable file is no copy; labeling the directory reports it.
        for _, crop in found[:1]:
            yield file, fingerprint(crop)
