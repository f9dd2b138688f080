"""Which items an export has, and in which subsets: a byte for each in memory, for every pass reads the table anew."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import compress

import numpy as np
from numpy.typing import NDArray

from labeler.exports import settings, subsets
from labeler.exports.formats import FORMATS
from labeler.exports.item import Item, Plan
from labeler.exports.items import Items
from labeler.exports.settings import ExportSettings
from labeler.exports.subsets import Assigned
from labeler.records import Mode
from labeler.tables import corrections, decided
from labeler.tables.corrections import Corrections
from labeler.watched import Watched


class Chosen:
    """The items of an export, numbered from 0; those of which the split could not read a picture are none."""

    def __init__(self, wanted: ExportSettings, plan: Plan, watched: Watched) -> None:
        self._wanted, self._plan, self._watched = wanted, plan, watched
        self._corrections = corrections.of_table(plan.table, plan.root) if plan.reviews else None
        self.most = _rows(plan, self._corrections)
        """An upper limit on the items, if it is known."""
        self._kept: NDArray[np.bool_] | None = None
        self.assigned: Assigned | None = None
        """What came of the split, if there is one."""
        self.left_out: Counter[str] = Counter()
        """The number of files and faces that are no item, by reason; complete after a pass."""
        if wanted.per_class:
            self._kept = self._drawn(wanted.per_class)
        if plan.subsets:
            self.assigned = self._divided()

    def items(self, doing: str) -> Iterator[Item]:
        """Yield the items, each in its subset, in the order of the table."""
        found = self._all(doing)
        if self._kept is not None:
            found = compress(found, self._kept.tolist())
        if self.assigned is None:
            yield from found if self._kept is None else _numbered(found)
            return
        divided = zip(found, self.assigned.subsets.tolist(), strict=True)
        names = self._plan.subsets
        yield from _numbered(replace(item, subset=names[place]) for item, place in divided if place != subsets.NONE)

    def _all(self, doing: str) -> Iterator[Item]:
        plan = self._plan
        items = Items(
            plan.root,
            plan.out,
            plan.class_names,
            crops=plan.crops,
            encodes=plan.mode is Mode.COPY,
            min_score=self._wanted.min_score,
        )
        self.left_out = items.left_out
        return items.of(self._watched(decided.corrected(plan.table, self._corrections), doing, self.most))

    def _drawn(self, most: int) -> NDArray[np.bool_]:
        """Return for each item whether it is among at most so many of its class, drawn at random."""
        number = {name: place for place, name in enumerate(self._plan.class_names)}
        labels = np.fromiter((number[item.label] for item in self._all("choosing")), np.uint16)
        random = np.random.default_rng(self._wanted.seed)
        kept = np.full(len(labels), False)
        for label in range(len(number)):
            places = np.flatnonzero(labels == label)
            kept[random.permutation(places)[:most]] = True
        return kept

    def _divided(self) -> Assigned:
        """Return the subset of each item, where each subset has what the format needs.

        Raises:
            LabelerError: a subset would be empty, or lack a class.
        """
        wanted = self._wanted
        found = subsets.assigned(
            self.items("reading photos"),
            settings.shares(wanted),
            table=wanted.table,
            root=self._plan.root,
            seed=wanted.seed,
            group_by=wanted.group_by,
            max_pixels=wanted.max_pixels,
            watched=self._watched,
        )
        refuse = subsets.refuse_missing if FORMATS[self._plan.format].split else subsets.refuse_empty
        refuse(found)
        return found


def _numbered(items: Iterable[Item]) -> Iterator[Item]:
    for number, item in enumerate(items):
        yield replace(item, number=number)


def _rows(plan: Plan, found: Corrections | None) -> int | None:
    """Return how many rows there are, or a few more: one for each face, also added ones, and for a file without."""
    counts = plan.record.counts
    if not {"faces", "files", "ok"} <= counts.keys():
        return None
    return counts["faces"] + counts["files"] - counts["ok"] + (found.most_added if found else 0)
