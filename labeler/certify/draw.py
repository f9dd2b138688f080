"""The draw of a table: which faces are looked at blind, and in which order, decided by the table alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from itertools import compress

import numpy as np
from numpy.typing import NDArray

from labeler.certify import keys, queue, strata
from labeler.certify.shares import Shares
from labeler.certify.strata import ABSTAINED, Strata
from labeler.errors import LabelerError
from labeler.tables.index import Index
from labeler.tables.reviews import CERTIFY

FEWEST_FACES = 50
"""Lower limit on the faces of a table with blind cards: fewer are sooner reviewed than sampled."""

_NAMES_AT_ONCE = 1 << 14

_NAME_BYTES = 6
"""Draws of one table are told apart: of a thousand, two have one name with a probability of 2e-9."""


@dataclass(frozen=True, kw_only=True)
class Draw:
    """The n faces of a table in the order of their cards; arrays are parallel over the faces but ``order``.

    The same table gives the same draw. Where rows, labels or scores change, its name changes: what was answered to the
    cards of another draw says nothing about how right this table is.
    """

    index: Index
    rows: NDArray[np.int32]
    """The number of each face's row in the table."""
    labels: NDArray[np.int32]
    """The class index of each face's label, `ABSTAINED` where the label is no class."""
    strata: Strata
    order: NDArray[np.int32]
    """Places of the faces in the order of their cards; the first n are the sample of n cards."""
    name: str
    """12 hexadecimal digits."""

    @classmethod
    def of(cls, index: Index, seed: int = 0) -> Draw:
        """Return the draw of a table.

        Raises:
            LabelerError: the table has no face with a label, or too many classes to keep the probabilities of its rows.
        """
        labelled = index.label != index.labels.index("")
        rows = np.flatnonzero(labelled).astype(np.int32)
        if not len(rows):
            raise LabelerError("the table has no face with a label: there is nothing to look at")
        if index.top:
            raise LabelerError(
                "the table was made with --top, and a certificate needs the probabilities of all classes"
            )
        if index.probabilities is None:
            raise LabelerError("the table has too many classes and faces to keep its probabilities in memory")
        classes = len(index.class_names)
        labels = index.label[rows].astype(np.int32)
        labels[labels >= classes] = ABSTAINED
        scores = np.nan_to_num(index.score[rows], nan=1 / classes)
        found = keys.of_faces(_names(index, labelled), index.box[rows], seed)
        divided = strata.divide(labels, scores)
        return cls(
            index=index,
            rows=rows,
            labels=labels,
            strata=divided,
            order=queue.order(divided, found),
            name=_name(index.class_names, found, labels, scores),
        )

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def view(self) -> str:
        """Return the view of the answers to the cards of this draw."""
        return f"{CERTIFY} {self.name}"

    @property
    def probabilities(self) -> Shares:
        """Return the probabilities (n, classes) of the table."""
        assert self.index.probabilities is not None
        return Shares(self.index.probabilities, self.rows)

    @cached_property
    def places(self) -> NDArray[np.int32]:
        """Return the place of each row of the table among the faces; -1 where it is none."""
        found = np.full(len(self.index), -1, np.int32)
        found[self.rows] = np.arange(len(self.rows), dtype=np.int32)
        return found


def _names(index: Index, kept: NDArray[np.bool_]) -> Iterator[str]:
    for at in range(0, len(index), _NAMES_AT_ONCE):
        yield from compress(index.names.slice(at, _NAMES_AT_ONCE).to_pylist(), kept[at : at + _NAMES_AT_ONCE].tolist())


def _name(
    class_names: tuple[str, ...], found: keys.Keys, labels: NDArray[np.int32], scores: NDArray[np.floating]
) -> str:
    """Return the name of a draw; the order of the rows is no part of it."""
    order = np.argsort(found, kind="stable").astype(np.int32)
    digest = blake2b("\0".join(class_names).encode("utf-8", "surrogatepass"), digest_size=_NAME_BYTES)
    for column in (found, labels.astype("<i4"), np.round(scores * 1e4).astype("<i4")):
        digest.update(column[order].data)
    return digest.hexdigest()
