"""Walk two tables of the same photos together, and count what differs: files, faces, statuses, labels."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from labeler.errors import LabelerError
from labeler.records import EXAMPLES, RESERVED_NAMES, UNCERTAIN, Row, Status
from labeler.storage.address import below
from labeler.storage.versions import comparable
from labeler.tables import decided, formats, run_record
from labeler.tables.matching import LEAST_IOU, match
from labeler.tables.order import grouped, is_ascending, keyed, outer_join

Both = tuple[list[Row] | None, list[Row] | None]
"""The rows of one file in the first and in the second table; None where that one has no such file."""

MOST_CHANGES = 200_000
"""Upper limit on different pairs of labels, for the sake of memory (50 MB): no two models differ in so many ways, only
tables whose labels are texts."""

TruthOf = Callable[[str], str]
"""Returns the true class of a file; empty where it is not known."""

_WITH_FACES = frozenset({Status.OK, Status.DAMAGED})


class Flip(NamedTuple):
    """A face that both tables label with a class, but not with the same one."""

    a: Row
    b: Row

    @property
    def score(self) -> float:
        """Return the lower of both scores: how sure the less sure table is; a person is."""
        return min(1.0 if row.before is not None else row.score or 0.0 for row in self)


@dataclass(slots=True, kw_only=True)
class Side:
    """What one of the tables holds, and what it alone holds."""

    files: int = 0
    faces: int = 0
    only_files: int = 0
    only_file_names: list[str] = field(default_factory=list)
    """The first few."""
    only_faces: int = 0
    """Faces without a match, in files that both tables have."""

    def add(self, rows: Sequence[Row] | None, other: Sequence[Row] | None) -> None:
        """Count a file's rows, and whether the other table has that file."""
        if rows is None:
            return
        self.files += 1
        self.faces += len(_faces(rows))
        if other is None:
            self.only_files += 1
            _note(rows[0].file, self.only_file_names)


@dataclass(slots=True, kw_only=True)
class Answers:
    """How often each table says the true class of the largest face of a photo.

    As in `evaluation.truth`, the answer of an `uncertain` face is its most probable class. ``left_out`` counts the
    photos that one of the tables gives no answer for, or the truth no class of theirs, by reason.
    """

    truth_of: TruthOf
    class_names: tuple[tuple[str, ...], tuple[str, ...]]
    """The classes of each table, in the order of its probabilities."""
    n: int = 0
    right_a: int = 0
    right_b: int = 0
    only_a: int = 0
    """Photos of which only the first table says the true class; ``only_b`` those of which only the second does."""
    only_b: int = 0
    left_out: Counter[str] = field(default_factory=Counter)

    def add(self, a: Sequence[Row], b: Sequence[Row]) -> None:
        """Count a file that both tables have."""
        true = self.truth_of(a[0].file)
        one, other = (_answer(rows, names) for rows, names in zip((a, b), self.class_names, strict=True))
        reason = self._why_left_out(true, one, other)
        if reason:
            self.left_out[reason] += 1
            return
        self.n += 1
        self.right_a += one == true
        self.right_b += other == true
        self.only_a += one == true != other
        self.only_b += other == true != one

    def _why_left_out(self, true: str, one: str, other: str) -> str:
        if not true:
            return "without a true class"
        if not any(true in names for names in self.class_names):
            return "of a class that both lack"
        sides = {(True, False): "A", (False, True): "B", (True, True): "both"}
        side = sides.get((not one, not other))
        return f"without an answer in {side}" if side else ""


