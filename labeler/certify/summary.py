"""What a table is: its faces and photos, the model, how right it is, who reviewed it, and what could be done next."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from labeler.certify import by as grouping
from labeler.certify import certified
from labeler.certify.by import Group
from labeler.certify.certified import Certified
from labeler.certify.draw import FEWEST_FACES
from labeler.certify.gathered import FEWEST_CARDS, FEWEST_TAUGHT, Gathered
from labeler.certify.groups import Gap
from labeler.records import Status
from labeler.storage.address import is_remote
from labeler.tables import index, reader, run_record
from labeler.tables.index import Index
from labeler.tables.reviews import SUFFIX
from labeler.tables.run_record import RunRecord


@dataclass(frozen=True, kw_only=True)
class Summary:
    """A table, counted; ``labels`` and ``statuses`` with the most frequent first."""

    table: Path
    named: str
    """What the user calls the table: its path, or the address that ``table`` is a copy of."""
    record: RunRecord
    is_begun: bool
    """Whether a run has begun that will add to the table, or replace it."""
    faces: int
    photos: int
    labels: dict[str, int]
    """Faces by the label of the table."""
    statuses: dict[str, int]
    """Photos by status."""
    found: Gathered | None
    """What persons said; None without reviews, or without a face."""
    certified: Certified | None
    groups: list[Group]
    gap: Gap | None

    @property
    def certificate(self) -> dict[str, Any] | None:
        """Return the certificate: by the reviews as they are now, else the one of the run record."""
        return self.certified.as_json() if self.certified else self.record.certificate

    @property
    def next(self) -> list[tuple[str, str]]:
        """Return at most three commands that would be of use now, each with its reason."""
        return list(self._next())[:3]

    def as_json(self) -> dict[str, Any]:
        """Return all of it for JSON."""
        found = self.found
        return {
            "table": self.named,
            "finished": not self.is_begun,
            "faces": self.faces,
            "photos": self.photos,
            "labels": self.labels,
            "statuses": self.statuses,
            "run": {name: value for name, value in asdict(self.record).items() if name != "certificate"},
            "certificate": self.certificate,
            "groups": [{"name": one.name, "cards": one.certificate.cards, **_accuracy(one)} for one in self.groups],
            "gap": asdict(self.gap) if self.gap else None,
            "reviews": None
            if not found
            else {
                "faces": found.looked,
                "changed": found.changed,
                "added": found.added,
                "reviewers": dict(found.voters),
                "orphans": found.orphans,
            },
            "next": [command for command, _ in self.next],
        }

    @property
    def _is_certifiable(self) -> bool:
        return self.faces >= FEWEST_FACES and not self.record.top

    def _next(self) -> Iterator[tuple[str, str]]:
        table, stem = shlex.quote(self.named), self.table.stem
        folder = Path() if is_remote(self.named) else self.table.parent
        if is_remote(self.named):
            table += f" --reviews {shlex.quote(self.table.name + SUFFIX)}"
        if self.is_begun:
            yield f"labeler classify ... --out {table}", "the same command continues it"
        if not self.faces:
            return
        if not self.certified and self._is_certifiable:
            yield f"labeler review {table} --certify", "blind, at random: how right are they?"
        elif self.certified and self.certified.more:
            one = self.certified
            yield f"labeler review {table} --certify", f"{one.more:,} more cards: ±{100 * one.within:g} points"
        if self._is_adaptable():
            yield f"labeler adapt {table} --out runs/mine", "a model that learnt from the reviews"
        if self.certified and not self.record.calibrated:
            better = shlex.quote(str(folder / f"{stem}-calibrated{self.table.suffix}"))
            yield f"labeler calibrate {table} --out {better}", "fit the scores"
        if not self.found or self.found.looked < self.faces:
            yield f"labeler review {table}", "correct labels by keyboard"
        yield (
            f"labeler report {table} --out {shlex.quote(str(folder / f'{stem}.html'))}",
            "a page to look at",
        )
        yield f"labeler sort {table} --into sorted/", "photos into a folder for each label"

    def _is_adaptable(self) -> bool:
        """Say whether there are enough reviews to adapt the model, whose own scores the table holds."""
        found = self.found
        enough = found and len(found.sure) >= FEWEST_CARDS and len(found.taught) >= FEWEST_TAUGHT
        return bool(enough) and not self.record.calibrated


def summarize(
    table: Path,
    root: str = "",
    wanted: float = certified.WANTED,
    within: float = certified.WITHIN,
    by: str = "",
    named: str = "",
) -> Summary:
    """Count a table and its reviews; ``named`` is what the user calls it, by default its path.

    Raises:
        LabelerError: the table or its reviews cannot be read, or there is nothing to group ``by``.
    """
    if by:
        grouping.check(by)
    record = reader.record(table)
    loaded = index.load(table)
    found = _gathered(loaded, table, root)
    made = certified.certified(found, wanted, within) if found and found.cards else None
    groups, gap = grouping.certify(made.gathered, by) if made and by else ([], None)
    photos = loaded.face <= 0
    return Summary(
        table=table,
        named=named or str(table),
        record=record,
        is_begun=run_record.is_begun(table),
        faces=int(np.count_nonzero(loaded.label != loaded.labels.index(""))),
        photos=int(np.count_nonzero(photos)),
        labels=_counted(loaded.label, loaded.labels),
        statuses=_counted(loaded.status[photos], tuple(map(str, Status))),
        found=found,
        certified=made,
        groups=groups,
        gap=gap,
    )


def said(table: Path, root: str = "") -> Gathered | None:
    """Return what persons said about a table; None without reviews, or without faces of which a sample can be drawn.

    Raises:
        LabelerError: the table or its reviews cannot be read.
    """
    return _gathered(index.load(table), table, root)


def _gathered(loaded: Index, table: Path, root: str) -> Gathered | None:
    has_faces = loaded.probabilities is not None and bool((loaded.label != loaded.labels.index("")).any())
    return certified.gather(table, root, loaded) if has_faces else None


def _counted(codes: Any, names: tuple[str, ...]) -> dict[str, int]:
    counts = np.bincount(codes, minlength=len(names)).tolist()
    pairs = [(name, count) for name, count in zip(names, counts, strict=True) if count and name]
    return dict(sorted(pairs, key=lambda pair: -pair[1]))


def _accuracy(one: Group) -> dict[str, Any]:
    figure = one.certificate.model.accuracy
    return {"faces": one.certificate.model.faces, "accuracy": figure.value, "interval": figure.interval}
