"""What a report says of a table, gathered in one pass: counts, histograms and a few chosen rows, never all rows."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from labeler.certify.certified import Certified
from labeler.records import UNCERTAIN, Row, Status
from labeler.report.choice import Best, Sampled
from labeler.report.truth import Judged
from labeler.storage.address import below
from labeler.tables import decided
from labeler.tables.corrections import Counts

SCORE_BINS, GRID_BINS = 20, 10
"""Bins of equal width from 0 to 1: of the scores of a label, and of score and detector confidence."""

SIZES = (0, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024)
"""Lower limits of the bins of face sizes, in pixels."""

FACES = (0, 1, 2, 3, 4, 5, 6, 11, 21, 51, 101)
"""Lower limits of the bins of faces per photo."""

CLOSE = 0.2
"""Upper limit on the distance between the two most probable classes of a face that are called close."""

MOST_LABELS, MOST_FOLDERS, MOST_PAIRS, MOST_REASONS = 60, 1_000, 1_000, 200
"""Upper limits on what is kept apart, so that memory is bounded whatever a table holds: labels, folders, pairs of
classes, and reasons. What comes after them is counted together, as `OTHERS`."""

OTHERS = "(all others)"

NAMES = 20
"""Upper limit on the names that are kept for a reason."""

_PAIR_EXAMPLES = 6
_NUMBERS = re.compile(r"\d[\d,.]*")


@dataclass(kw_only=True)
class Reason:
    """Why some files have no label: the first reason of its kind, how many files have it, and the first names."""

    status: Status
    reason: str
    count: int = 0
    names: list[str] = field(default_factory=list)


@dataclass(kw_only=True)
class Picked:
    """The faces that are shown of a label."""

    surest: Best
    least_sure: Best
    sample: Sampled


@dataclass(kw_only=True)
class Folder:
    """The photos and the labels of a folder."""

    photos: int = 0
    labels: Counter[str] = field(default_factory=Counter)


class Aggregates:
    """The aggregates of a table, to which its rows are added in order, those of a file adjacent.

    ``samples`` is the number of faces that are kept of each kind, ``root`` the folder that absolute names begin with.
    """

    def __init__(
        self,
        class_names: Sequence[str],
        samples: int = 12,
        seed: int = 0,
        root: str = "",
        judged: Judged | None = None,
    ) -> None:
        self.class_names = tuple(class_names)
        self.judged = judged
        self.reviews: Counts | None = None
        """What was reviewed of the table; None without reviews."""
        self.certified: Certified | None = None
        """How right the labels are; None without a blind card of the table as it is."""
        self.earlier = 0
        """Faces that were looked at blind before the table was changed."""
        self.files = 0
        self.faces = 0
        self.statuses: Counter[str] = Counter()
        self.labels: Counter[str] = Counter()
        self.scores: dict[str, list[int]] = {}
        self.grid = [[0] * GRID_BINS for _ in range(GRID_BINS)]
        """Faces by detector confidence (rows) and score (columns)."""
        self.whole = 0
        """Faces that are a whole photo: no detector looked at them."""
        self.sizes = [0] * len(SIZES)
        self.photos_by_faces = [0] * len(FACES)
        self.folders: dict[str, Folder] = {}
        self.picked: dict[str, Picked] = {}
        self.pairs: Counter[tuple[str, str]] = Counter()
        self.pair_examples: dict[tuple[str, str], Best] = {}
        self.reasons: dict[tuple[Status, str], Reason] = {}
        self.without_face = Sampled(samples, seed)
        self._samples, self._seed = samples, seed
        self._root = root
        self._file: str | None = None
        self._folder = Folder()
        self._faces_of_photo = -1

    def add(self, row: Row) -> None:
        """Count a row."""
        if row.file != self._file:
            self._begin_file(row)
        if row.label:
            self._add_face(row)
        if self.judged:
            self.judged.add(row, self.below(row.file))

    def finish(self) -> None:
        """Count the last file."""
        if self._faces_of_photo >= 0:
            self.photos_by_faces[bisect_right(FACES, self._faces_of_photo) - 1] += 1
        self._faces_of_photo = -1

    def below(self, file: str) -> str:
        """Return a file's name below the root, which absolute names begin with."""
        return below(self._root, file)

    def as_json(self) -> dict[str, Any]:
        """Return what `--json` prints."""
        return {
            "files": self.files,
            "faces": self.faces,
            "statuses": {status: self.statuses[status] for status in Status},
            "labels": dict(self.labels.most_common()),
            "score_bins": self.scores,
            "score_by_detector_confidence": self.grid,
            "whole_photos": self.whole,
            "face_sizes": dict(zip(map(str, SIZES), self.sizes, strict=True)),
            "faces_per_photo": dict(zip(map(str, FACES), self.photos_by_faces, strict=True)),
            "folders": {
                name: {"photos": folder.photos, "labels": dict(folder.labels.most_common())}
                for name, folder in self.folders.items()
            },
            "close_pairs": [{"classes": pair, "faces": count} for pair, count in self.pairs.most_common()],
            "reasons": [
                {"status": one.status, "reason": one.reason, "files": one.count, "names": one.names}
                for one in self.reasons.values()
            ],
            "reviews": self.reviews and self.reviews.as_json(),
            "certificate": self.certified and self.certified.as_json(),
            "truth": self.judged and self.judged.as_json(),
        }

    def _begin_file(self, row: Row) -> None:
        self.finish()
        self._file = row.file
        self.files += 1
        self.statuses[row.status] += 1
        self._folder = self._folder_of(row.file)
        self._folder.photos += 1
        if row.failed:
            self._add_reason(row)
            return
        self._faces_of_photo = 0
        if row.status is Status.DAMAGED:
            self._add_reason(row)
        elif row.status is Status.NO_FACE:
            self._add_reason(row)
            self.without_face.offer(row)

    def _add_face(self, row: Row) -> None:
        label = row.label
        if label not in self.scores:
            label = self._begin_label(label)
        score = decided.score_of(row)
        self.faces += 1
        self._faces_of_photo += 1
        self.labels[label] += 1
        self._folder.labels[label] += 1
        self.sizes[bisect_right(SIZES, max(row.width or 0, row.height or 0, 0)) - 1] += 1
        if score is not None:
            self.scores[label][_bin(score, SCORE_BINS)] += 1
            if row.face_score is not None:
                self.grid[_bin(row.face_score, GRID_BINS)][_bin(score, GRID_BINS)] += 1
        if row.face_score is None and not decided.is_added(row):
            self.whole += 1
        if row.probabilities or row.further:
            self._add_pair(row)
        if (row.status is Status.OK or decided.class_of(row)) and label != OTHERS:
            picked = self.picked[label]
            if score is not None:
                picked.surest.offer(score, row)
                picked.least_sure.offer(-score, row)
            picked.sample.offer(row)

    def _begin_label(self, label: str) -> str:
        if len(self.scores) >= MOST_LABELS:
            label = OTHERS
        self.scores.setdefault(label, [0] * SCORE_BINS)
        self.picked[label] = Picked(
            surest=Best(self._samples), least_sure=Best(self._samples), sample=Sampled(self._samples, self._seed)
        )
        return label

    def _add_pair(self, row: Row) -> None:
        """Count the two most probable classes where they are close."""
        best, second, pair = self._best_two(row)
        if best - second >= CLOSE:
            return
        if pair not in self.pair_examples:
            if len(self.pair_examples) >= MOST_PAIRS:
                self.pairs[OTHERS, OTHERS] += 1
                return
            self.pair_examples[pair] = Best(min(_PAIR_EXAMPLES, self._samples))
        self.pairs[pair] += 1
        self.pair_examples[pair].offer(second - best, row)

    def _best_two(self, row: Row) -> tuple[float, float, tuple[str, str]]:
        """Return the probabilities of the two most probable classes, and their names in the order of the classes."""
        if not row.probabilities:
            return self._named_two(row)
        shares = row.probabilities
        second, best = sorted(shares)[-2:]
        first = shares.index(best)
        other = shares.index(second, first + 1) if second == best else shares.index(second)
        return best, second, (self.class_names[min(first, other)], self.class_names[max(first, other)])

    def _named_two(self, row: Row) -> tuple[float, float, tuple[str, str]]:
        """Return the same of a row that names the most probable classes; one that it does not name has -1."""
        said = row.label if row.before is None else row.before
        pairs = [] if said == UNCERTAIN else [(said, row.score or 0.0)]
        pairs += [(str(name), float(score)) for name, score in zip(row.further[::2], row.further[1::2], strict=True)]
        (first, best), (other, second), *_ = *pairs, ("", -1.0)
        one, another = ranked((first, other), self.class_names)
        return best, second, (one, another)

    def _add_reason(self, row: Row) -> None:
        """Count a reason; reasons that differ in their numbers only are one."""
        key = row.status, _NUMBERS.sub("#", row.reason)
        if key not in self.reasons:
            if len(self.reasons) >= MOST_REASONS:
                key = row.status, OTHERS
            self.reasons.setdefault(key, Reason(status=row.status, reason=row.reason if key[1] != OTHERS else OTHERS))
        found = self.reasons[key]
        found.count += 1
        if len(found.names) < NAMES:
            found.names.append(row.file)

    def _folder_of(self, file: str) -> Folder:
        name, slash, _ = self.below(file).partition("/")
        name = name if slash else ""
        found = self.folders.get(name)
        if not found:
            if len(self.folders) >= MOST_FOLDERS:
                name = OTHERS
            found = self.folders.setdefault(name, Folder())
        return found


def gather(rows: Iterable[Row], into: Aggregates) -> Aggregates:
    """Add all rows of a table, and return the aggregates."""
    for row in rows:
        into.add(row)
    into.finish()
    return into


def ranked(labels: Iterable[str], class_names: Sequence[str]) -> list[str]:
    """Return labels in the order of the classes; others after them, `uncertain` last but for `OTHERS`."""
    places = {name: place for place, name in enumerate(class_names)}
    last = {UNCERTAIN: len(places) + 1, OTHERS: len(places) + 2}
    return sorted(labels, key=lambda label: (places.get(label, last.get(label, len(places))), label))


def _bin(share: float, bins: int) -> int:
    return min(max(int(share * bins), 0), bins - 1)