@dataclass(slots=True, kw_only=True)
class Comparison:
    """What two tables of the same photos have in common, and what differs. Its size does not grow with theirs.

    A file whose version differs has changed between the runs: it is counted and compared no further.
    """

    most_flips: int
    least_iou: float = LEAST_IOU
    ignore_versions: bool = False
    a: Side = field(default_factory=Side)
    b: Side = field(default_factory=Side)
    same_version: int = 0
    unchecked: int = 0
    """Files of both tables without a version in one of them, or with versions of two kinds."""
    changed: int = 0
    changed_names: list[str] = field(default_factory=list)
    statuses: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Files by their status in both tables."""
    status_names: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    """The first few files of each change of status."""
    labels: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Faces by what both tables say of them: see `category`."""
    matched: int = 0
    answers: Answers | None = None
    """None without a truth."""
    _flips: list[tuple[float, int, Flip]] = field(default_factory=list)

    @property
    def both(self) -> int:
        """Return how many files both tables have."""
        return self.same_version + self.unchecked + self.changed

    @property
    def flips(self) -> list[Flip]:
        """Return the flips of the highest scores, the highest first; of equal ones, the first in the tables."""
        return [flip for _, _, flip in sorted(self._flips, reverse=True)]

    def add(self, both: Both) -> None:
        """Compare the rows of one file.

        Raises:
            LabelerError: there are more than `MOST_CHANGES` different changes.
        """
        a, b = both
        self.a.add(a, b)
        self.b.add(b, a)
        if a is None or b is None or self._has_changed(a[0], b[0]):
            return
        self._add_status(decided.face_of(a), decided.face_of(b))
        for one, other in match(_faces(a), _faces(b), self.least_iou):
            self._add_face(one, other, category(one, a), category(other, b))
        if self.answers:
            self.answers.add(a, b)

    def _has_changed(self, a: Row, b: Row) -> bool:
        if not comparable(a.version, b.version):
            self.unchecked += 1
        elif a.version == b.version:
            self.same_version += 1
        else:
            self.changed += 1
            _note(a.file, self.changed_names)
            return not self.ignore_versions
        return False

    def _add_status(self, a: Row, b: Row) -> None:
        change = (a.status, b.status)
        self.statuses[change] += 1
        if a.status is not b.status:
            _note(a.file, self.status_names.setdefault(change, []))

    def _add_face(self, a: Row | None, b: Row | None, said: str, other: str) -> None:
        self.labels[said, other] += 1
        if len(self.labels) > MOST_CHANGES:
            raise LabelerError(f"the labels differ in more than {MOST_CHANGES:,} ways: they are no classes")
        if a is None or b is None:
            self.a.only_faces += b is None
            self.b.only_faces += a is None
            return
        self.matched += 1
        if said != other and is_class(said) and is_class(other) and self.most_flips:
            flip = Flip(a, b)
            entry = (flip.score, -self.matched, flip)
            if len(self._flips) < self.most_flips:
                heapq.heappush(self._flips, entry)
            else:
                heapq.heappushpop(self._flips, entry)


def category(face: Row | None, rows: Sequence[Row]) -> str:
    """Return what a table says of a face: its class, `uncertain`, `damaged`, or empty when a person took it away.

    Of a face that it does not have, it is what the table says of the file: `no_face`, or why that failed.
    """
    if face is None:
        status = decided.face_of(rows).status
        return Status.NO_FACE if status in _WITH_FACES else status
    return decided.class_of(face) or (face.label if face.status is Status.OK else face.status)


def is_class(said: str) -> bool:
    """Say whether a `category` is a class."""
    return said not in RESERVED_NAMES


def joined(a: Path, b: Path, reviews: bool = True, root: str = "") -> Iterator[Both]:
    """Yield the rows of each file of two tables, in the order of the files, whatever the order of the tables.

    For ``reviews`` and ``root`` see `decided.rows`.

    Raises:
        LabelerError: one is no table of ours, or is damaged.
        OutputError: one is not in order, and there is no room to sort it.
    """
    return outer_join(*(keyed(_by_file(table, reviews, root), lambda rows: rows[0].file) for table in (a, b)))


def _by_file(table: Path, reviews: bool, root: str) -> Iterator[list[Row]]:
    rows = decided.rows(table, reviews, root)
    record = run_record.read(table)
    if record and record.settings.get("absolute"):
        rows = _relative(rows, record.root)
    return grouped(rows, ascending=is_ascending(formats.of(table).files(table)))


def _relative(rows: Iterable[Row], root: str) -> Iterator[Row]:
    """Yield rows with names relative to the root that all files are below, which does not change their order."""
    return (row._replace(file=below(root, row.file)) for row in rows)


def _faces(rows: Sequence[Row]) -> list[Row]:
    return [row for row in rows if row.face is not None]


def _answer(rows: Sequence[Row], class_names: Sequence[str]) -> str:
    """Return the class of the largest face; the most probable one where the model is `uncertain`, but no person is."""
    face = decided.face_of(rows)
    unsure = face.label == UNCERTAIN and face.before is None
    if unsure and face.status is Status.OK:
        return face.most_probable(class_names)
    return decided.class_of(face)


def _note(name: str, names: list[str]) -> None:
    """Keep the first few names."""
    if len(names) < EXAMPLES:
        names.append(name)
