"""Compare the rows of a run with the truth: the class folders that files stand in, or a table of labels."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from labeler import labeling, sources
from labeler.errors import LabelerError
from labeler.evaluation.metrics import Figures, check_names, compare
from labeler.images import decode as images
from labeler.records import UNCERTAIN, Row, Settings, Status
from labeler.tables.labels import Truth

COPY = "copy"
"""Why a picture is left out that is pixel-identical to one the model was trained on."""

TIE = "tie"
"""Why a picture is left out whose votes name no single class."""

MISSING = "missing"
"""Why a picture is left out that a table names and that is not there."""

FURTHER_FACE = "further_face"
"""Why a face is left out that is not the largest of its picture."""


def of_folders(rows: Iterable[Row], class_names: Sequence[str], copies: Collection[str] = frozenset()) -> Figures:
    """Compare the rows of a directory of class folders with the folders that the files stand in.

    The truth of a row is the first folder in its file's name; an `uncertain` row counts as its most probable
    class. Files that failed, are damaged, gave no face or are in ``copies``, and all faces of a file but its
    largest, are left out and counted.

    Raises:
        LabelerError: a folder is not named like a class, or a file stands in no folder.
        NoPicturesError: no row is left.
    """
    return _compared(rows, _class_folder, class_names, copies, "the class folders")


def of_table(
    rows: Iterable[Row], truth: Truth, class_names: Sequence[str], copies: Collection[str] = frozenset()
) -> Figures:
    """Compare rows with what a table says of their files; left out are those of `of_folders`, ties and what is missing.

    Raises:
        LabelerError: the table has a class that is none.
        NoPicturesError: no row is left.
    """
    figures = _compared(rows, truth.labels.__getitem__, class_names, copies, "the table's classes")
    others = {TIE: truth.ties, MISSING: len(truth.missing)}
    left_out = {**figures.left_out, **{why: count for why, count in others.items() if count}}
    return replace(figures, against=truth.against, left_out=left_out)


def class_folders(directory: str | Path) -> tuple[str, ...]:
    """Return the names of the class folders of a directory, sorted; hidden folders are passed over.

    Raises:
        LabelerError: there is no such directory, or no folder in it.
    """
    try:
        with os.scandir(directory) as entries:
            names = sorted(entry.name for entry in entries if entry.is_dir() and not entry.name.startswith("."))
    except OSError as exc:
        raise LabelerError(f"the directory {directory} cannot be read: {exc.strerror}") from exc
    if not names:
        raise LabelerError(f"{directory} holds no class folders; it needs one folder of pictures for each class")
    return tuple(names)


def copies_of(originals: str | Path, directory: str | Path) -> frozenset[str]:
    """Return the files of ``directory`` that show a model the very pixels of a file in ``originals``."""
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
    judged: list[Row] = []
    for row in rows:
        true = truth_of(row.file)
        found.add(true)
        reason = _why_left_out(row, copies)
        if reason:
            left_out[reason] += 1
        else:
            truth.append(true)
            judged.append(row)
    check_names(holder, found, class_names)
    predicted = [_most_probable(row, class_names) for row in judged]
    probabilities = np.array([row.probabilities for row in judged])
    return replace(compare(truth, predicted, class_names, probabilities), left_out=dict(left_out))


def _class_folder(file: str) -> str:
    folder, slash, _ = file.partition("/")
    if not slash:
        raise LabelerError(f"{file} stands in no class folder; move it into the folder of its class, or away")
    return folder


def _why_left_out(row: Row, copies: Collection[str]) -> str:
    if row.status is not Status.OK:
        return FURTHER_FACE if row.face else row.status.value
    if row.file in copies:
        return COPY
    return FURTHER_FACE if row.face else ""


def _most_probable(row: Row, class_names: Sequence[str]) -> str:
    if row.label != UNCERTAIN:
        return row.label
    return class_names[row.probabilities.index(max(row.probabilities))]


def _fingerprints(directory: str | Path) -> Iterator[tuple[str, bytes]]:
    source = sources.find(directory)
    look = labeling.Looker(Settings(root=source.root))
    for file in source:
        try:
            found = look(file).faces
        except images.ImageError:
            continue  # What cannot be read is no copy; whoever labels the directory reports it.
        for _, crop in found[:1]:
            yield file, images.fingerprint(crop)
