"""The records that pass between the stages. Standard library only, scalars only."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from heapq import nlargest
from itertools import chain, groupby, islice
from operator import attrgetter
from typing import NamedTuple

SCHEMA_VERSION = 2
"""Version of the layout of new tables. Version 1 had no `image_width`, `image_height` and `version`."""

INPUT_SIDE = 64
"""Side in pixels of the square image that the shipped networks take, and those that `labeler train` makes."""

CROP_SIDE = 128
"""Upper limit in pixels on the longer side of an image that is taken for a face crop itself."""

UNCERTAIN = "uncertain"
"""The label of a face whose best class scores below the threshold."""


class Status(StrEnum):
    """The outcome for a file."""

    OK = "ok"
    NO_FACE = "no_face"
    DAMAGED = "damaged"
    """Labelled, but the decoder says that image data is lost: not `ok`, for the sake of training and statistics."""
    UNREADABLE = "unreadable"
    TOO_LARGE = "too_large"
    UNSUPPORTED = "unsupported"


FAILURES = frozenset({Status.UNREADABLE, Status.TOO_LARGE, Status.UNSUPPORTED})
"""Statuses of files whose image could not be used. `no_face` and `damaged` are answers, not failures."""

EXAMPLES = 5
"""Upper limit on the failed files that a tally keeps as examples."""

COLUMNS_BEFORE = ("file", "face", "x", "y", "width", "height", "face_score", "label", "score")
COLUMNS_AFTER = ("image_width", "image_height", "version", "status", "reason")
COLUMNS_AFTER_BY_SCHEMA = {1: COLUMNS_AFTER[3:], SCHEMA_VERSION: COLUMNS_AFTER}
"""The columns after the classes, by schema version."""

_COLUMNS_OF_OTHERS = frozenset({"corrected", "reviewed", "label_before", "/added"})
"""Columns that persons, `tables.dataframe` and `tables.reviewed_labels` add, each with a meaning of its own."""

RESERVED_NAMES = frozenset({*COLUMNS_BEFORE, *COLUMNS_AFTER, UNCERTAIN, *Status, "failed", "/added", ""})
"""Names that no class may have, because they are columns, labels or folders with a meaning of their own."""


MOST_CLASSES = 10_000
"""Upper limit on classes, because each becomes a column of the table."""

LONGEST_CLASS_NAME = 200
"""Upper limit on the characters of a class name."""

_INVISIBLE = frozenset({"Zs", "Cf"})
"""Categories of Unicode whose characters show nothing: spaces, and what directs or joins other characters."""


def unusable_class_names(class_names: Sequence[str]) -> list[str]:
    """Return the names that cannot be a column, or a word on a line: reserved, repeated, blank, with a line break, ...

    Anything else may be one: `n/a`, `tench, Tinca tinca`. Folders get names of their own, see `sorting.folders`.
    """
    if class_names and tuple(class_names) == top_columns(len(class_names) // 2 + 1):
        return sorted(class_names)  # A table of them would read as one of the most probable classes.
    counts = Counter(class_names)
    return sorted(name for name in counts if counts[name] > 1 or name in RESERVED_NAMES or not _is_plain(name))


def _is_plain(name: str) -> bool:
    is_blank = all(unicodedata.category(sign) in _INVISIBLE for sign in name)
    return not (is_blank or _has_controls(name)) and len(name) <= LONGEST_CLASS_NAME


def _has_controls(name: str) -> bool:
    return any(unicodedata.category(sign) in {"Cc", "Cs", "Zl", "Zp"} for sign in name)


def unusable_kept_names(keep: Sequence[str], class_names: Sequence[str]) -> list[str]:
    """Return the names that no column may have that is carried over from a list: taken, repeated, with a control sign.

    They stand behind the table's own columns, which a reader finds by their names.
    """
    counts = Counter(keep)
    taken = {*COLUMNS_BEFORE, *COLUMNS_AFTER, *class_names, *_COLUMNS_OF_OTHERS}
    taken.update(name for name, count in counts.items() if count > 1)
    return sorted(name for name in counts if name in taken or not name.strip() or _has_controls(name))


def columns(
    class_names: Sequence[str], schema: int = SCHEMA_VERSION, keep: Sequence[str] = (), top: int = 0
) -> tuple[str, ...]:
    """Return the table's columns, in order, for a model with these classes; ``keep`` are those carried over.

    With ``top``, no class has a column of its own: see `top_columns`.
    """
    between = top_columns(top) if top else class_names
    return (*COLUMNS_BEFORE, *between, *COLUMNS_AFTER_BY_SCHEMA[schema], *keep)


def top_columns(top: int) -> tuple[str, ...]:
    """Return the columns of the most probable classes but the first, which `label` and `score` name."""
    return tuple(f"{name}_{rank}" for rank in range(2, top + 1) for name in ("label", "score"))


class Faces(StrEnum):
    """How the faces of an image are found."""

    AUTO = "auto"
    """An image whose longer side is at most `CROP_SIDE` pixels is one face crop, unless a model that knows says that it
    shows no face; larger ones go to the detector."""
    DETECT = "detect"
    WHOLE = "whole"


class Resize(StrEnum):
    """How an image that is taken whole becomes a square."""

    STRETCH = "stretch"
    """Each side is scaled by itself: what is done with face crops."""
    FIT = "fit"
    """All of it is scaled alike; what is left of the square is black."""
    CROP = "crop"
    """The square in its middle is taken: the shorter side is scaled, and the centre cropped."""


class View(NamedTuple):
    """What a network is shown of a face or an image."""

    side: int = INPUT_SIDE
    """Side of the square in pixels."""
    margin: float = 0.0
    """What is added around a face on each side, as a share of the longer side of its bounding box."""
    resize: Resize = Resize.STRETCH
    crop_pct: float = 1.0
    """With `Resize.CROP`, the share of the shorter side that the centre crop keeps (timm's name for it)."""

    def of(self, resize: str | None) -> View:
        """Return the view with another way to make squares; None, as in `Settings` and run records, keeps its own."""
        return self._replace(resize=Resize(resize or self.resize))


class Device(StrEnum):
    """The device that the networks run on."""

    AUTO = "auto"
    """CUDA where the installed ONNX Runtime and this machine have it, else the CPU."""
    CPU = "cpu"
    CUDA = "cuda"


class Engine(StrEnum):
    """What hands the units of a directory of parts out."""

    LOCAL = "local"
    RAY = "ray"


class Mode(StrEnum):
    """How a photo gets into the sorted folder."""

    COPY = "copy"
    MOVE = "move"
    SYMLINK = "symlink"
    HARDLINK = "hardlink"


class Redo(StrEnum):
    """Which files of a table are labelled again."""

    FAILED = "failed"
    CHANGED = "changed"
    """Files whose version on the disk is not the one in the table."""


class Progress(StrEnum):
    """How a command shows its progress."""

    AUTO = "auto"
    """A bar on a terminal, else a log."""
    BAR = "bar"
    LOG = "log"
    JSON = "json"
    NONE = "none"


class Face(NamedTuple):
    """A bounding box in pixels of the upright, full-size image, in tenths: one pixel is 5% of a small face."""

    x: float
    y: float
    width: float
    height: float
    score: float | None = None


class ListedName(str):
    """A file's name that a list gave, and what the list says of the file besides."""

    __slots__ = ("kept",)

    kept: tuple[str, ...]

    @classmethod
    def of(cls, name: str, kept: tuple[str, ...]) -> ListedName:
        """Return a name with the values of the columns that are kept."""
        listed = cls(name)
        listed.kept = kept
        return listed


class Row(NamedTuple):
    """One face, or one file in which no face was labelled.

    A tuple, because a row is made, pickled and unpickled for every face: 2.3 microseconds, as a frozen dataclass 7.
    """

    file: str
    face: int | None = None
    x: float | None = None
    y: float | None = None
    width: float | None = None
    height: float | None = None
    face_score: float | None = None
    label: str = ""
    score: float | None = None
    probabilities: tuple[float, ...] = ()
    status: Status = Status.OK
    reason: str = ""
    image_width: int | None = None
    image_height: int | None = None
    """Size of the upright image in pixels; None where it was not decoded, and in tables of schema version 1."""
    version: str = ""
    """Differs once the file has changed; empty where the file could not be reached, and in tables of version 1."""
    before: str | None = None
    """The model's label of a face that a person reviewed; empty where the person added the face, None where nobody
    looked. In memory only: the corrections lie beside the table."""
    kept: tuple[str, ...] = ()
    """What a list of files says of this one, in the columns that were to be kept; empty where none were."""
    further: tuple[str | float, ...] = ()
    """The most probable classes beside the label, each followed by its probability, in a table made with `--top`. Its
    rows have no `probabilities`: what needs those of all classes cannot take some for them."""

    @classmethod
    def of_image(cls, file: str, width: int, height: int, version: str) -> Row:
        """Return the row of a file whose image was decoded, to be completed for each face, or without one."""
        return cls._make((file, *_NOTHING, width, height, version, None, (), ()))

    @property
    def failed(self) -> bool:
        """Say whether the file's image could not be used."""
        return self.status in FAILURES

    def located(self, index: int, face: Face) -> Row:
        """Return this row for the ``index``-th face of its file, largest first."""
        return Row._make((self.file, index, *face, *self[7:]))

    def unlocated(self) -> Row:
        """Return this row without a face and its bounding box."""
        return Row._make((self.file, *_NOTHING[:6], *self[7:]))

    def labelled(
        self, probabilities: Sequence[float], class_names: Sequence[str], threshold: float, top: int = 0
    ) -> Row:
        """Return this row with the winning class, or `uncertain` when it scores below ``threshold``.

        With ``top`` above 0 it keeps the probabilities of so many classes, those with the highest.
        """
        score = max(probabilities)
        label = class_names[probabilities.index(score)] if score >= threshold else UNCERTAIN
        if not top:
            return Row._make((*self[:7], label, score, tuple(probabilities), *self[10:]))
        best = nlargest(top, range(len(probabilities)), key=probabilities.__getitem__)
        others = best[:-1] if label == UNCERTAIN else best[1:]
        further = chain.from_iterable((class_names[place], probabilities[place]) for place in others)
        return Row._make((*self[:7], label, score, (), *self[10:-1], tuple(further)))

    def most_probable(self, class_names: Sequence[str]) -> str:
        """Return the most probable class, also of an `uncertain` row; empty where the row does not tell it."""
        said = self.label if self.before is None else self.before
        if said != UNCERTAIN:
            return said
        if self.probabilities:
            return class_names[self.probabilities.index(max(self.probabilities))]
        return str(self.further[0]) if self.further else ""

    def without_label(self, status: Status, reason: str) -> Row:
        """Return this row as the only row of a file in which no face was labelled."""
        return self._replace(status=status, reason=reason)

    def damaged(self, reason: str) -> Row:
        """Return this row with the status `damaged`; it may have a label all the same."""
        return self._replace(status=Status.DAMAGED, reason=reason)


_NOTHING = Row("")[1:-6]


def by_file(rows: Iterable[Row]) -> Iterator[list[Row]]:
    """Group rows by file; the rows of a file must be adjacent, as they are in a table."""
    for _, group in groupby(rows, attrgetter("file")):
        yield list(group)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything that decides the content of the rows, and nothing else."""

    model: str = ""
    """The name of a bundle, a run directory, or a model file; empty for the default bundle."""
    root: str = "."
    """The folder that file names are relative to."""
    faces: Faces = Faces.AUTO
    resize: Resize | None = None
    """How images that are taken whole become squares; None for the model's own way."""
    detector: str = ""
    """A face detector in YuNet's format; empty for the shipped one."""
    min_face: int = 24
    """Lower limit on faces: the longer side of the box in pixels of the full-size image, approximately."""
    face_threshold: float = 0.6
    """Lower limit on the detector's confidence in a face."""
    max_faces: int = 0
    """Upper limit on the faces of an image, the largest first; 0 for all."""
    threshold: float = 0.0
    """Lower limit on the probability of a label; below it the label is `uncertain`."""
    top: int = 0
    """Number of the most probable classes that a row names; 0 for the probabilities of all."""
    prior: tuple[float, ...] = ()
    """The shares of the classes that the probabilities are to assume, in the model's order; empty for its own."""
    max_pixels: int = 100_000_000
    """Upper limit on the pixels of an image; larger ones are `too_large`."""
    absolute: bool = False
    """Whether the table holds absolute paths."""
    save_crops: str = ""
    """The folder to save face crops in; empty for none."""


_STATUS_OF, _LABEL_OF, _FAILED = attrgetter("status"), attrgetter("label"), attrgetter("failed")


@dataclass(slots=True, kw_only=True)
class Tally:
    """The counts of a run so far. Every file counts once: ok + no_face + damaged + each failure = files."""

    files: int = 0
    faces: int = 0
    resumed: int = 0
    """How many of the files were in the table before this run."""
    statuses: Counter[str] = field(default_factory=Counter)
    labels: Counter[str] = field(default_factory=Counter)
    examples: list[Row] = field(default_factory=list)
    """The first few rows of files that failed."""

    def add(self, row: Row) -> None:
        """Count one row. The rows of a file must be adjacent, its largest face first."""
        if not row.face:
            self.files += 1
            self.statuses[row.status] += 1
            if row.failed and len(self.examples) < EXAMPLES:
                self.examples.append(row)
        if row.label:
            self.faces += 1
            self.labels[row.label] += 1

    def add_all(self, rows: Sequence[Row]) -> None:
        """Count many rows, as `add` does one after the other."""
        files = [row for row in rows if not row.face]
        statuses, labels = Counter(map(_STATUS_OF, files)), Counter(filter(None, map(_LABEL_OF, rows)))
        self.files += len(files)
        self.faces += labels.total()
        self.statuses.update(statuses)
        self.labels.update(labels)
        if not FAILURES.isdisjoint(statuses):
            self.examples += islice(filter(_FAILED, files), max(0, EXAMPLES - len(self.examples)))

    @property
    def failed(self) -> int:
        """Return how many files have an image that could not be used."""
        return sum(self.statuses[status] for status in FAILURES)

    def counts(self) -> dict[str, int]:
        """Return the counts for the run record: files, faces, and files by status."""
        return {
            "files": self.files,
            "faces": self.faces,
            **{status: self.statuses[status] for status in Status},
        }
