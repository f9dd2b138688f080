"""The difference of two tables of the same photos: what is compared, the guard against other photos, the figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from labeler.errors import LabelerError, NoPicturesError
from labeler.evaluation import intervals
from labeler.evaluation.agreement import Agreement, McNemar, agreement, mcnemar
from labeler.records import UNCERTAIN, Row, Status
from labeler.report import truth
from labeler.report.compare import Answers, Comparison, Side, is_class, joined
from labeler.storage.address import absolute
from labeler.tables import decided, labels, reader, run_record
from labeler.tables.matching import LEAST_IOU
from labeler.tables.run_record import RunRecord
from labeler.watched import Watched, unwatched


@dataclass(frozen=True, kw_only=True)
class DiffSettings:
    """Which tables to compare, and how."""

    a: Path
    b: Path
    flips: int = 20
    """How many of the faces with another class to keep, the surest."""
    least_iou: float = LEAST_IOU
    ignore_versions: bool = False
    root: str = ""
    """Where the files of the tables are; empty for where they were."""
    labels: Path | None = None
    """A table of true labels or votes."""
    classes: str = ""
    class_folders: bool = False
    """Whether the first folder of a name is the true class."""
    reviews: bool = True
    """Whether corrections count."""
    named: tuple[str, str] = ("", "")
    """What the user calls the tables, if not by their paths: the addresses that these are copies of."""

    @property
    def names(self) -> tuple[str, str]:
        """Return what the user calls the tables."""
        return self.named[0] or str(self.a), self.named[1] or str(self.b)


@dataclass(frozen=True, kw_only=True)
class Diff:
    """What two tables of the same photos have in common, and what differs."""

    settings: DiffSettings
    records: tuple[RunRecord | None, RunRecord | None]
    class_names: tuple[str, ...]
    """The classes of both: those of the first table, then those that only the second has."""
    comparison: Comparison
    against: str = ""
    """Names the truth; empty without one."""

    @property
    def agreement(self) -> Agreement:
        """Return how far the tables agree on the matched faces that both label with a class."""
        counts = self.comparison.labels.items()
        return agreement({pair: count for pair, count in counts if all(map(is_class, pair))})

    @property
    def mcnemar(self) -> McNemar | None:
        """Return the test of which table is more often right; None without a truth."""
        answers = self.comparison.answers
        return mcnemar(answers.only_a, answers.only_b) if answers else None

    @property
    def said(self) -> list[str]:
        """Return what the tables say of faces, in the order in which it is shown: classes, then the rest."""
        found = {one for pair in self.comparison.labels for one in pair}
        order = (*self.class_names, UNCERTAIN, *Status)
        return [one for one in order if one in found] + sorted(found.difference(order))

    @property
    def changes(self) -> list[tuple[str, str, int]]:
        """Return what the first table says, what the second says instead, and of how many faces; most first."""
        changed = [(one, other, count) for (one, other), count in self.comparison.labels.items() if one != other]
        return sorted(changed, key=lambda change: (-change[2], change[:2]))

    @property
    def differences(self) -> list[tuple[str, str, str]]:
        """Return the model and settings that differ between both runs, with both values."""
        one, other = (_made(record) for record in self.records)
        names = dict.fromkeys((*one, *other))
        return [(name, one.get(name, "–"), other.get(name, "–")) for name in names if one.get(name) != other.get(name)]

    def as_json(self) -> dict[str, Any]:
        """Return what `--json` prints."""
        found, agreed = self.comparison, self.agreement
        return {
            "a": _side_as_json(self.settings.names[0], self.records[0], found.a),
            "b": _side_as_json(self.settings.names[1], self.records[1], found.b),
            "differences": {name: [one, other] for name, one, other in self.differences},
            "files": {
                "both": found.both,
                "same_version": found.same_version,
                "version_not_checked": found.unchecked,
                "changed": found.changed,
                "changed_names": found.changed_names,
                "changed_are_compared": self.settings.ignore_versions,
            },
            "statuses": _nested(found.statuses),
            "status_changes": [
                {"a": one, "b": other, "files": found.statuses[one, other], "names": names}
                for (one, other), names in found.status_names.items()
            ],
            "faces": {"matched": found.matched, "least_iou": self.settings.least_iou},
            "labels": _nested(found.labels),
            "agreement": {
                "n": agreed.n,
                "agreed": agreed.agreed,
                "share": agreed.share,
                "interval": agreed.interval,
                "kappa": agreed.kappa and asdict(agreed.kappa),
            },
            "truth": self._truth_as_json(),
            "flips": [
                {"file": flip.a.file, "score": flip.score, "a": _face_as_json(flip.a), "b": _face_as_json(flip.b)}
                for flip in found.flips
            ],
        }

    def _truth_as_json(self) -> dict[str, Any] | None:
        answers, test = self.comparison.answers, self.mcnemar
        if not answers or not test:
            return None
        return {
            "against": self.against,
            "n": answers.n,
            **{
                f"accuracy_{side}": {"share": right / answers.n, "interval": intervals.of_share(right, answers.n)}
                for side, right in (("a", answers.right_a), ("b", answers.right_b))
            },
            "mcnemar": asdict(test),
            "left_out": dict(answers.left_out),
        }


def diff(wanted: DiffSettings, watched: Watched = unwatched) -> Diff:
    """Compare two tables of the same photos. Memory does not grow with their rows, only with the table of labels.

    Raises:
        LabelerError: one is no table of ours, no file is in both, or the photos are not the same.
        NoPicturesError: no photo of both has a true class.
        OutputError: a table is not in order, and there is no room to sort it.
    """
    names = reader.class_names(wanted.a), reader.class_names(wanted.b)
    records = run_record.read(wanted.a), run_record.read(wanted.b)
    answers, against = _answers(wanted, names)
    found = Comparison(
        most_flips=wanted.flips, least_iou=wanted.least_iou, ignore_versions=wanted.ignore_versions, answers=answers
    )
    for both in watched(joined(wanted.a, wanted.b, wanted.reviews, wanted.root), "comparing"):
        found.add(both)
    _refuse_other_photos(wanted, found, records)
    if answers and not answers.n:
        reasons = ", ".join(f"{count:,} {reason}" for reason, count in answers.left_out.items())
        raise NoPicturesError(f"no photo of both tables can be compared with {against}: {reasons}")
    class_names = tuple(dict.fromkeys((*names[0], *names[1])))
    return Diff(settings=wanted, records=records, class_names=class_names, comparison=found, against=against)


def root_of(wanted: DiffSettings) -> str:
    """Return the folder of the photos.

    Raises:
        LabelerError: neither an option nor a run record names it, or it has gone.
    """
    return reader.root(wanted.a, wanted.root)


def _answers(wanted: DiffSettings, class_names: tuple[tuple[str, ...], tuple[str, ...]]) -> tuple[Answers | None, str]:
    """Return what counts the answers, and the name of the truth."""
    if wanted.labels and wanted.class_folders:
        raise LabelerError("--labels and --class-folders both name the truth; give one of them")
    if wanted.class_folders and not wanted.classes:
        return Answers(truth_of=truth.of_folders, class_names=class_names), "the class folders"
    root = root_of(wanted) if wanted.labels else ""
    given = labels.truth(wanted.labels, wanted.classes, root, reviews=wanted.reviews)
    if not given:
        return None, ""
    return Answers(truth_of=truth.of_labels(given.labels), class_names=class_names), given.against


def _refuse_other_photos(wanted: DiffSettings, found: Comparison, records: Sequence[RunRecord | None]) -> None:
    """Refuse tables of photos that have no name in common, or nothing but their names."""
    roots = [absolute(record.root) if record else "an unknown folder" for record in records]
    if not found.both:
        raise LabelerError(
            f"no file is in both {wanted.a} and {wanted.b}; names are relative to {roots[0]} and {roots[1]}"
        )
    if roots[0] != roots[1] and found.changed and not found.same_version and not wanted.ignore_versions:
        raise LabelerError(
            f"{wanted.a} and {wanted.b} are not of the same photos: their folders differ ({roots[0]}, {roots[1]}), and "
            f"so do the size or time of all {found.changed:,} files that both name. If one is a copy of the other, "
            "compare by name alone: --ignore-versions"
        )


def _made(record: RunRecord | None) -> dict[str, str]:
    """Return the model and settings of a run, as text."""
    if not record:
        return {}
    return {
        "model": f"{record.model} ({record.model_sha256[:12]})",
        "root": record.root,
        **{f"--{name}".replace("_", "-"): str(value) for name, value in record.settings.items()},
    }


def _nested(counts: dict[tuple[str, str], int]) -> dict[str, dict[str, int]]:
    """Return counts by what the first table says, then by what the second says."""
    found: dict[str, dict[str, int]] = {}
    for (one, other), count in counts.items():
        found.setdefault(one, {})[other] = count
    return found


def _side_as_json(table: str, record: RunRecord | None, side: Side) -> dict[str, Any]:
    return {"table": table, "model": record.model if record else None, **asdict(side)}


def _face_as_json(row: Row) -> dict[str, Any]:
    return {"face": row.face, "label": row.label, "score": decided.score_of(row), "reviewed": row.before is not None}
